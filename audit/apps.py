from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        """Every process looks at its own database role once."""
        from django.db.backends.signals import connection_created

        from audit.checks import insist_limited_role

        connection_created.connect(insist_limited_role, dispatch_uid="audit.insist_limited_role")
