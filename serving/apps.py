from django.apps import AppConfig


class ServingConfig(AppConfig):
    name = "serving"

    def ready(self) -> None:
        from jobs import schedules
        from registry.ports import register_input_columns, register_model_part
        from registry.signals import version_registered, version_tag_set
        from serving import jobs, receivers  # noqa: F401
        from serving.parts import EndpointSourcePart
        from serving.selectors import input_columns
        from serving.services.provide import sweep

        facts = (
            (version_registered, receivers.on_version_registered),
            (version_tag_set, receivers.on_version_tag_set),
        )
        for signal, receiver in facts:
            signal.connect(receiver, dispatch_uid=f"serving.{receiver.__name__}")
        register_model_part(EndpointSourcePart())
        register_input_columns(input_columns)
        schedules.register("serving.sources", every_s=30, func=sweep)
