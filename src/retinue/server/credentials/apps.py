from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    name = "retinue.server.credentials"
    label = "credentials"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from retinue.server.credentials import prefix
        from retinue.server.credentials.following import follow_roles
        from retinue.server.ledger.transaction import on_closing

        on_closing(follow_roles)
        prefix.subscribe()
