"""An upload says how it stands: open, being checked, stored, refused, given up, expired."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("registry", "0007_version_waiting"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="artifactupload",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Waiting for parts"),
                    ("verifying", "Being checked"),
                    ("done", "Stored"),
                    ("refused", "Refused"),
                    ("given_up", "Given up"),
                    ("expired", "Expired"),
                ],
                default="open",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="artifactupload",
            name="state_reason",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AlterField(
            model_name="artifactupload",
            name="parts",
            field=models.JSONField(default=list, help_text="[{size, sha256, key}], in order"),
        ),
        migrations.AddConstraint(
            model_name="artifactupload",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state__in", ["open", "verifying"])),
                    models.Q(
                        models.Q(("state__in", ["open", "verifying"]), _negated=True),
                        ("ended_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="upload_ends_with_its_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="artifactupload",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("artifact__isnull", False), ("state", "done")),
                    models.Q(models.Q(("state", "done"), _negated=True), ("artifact", None)),
                    _connector="OR",
                ),
                name="upload_done_has_an_artifact",
            ),
        ),
    ]
