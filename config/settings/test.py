"""Tests: fast hashes, short leases, one Redis database a worker, the owner's database role."""

import os

from config.settings.base import *  # noqa: F403

DEMO_ALLOWED = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
DATABASES["default"]["ENGINE"] = "tests.engine"  # noqa: F405
STORAGE_FLUSH = False
JOB_LEASE_SECONDS = 2.0
JOB_DISPATCH_SECONDS = 0.5
JOB_RETRY_SECONDS = 0.2
SEALER_POLL_SECONDS = 0.1
ROLLOUT_TICK_SECONDS = 0.1
AXES_ENABLED = False

_worker = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw0").removeprefix("gw"))
CACHES["default"]["LOCATION"] = ENV.redis_database(_worker + 2)  # noqa: F405
