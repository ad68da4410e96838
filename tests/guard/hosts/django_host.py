"""A Django project, over WSGI and over ASGI."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views import View

import retinue.guard

urlpatterns: list[Any] = []


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
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="sample",
        MIDDLEWARE=["retinue.guard.django.Middleware"],
        RETINUE={"GUARD": decides},
    )
    django.setup()
    from retinue.guard.django import retinue_public, retinue_required

    class Reports(View):
        @retinue_required("report:read")
        def get(self, request: HttpRequest) -> JsonResponse:
            return JsonResponse({"hello": _name(request)})

        @retinue_required("report:write")
        def post(self, request: HttpRequest) -> JsonResponse:
            return JsonResponse({"hello": _name(request)}, status=201)

    @retinue_required("report:read", resource="report_id")
    async def report(request: HttpRequest, report_id: int) -> JsonResponse:
        return JsonResponse({"hello": _name(request)})

    @retinue_required("report:read")
    def broken(request: HttpRequest) -> JsonResponse:
        raise ZeroDivisionError

    @retinue_public
    def health(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"hello": None})

    def uncovered(request: HttpRequest) -> JsonResponse:
        return JsonResponse({"hello": "anybody"})

    urlpatterns[:] = [
        path("reports", Reports.as_view()),
        path("reports/<int:report_id>", report),
        path("broken", broken),
        path("healthz", health),
        path("uncovered", uncovered),
    ]


def _name(request: HttpRequest) -> str:
    name: str = request.caller.name  # type: ignore[attr-defined]
    return name
