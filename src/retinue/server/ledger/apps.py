from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "retinue.server.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from retinue.server.ledger import guard

        guard.install()
