"""The views of the sample project with Django REST framework; they are loaded when it is configured."""

from __future__ import annotations

from typing import Any

from django.urls import path
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


urlpatterns: list[Any] = [
    path("reports", Reports.as_view()),
    path("reports/<int:report_id>", Report.as_view({"get": "retrieve"})),
    path("broken", Broken.as_view()),
    path("healthz", Health.as_view()),
    path("uncovered", Uncovered.as_view()),
]
