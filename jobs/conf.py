"""Settings of jobs that have a default here; ``config.settings`` may set any of them."""

from __future__ import annotations

from django.conf import settings


def deaf_after_s() -> float:
    """Seconds without hearing anything after which an idle worker ends itself."""
    return float(getattr(settings, "JOB_DEAF_SECONDS", 120.0))
