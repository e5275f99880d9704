"""Real processes started by tests (tests/processes.py): as in development, with short intervals."""

from config.settings.dev import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_USE_FINDERS = True
STORAGE_FLUSH = False
JOB_LEASE_SECONDS = 2.0
JOB_DISPATCH_SECONDS = 0.5
JOB_RETRY_SECONDS = 0.2
SEALER_POLL_SECONDS = 0.1
ROLLOUT_TICK_SECONDS = 0.2
