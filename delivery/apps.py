from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"

    def ready(self) -> None:
        from delivery import jobs, receivers  # noqa: F401
        from delivery.parts import NeedsPart, ReachPart
        from delivery.services import learning, reconcile
        from jobs import schedules
        from registry.ports import register_model_part, register_version_part

        schedules.register("delivery.reconcile", reconcile.EVERY_S, reconcile.reconcile)
        schedules.register("delivery.snapshots", learning.EVERY_S, learning.ask_due)
        register_version_part(NeedsPart(), place=20)
        register_model_part(ReachPart())
