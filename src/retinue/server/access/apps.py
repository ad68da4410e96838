from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "retinue.server.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from retinue.server.access.setting_up import follow_policy
        from retinue.server.policies import actions

        actions.with_change(follow_policy)
