"""Versions that wait for their gates are few, and found at once."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("registry", "0006_search_words"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(("status", "PENDING_REGISTRATION")),
                fields=["id"],
                name="version_waiting",
            ),
        ),
    ]
