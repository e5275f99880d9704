from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Registers its job handlers and the deletion of rows that nobody will count."""

    name = "monitoring"

    def ready(self) -> None:
        from jobs import schedules
        from monitoring import jobs  # noqa: F401
        from monitoring.inventory import NEEDS, MonitorPart
        from monitoring.services.ingest import sweep
        from registry.needs import register_need
        from registry.ports import register_inventory_part

        register_inventory_part(MonitorPart())
        for need in NEEDS:
            register_need(need)
        schedules.register("monitoring.sweep", every_s=60, func=sweep)
