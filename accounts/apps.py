from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, workspaces, roles and tokens."""

    name = "accounts"

    def ready(self) -> None:
        import accounts.api.schema
        import accounts.receivers  # noqa: F401
