"""The views of the sample project; they are loaded when it is configured."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views import View

from retinue.guard.django import retinue_public, retinue_required


def _name(request: HttpRequest) -> str:
    name: str = request.caller.name  # type: ignore[attr-defined]
    return name


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


urlpatterns: list[Any] = [
    path("reports", Reports.as_view()),
    path("reports/<int:report_id>", report),
    path("broken", broken),
    path("healthz", health),
    path("uncovered", uncovered),
]
