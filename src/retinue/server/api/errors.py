"""One place that turns what went wrong into a problem.

The public text helps the caller; what only we may know goes to the log, once, with the request id.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from retinue.problem import CATALOGUE
from retinue.server.api.answers import problem_answer, request_id
from retinue.server.api.guard import NotAllowed
from retinue.server.errors import Refused

_log = logging.getLogger("retinue.api")
_PLACES = ("body", "query", "header", "path")


def install(api: NinjaAPI) -> None:
    """Register the handlers."""
    api.add_exception_handler(Refused, _refused)
    api.add_exception_handler(NotAllowed, _not_allowed)
    api.add_exception_handler(OperationalError, _database)
    api.add_exception_handler(InterfaceError, _database)
    # A server that became read-only, or a transaction that an earlier failure has ended.
    api.add_exception_handler(InternalError, _database)
    api.add_exception_handler(Exception, _internal)


def answer(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return the answer to what went wrong where no operation is at work."""
    if isinstance(error, Refused):
        return _refused(request, error)
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        return _database(request, error)
    return _internal(request, error)


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    if error.code not in CATALOGUE:
        return _internal(request, error)
    field = error.field
    if field is not None and field.partition(".")[0] not in _PLACES:
        field = f"{'query' if request.method == 'GET' else 'body'}.{field}"
    status, title = None, None
    if error.code == "too_large" and field is not None:
        status, title = 400, "A value is too large"
    return problem_answer(
        request,
        error.code,
        status=status,
        title=title,
        detail=error.detail,
        field=field,
        required=error.required,
    )


def _not_allowed(request: HttpRequest, error: Any) -> HttpResponse:
    answer: HttpResponse = error.answer
    return answer


def _database(request: HttpRequest, error: Any) -> HttpResponse:
    # The first line says what is wrong; what a server adds after it may repeat values.
    said = str(error).partition("\n")[0]
    _log.warning("database: %s: %s, request %s", type(error).__name__, said, request_id(request))
    return problem_answer(
        request, "database_unavailable", detail="nothing is changed that is not confirmed; try again"
    )


def _internal(request: HttpRequest, error: Any) -> HttpResponse:
    _log.error("unexpected error, request %s", request_id(request), exc_info=error)
    return problem_answer(request, "internal", detail="it is logged under this request id")
