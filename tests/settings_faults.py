"""Real processes with one more app: the handlers that fault tests kill workers in."""

import os

from config.settings.processes import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.app"]  # noqa: F405
JOB_LEASE_SECONDS = 1.5
JOB_DEAF_SECONDS = float(os.environ.get("JOB_DEAF_SECONDS", "12"))
