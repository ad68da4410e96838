"""A Django project, over WSGI and over ASGI."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

import retinue.guard


def make(decides: retinue.guard.Guard) -> Any:
    """Return the protected application."""
    _configure(decides)
    return get_wsgi_application()


def make_asgi(decides: retinue.guard.Guard) -> Any:
    """Return the protected application over ASGI."""
    _configure(decides)
    return get_asgi_application()


def _configure(decides: retinue.guard.Guard) -> None:
    settings.configure(
        ROOT_URLCONF="tests.guard.hosts.django_views",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="sample",
        MIDDLEWARE=["retinue.guard.django.Middleware"],
        RETINUE={"GUARD": decides},
    )
    django.setup()
