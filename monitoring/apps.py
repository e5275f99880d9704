from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Registers its job handlers and the deletion of rows that nobody will count."""

    name = "monitoring"

    def ready(self) -> None:
        from jobs import schedules
        from monitoring import jobs  # noqa: F401
        from monitoring.services.ingest import sweep

        schedules.register("monitoring.sweep", every_s=60, func=sweep)
