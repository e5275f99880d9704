from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"

    def ready(self) -> None:
        from registry import jobs, receivers  # noqa: F401
        from registry.parts.gating import GatingPart
        from registry.ports import register_model_part

        register_model_part(GatingPart())
