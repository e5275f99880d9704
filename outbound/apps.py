from django.apps import AppConfig


class OutboundConfig(AppConfig):
    name = "outbound"

    def ready(self) -> None:
        from jobs import schedules
        from outbound.services.deliver import deliver_due

        schedules.register("outbound.deliver", every_s=5, func=deliver_due)
