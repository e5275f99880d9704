"""A model's newest version by index alone: asked of every model by “newest is not live”."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0010_releases_by_artifact"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(deleted_at=None), fields=["model", "id"], name="version_kept"
            ),
        ),
    ]
