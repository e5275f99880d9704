"""Which releases name a digest is found by an index, whatever the number of versions."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("registry", "0009_together")]

    operations = [
        # On the part of the release that is asked for alone: small, and nothing to write for the
        # many releases that list no file.
        migrations.RunSQL(
            "CREATE INDEX version_names_artifact ON registry_modelversion "
            "USING gin ((release -> 'artifacts') jsonb_path_ops)",
            "DROP INDEX version_names_artifact",
        ),
    ]
