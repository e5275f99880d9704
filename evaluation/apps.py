from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"

    def ready(self) -> None:
        from evaluation import jobs, receivers, receivers_derived  # noqa: F401
        from jobs import schedules

        schedules.register("evaluation.settle", every_s=30, func=jobs.settle_all)
