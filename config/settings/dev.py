"""A developer's machine and the demo: plain HTTP on loopback, secrets made by ``embedded up``."""

from config.settings.base import *  # noqa: F403

DEBUG = ENV.debug  # noqa: F405
DEMO_ALLOWED = True
