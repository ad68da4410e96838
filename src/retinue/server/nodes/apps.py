from django.apps import AppConfig


class NodesConfig(AppConfig):
    name = "retinue.server.nodes"
    label = "nodes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from retinue.server.nodes import receipts

        receipts.subscribe()
