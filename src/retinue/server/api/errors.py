"""One place that turns what went wrong into a problem."""

from __future__ import annotations

import logging
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import ValidationError

from retinue.problem import CATALOGUE
from retinue.server.api.answers import problem_answer
from retinue.server.api.operations import NotAllowed
from retinue.server.errors import Refused

_log = logging.getLogger("retinue.api")
_WORDS = {
    "missing": ("missing_field", "is required"),
    "extra_forbidden": ("unknown_field", "is not known here"),
    "string_type": ("invalid_value", "must be text"),
    "list_type": ("invalid_value", "must be a list"),
    "dict_type": ("invalid_value", "must be an object"),
    "model_type": ("invalid_value", "must be an object"),
    "model_attributes_type": ("invalid_value", "must be an object"),
    "int_type": ("invalid_value", "must be a whole number"),
    "int_parsing": ("invalid_value", "must be a whole number"),
    "bool_type": ("invalid_value", "must be true or false"),
}


def install(api: NinjaAPI) -> None:
    """Register the handlers."""
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(NotAllowed, _not_allowed)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(OperationalError, _database)
    api.add_exception_handler(InterfaceError, _database)
    api.add_exception_handler(IntegrityError, _conflict)
    api.add_exception_handler(Exception, _internal)


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    code = error.code if error.code in CATALOGUE else "internal"
    return problem_answer(request, code, detail=error.detail, field=error.field, required=error.required)


def _not_allowed(request: HttpRequest, error: Any) -> HttpResponse:
    answer: HttpResponse = error.answer
    return answer


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """The first thing that is wrong, with the field and the rule; never the value."""
    first = error.errors[0]
    where, *path = (str(part) for part in first["loc"])
    if where in ("body", "query") and path:
        path = path[1:] if where == "body" else path[-1:]
    field = ".".join(path) if where == "body" else ".".join([where, *path])
    code, words = _WORDS.get(first["type"], ("invalid_value", first["msg"]))
    return problem_answer(request, code, detail=words, field=field[:200] or "body")


def _database(request: HttpRequest, error: Any) -> HttpResponse:
    _log.warning("database: %s, request %s", type(error).__name__, getattr(request, "retinue_id", ""))
    return problem_answer(
        request, "database_unavailable", detail="nothing was changed that is not confirmed; try again"
    )


def _conflict(request: HttpRequest, error: Any) -> HttpResponse:
    """Two callers at once took the same name: the constraint decided, and this one lost."""
    _log.info("conflict: request %s", getattr(request, "retinue_id", ""))
    return problem_answer(
        request, "duplicate_name", detail="another change took this name at the same moment"
    )


def _internal(request: HttpRequest, error: Any) -> HttpResponse:
    _log.exception("unexpected error, request %s", getattr(request, "retinue_id", ""), exc_info=error)
    return problem_answer(request, "internal", detail="it is logged under this request id")
