from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        from evaluation import jobs, receivers, receivers_derived  # noqa: F401
        from evaluation.parts import ParentPart
        from jobs import schedules
        from registry.ports import register_version_part

        register_version_part(ParentPart())
        schedules.register("evaluation.settle", every_s=30, func=jobs.settle_all)
