"""Peers on Django: ``PEER=knox PEER_FOLDER=F python django_peers.py COUNT`` makes the keys.

djangorestframework-api-key, django-rest-knox, and the introspection of django-oauth-toolkit, each as its
documents say: SQLite in WAL mode, connections kept, debugging off. A good key is answered with whose it is.
"""

from __future__ import annotations

import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from django.utils import timezone

PEER, FOLDER = os.environ["PEER"], Path(os.environ["PEER_FOLDER"])
_APPS = {"drf-api-key": "rest_framework_api_key", "knox": "knox", "oauth-toolkit": "oauth2_provider"}

settings.configure(
    DEBUG=False,
    SECRET_KEY="of a benchmark",  # noqa: S106
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", _APPS[PEER]],
    MIDDLEWARE=[],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDER / "peer.db",
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"},
        }
    },
    USE_TZ=True,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"] if PEER == "knox" else [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None if PEER == "drf-api-key" else "django.contrib.auth.models.AnonymousUser",
    },
    OAUTH2_PROVIDER={"SCOPES": {"read": "Read", "introspection": "Introspect"}},
)
django.setup()

from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


def _drf_api_key() -> list[Any]:
    from rest_framework_api_key.models import APIKey
    from rest_framework_api_key.permissions import HasAPIKey, KeyParser

    class Check(APIView):
        permission_classes = [HasAPIKey]

        def get(self, request: Any) -> Response:
            key = APIKey.objects.get_from_key(KeyParser().get(request))
            return Response({"allowed": True, "name": key.name})

    return [path("check", Check.as_view())]


def _knox() -> list[Any]:
    class Check(APIView):
        permission_classes = [IsAuthenticated]

        def get(self, request: Any) -> Response:
            return Response({"allowed": True, "name": request.user.get_username()})

    return [path("check", Check.as_view())]


def _oauth_toolkit() -> list[Any]:
    return [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


urlpatterns = {"drf-api-key": _drf_api_key, "knox": _knox, "oauth-toolkit": _oauth_toolkit}[PEER]()
application = get_wsgi_application()


def prepare(count: int) -> None:
    """Make the database with so many keys, and write the tokens."""
    from django.contrib.auth.models import User
    from django.db import transaction

    call_command("migrate", verbosity=0)
    tokens = []
    with transaction.atomic():
        if PEER == "drf-api-key":
            from rest_framework_api_key.models import APIKey

            tokens = [APIKey.objects.create_key(name=f"account-{n}")[1] for n in range(count)]
        elif PEER == "knox":
            from knox.models import AuthToken

            people = User.objects.bulk_create(User(username=f"account-{n}") for n in range(count))
            tokens = [AuthToken.objects.create(user=each, expiry=timedelta(days=90))[1] for each in people]
        else:
            tokens = _access_tokens(count)
    (FOLDER / "tokens").write_text("\n".join(tokens))


def _access_tokens(count: int) -> list[str]:
    from oauth2_provider.models import get_access_token_model, get_application_model

    client = get_application_model().objects.create(
        name="bench", client_type="confidential", authorization_grant_type="client-credentials"
    )
    until, model = timezone.now() + timedelta(days=90), get_access_token_model()
    # The resource server asks with a token of its own (RESOURCE_SERVER_AUTH_TOKEN).
    asker = secrets.token_urlsafe(30)
    model.objects.create(token=asker, application=client, expires=until, scope="introspection")
    (FOLDER / "asker").write_text(asker)
    tokens = [secrets.token_urlsafe(30) for _ in range(count)]
    for token in tokens:
        model.objects.create(token=token, application=client, expires=until, scope="read")
    return tokens


if __name__ == "__main__":
    prepare(int(sys.argv[1]))
