from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"

    def ready(self) -> None:
        from jobs import schedules
        from registry import jobs, jobs_artifacts, receivers  # noqa: F401
        from registry.parts.artifacts import ArtifactsPart
        from registry.parts.cards import CardPart
        from registry.parts.gating import GatingPart
        from registry.parts.lifecycle import LifecyclePart
        from registry.parts.lineage import LineagePart, LinksPart, SignaturePart
        from registry.parts.prompts import PromptPart
        from registry.ports import register_model_part, register_version_part
        from registry.summary import refresh

        register_model_part(GatingPart())
        register_model_part(LifecyclePart())
        register_version_part(PromptPart(), place=5)  # a prompt is its text
        register_version_part(CardPart())
        register_version_part(LineagePart())
        register_version_part(SignaturePart())
        register_version_part(ArtifactsPart())
        register_version_part(LinksPart())
        register_version_part(LifecyclePart(), place=90)
        schedules.register("registry.summaries", every_s=30, func=refresh)
