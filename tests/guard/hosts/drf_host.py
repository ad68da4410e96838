"""A project with Django REST framework."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

import retinue.guard


def make(decides: retinue.guard.Guard) -> Any:
    """Return the protected application."""
    settings.configure(
        ROOT_URLCONF="tests.guard.hosts.drf_views",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="sample",
        MIDDLEWARE=["retinue.guard.django.Middleware"],
        RETINUE={"GUARD": decides},
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["retinue.guard.drf.TokenAuthentication"],
            "EXCEPTION_HANDLER": "retinue.guard.drf.exception_handler",
            "UNAUTHENTICATED_USER": None,
        },
    )
    django.setup()
    return get_wsgi_application()
