"""The fence: one sequence for all jobs, never cached, so that a later claim always has a larger number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql="CREATE SEQUENCE jobs_fence_seq AS bigint START 1 CACHE 1",
            reverse_sql="DROP SEQUENCE jobs_fence_seq",
        )
    ]
