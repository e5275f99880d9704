from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Answers the questions from below and listens to their facts, from the start."""

    name = "governance"

    def ready(self) -> None:
        from delivery.ports import register_authority
        from delivery.signals import receipt_mismatched, rollout_finished
        from evaluation.signals import evidence_finished
        from governance import jobs, receivers, receivers_together  # noqa: F401
        from governance.authority import ApprovalAliasGuard, ApprovalAuthority
        from governance.deletion import PromotionUnderWay
        from governance.inventory import NEEDS, FindingsPart, ValidatedPart
        from governance.parts import RegistrationPart
        from governance.services import promotions, registration
        from jobs import schedules
        from monitoring.signals import threshold_crossed
        from registry.needs import register_need
        from registry.ports import (
            register_alias_guard,
            register_deletion_guard,
            register_inventory_part,
            register_version_part,
        )
        from registry.signals import (
            alias_moved,
            card_revised,
            dataset_ready,
            version_registered,
        )
        from serving.signals import endpoint_ready

        register_authority(ApprovalAuthority())
        register_alias_guard(ApprovalAliasGuard())
        register_deletion_guard(PromotionUnderWay())
        register_version_part(RegistrationPart(), place=10)
        register_inventory_part(ValidatedPart())
        register_inventory_part(FindingsPart())
        for need in NEEDS:
            register_need(need)
        facts = (
            (version_registered, receivers.on_version_registered),
            (evidence_finished, receivers.on_evidence_finished),
            (endpoint_ready, receivers.on_endpoint_ready),
            (dataset_ready, receivers.on_dataset_ready),
            (alias_moved, receivers.on_alias_moved),
            (card_revised, receivers.on_card_revised),
            (threshold_crossed, receivers.on_threshold_crossed),
            (rollout_finished, receivers.on_rollout_finished),
            (receipt_mismatched, receivers.on_receipt_mismatched),
        )
        for signal, receiver in facts:
            signal.connect(receiver, dispatch_uid=f"governance.{receiver.__name__}")
        schedules.register("governance.refresh", every_s=15, func=promotions.refresh_stale)
        schedules.register("governance.registrations", every_s=5, func=registration.keep_moving)
        schedules.register("governance.expire", every_s=60, func=promotions.expire_due)
