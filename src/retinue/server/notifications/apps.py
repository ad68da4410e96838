"""The app of notifications."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "retinue.server.notifications"
    label = "notifications"
