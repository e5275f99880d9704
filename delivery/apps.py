from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"

    def ready(self) -> None:
        from delivery import jobs, receivers  # noqa: F401
        from delivery.services import learning, reconcile
        from jobs import schedules

        schedules.register("delivery.reconcile", reconcile.EVERY_S, reconcile.reconcile)
        schedules.register("delivery.snapshots", learning.EVERY_S, learning.ask_due)
