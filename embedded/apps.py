"""Makes ``manage.py embedded`` known; there are no tables here."""

from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    """PostgreSQL, Redis and Envoy from wheels, started and stopped by us."""

    name = "embedded"
