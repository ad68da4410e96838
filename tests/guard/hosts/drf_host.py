"""A project with Django REST framework."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path

import retinue.guard

urlpatterns: list[Any] = []


def make(decides: retinue.guard.Guard) -> Any:
    """Return the protected application."""
    settings.configure(
        ROOT_URLCONF=__name__,
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
    urlpatterns[:] = _patterns()
    return get_wsgi_application()


def _patterns() -> list[Any]:
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework.viewsets import ViewSet

    from retinue.guard.drf import Public, Requires

    def called(request: Request) -> dict[str, Any]:
        caller: Any = request.auth
        return {"hello": caller.name}

    class Reports(APIView):
        def get_permissions(self) -> list[Any]:
            assert self.request is not None
            return [Requires("report:write" if self.request.method == "POST" else "report:read")]

        def get(self, request: Request) -> Response:
            return Response(called(request))

        def post(self, request: Request) -> Response:
            return Response(called(request), 201)

    class Report(ViewSet):
        permission_classes = [Requires("report:read", resource="report_id")]  # type: ignore[list-item]

        def retrieve(self, request: Request, report_id: int) -> Response:
            return Response({"hello": str(request.user)})

    class Broken(APIView):
        permission_classes = [Requires("report:read")]  # type: ignore[list-item]

        def get(self, request: Request) -> Response:
            raise ZeroDivisionError

    class Health(APIView):
        permission_classes = [Public]

        def get(self, request: Request) -> Response:
            return Response({"hello": None})

    class Uncovered(APIView):
        def get(self, request: Request) -> Response:
            return Response({"hello": "anybody"})

        post = get

    return [
        path("reports", Reports.as_view()),
        path("reports/<int:report_id>", Report.as_view({"get": "retrieve"})),
        path("broken", Broken.as_view()),
        path("healthz", Health.as_view()),
        path("uncovered", Uncovered.as_view()),
    ]
