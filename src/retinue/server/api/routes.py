"""Builds the API from the table of operations: routes, guards, and the OpenAPI document."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.parser import Parser

from retinue import __version__
from retinue.server.api import accounts, errors, keys, nodes, observe, people, strict_json  # noqa: F401
from retinue.server.api.answers import json_answer, problem_answer
from retinue.server.api.operations import OPERATIONS, Access, Operation, guard
from retinue.server.api.schemas import ProblemBody
from retinue.server.errors import Refused
from retinue.server.access.catalogue import MANAGEMENT

_PROBLEMS = (400, 401, 403, 404, 405, 409, 410, 413, 414, 415, 422, 429, 431, 500, 503)


class UndeclaredOperation(Exception):
    """An operation states no permission, or one that does not exist. The control plane does not start."""


class StrictParser(Parser):
    """Reads bodies with :mod:`retinue.server.api.strict_json`."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.body and (request.content_type or "").lower() != "application/json":
            raise Refused("unsupported_media_type", "application/json")
        return strict_json.loads(request.body)


def build() -> NinjaAPI:
    """Return the API. Raises :class:`UndeclaredOperation`."""
    api = NinjaAPI(
        title="Retinue",
        version=__version__,
        description="Service accounts, their keys and permissions.",
        openapi_url=None,
        docs_url=None,
        parser=StrictParser(),
        urls_namespace="api",
    )
    errors.install(api)
    for each in OPERATIONS:
        _check(each)
        api.default_router.add_api_operation(
            each.path,
            [each.method],
            each.view,
            auth=guard(each.permission, each.own),
            response={each.status: each.response, **dict.fromkeys(_PROBLEMS, ProblemBody)},
            operation_id=each.name,
            summary=each.summary,
            tags=[each.tag],
            openapi_extra=_extra(each),
        )
    return api


def _check(each: Operation) -> None:
    if not isinstance(each.permission, Access) and each.permission not in MANAGEMENT:
        raise UndeclaredOperation(f"{each.name}: {each.permission!r} is no management permission")


def _extra(each: Operation) -> dict[str, Any]:
    name = each.permission.value if isinstance(each.permission, Access) else each.permission
    extra: dict[str, Any] = {"x-retinue-permission": name}
    extra["security"] = [] if each.permission is Access.PUBLIC else [{"bearer": []}]
    return extra


API = build()
_METHODS: dict[str, set[str]] = {}


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    made: dict[str, Any] = dict(API.get_openapi_schema(path_prefix="/v1"))
    made["openapi"] = "3.1.0"
    made.setdefault("components", {})["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key or a personal access token.",
        }
    }
    for path in made["paths"].values():
        for each in path.values():
            _mend(each)
    return made


def _mend(described: dict[str, Any]) -> None:
    """Problems have a media type of their own, and changes take an idempotency key."""
    for status, answer in described["responses"].items():
        if int(status) >= 400:
            answer["content"] = {"application/problem+json": next(iter(answer["content"].values()))}
            answer["description"] = "A problem (RFC 9457)"


def openapi(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI document."""
    if request.method not in ("GET", "HEAD"):
        return _wrong_method(request, "GET")
    return json_answer(document())


def healthz(request: HttpRequest) -> HttpResponse:
    """Tell that the process answers."""
    return json_answer({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Tell whether the database answers and has the schema of this version."""
    from django.db import DatabaseError

    from retinue.server import schema

    try:
        ready = schema.is_current() and nodes.head()[0] > 0
    except DatabaseError:
        ready = False
    if not ready:
        return problem_answer(request, "database_unavailable")
    return json_answer({"status": "ok"})


@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer an address that no operation has."""
    return problem_answer(request, "not_found", detail="no operation has this address")


def _wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    answer = problem_answer(request, "method_not_allowed_here", detail=f"allowed: {allowed}")
    answer["Allow"] = allowed
    return answer
