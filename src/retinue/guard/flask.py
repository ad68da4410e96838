"""Protects a Flask application: ``guard = Guard(app)``, and ``@guard.requires("report:read")`` on views."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, NamedTuple

import flask
from flask import Flask, Response
from werkzeug.local import LocalProxy

from retinue.guard import wsgi
from retinue.guard.adapter import Adapter, Route
from retinue.guard.deciding import Log
from retinue.guard.outcome import Caller, Denied
from retinue.guard.rules import GENUINE, Requirement, marks

__all__ = ["Caller", "Denied", "Guard", "caller"]

_PLACE = "_retinue"
#: Under this name an application keeps its guard among its extensions.
EXTENSION = "retinue"


class _Visit(NamedTuple):
    """A request that was let in."""

    required: tuple[Requirement, ...]
    caller: Caller | None
    log: Log | None


class Guard(Adapter):
    """A guard for Flask. With ``app`` it is installed there."""

    def __init__(self, app: Flask | None = None, organization: str | None = None, **options: Any) -> None:
        super().__init__(organization, **options)
        if app is not None:
            self.install(app)

    def install(self, app: Flask) -> None:
        """Protect every view of an application, also later ones, before anything else runs."""
        app.extensions[EXTENSION] = self
        app.before_request_funcs.setdefault(None, []).insert(0, self._before)
        app.after_request_funcs.setdefault(None, []).insert(0, self._after)
        app.teardown_request_funcs.setdefault(None, []).insert(0, self._teardown)

    def decided(self, args: tuple[Any, ...]) -> tuple[Requirement, ...]:
        """Return what was decided about this request."""
        visit = _visit()
        return () if visit is None else visit.required

    def routes(self, app: Flask) -> list[Route]:
        """Return the routes of an application with what they require."""
        found: list[Route] = []
        for rule in app.url_map.iter_rules():
            view = app.view_functions.get(rule.endpoint)
            methods = sorted(
                (rule.methods or set()) - {"HEAD"} - ({"OPTIONS"} if _answers_options(rule) else set())
            )
            marked = functools.partial(_marks, view)
            for group in [(each,) for each in methods] if hasattr(view, "view_class") else [tuple(methods)]:
                found += self.stated(group, rule.rule, marked)
        return found

    def _before(self) -> Response | None:
        request, rule = flask.request, flask.request.url_rule
        flask.g.pop(_PLACE, None)  # tests may keep one context for several requests
        asked = wsgi.request_of(request.environ)
        if rule is None:
            # Flask answers by itself that there is none; a stranger is not told so.
            required = self.required((), asked.method, asked.path) or (GENUINE,)
        elif _is_preflight(rule):
            return None
        else:
            view = flask.current_app.view_functions.get(rule.endpoint)
            asked = replace(asked, route=rule.rule, parts=request.view_args or {})
            found = self.required(_marks(view, asked.method), asked.method, asked.path)
            required = () if found is None else found
        try:
            if not required:
                self.door.refuse(asked)
            admitted = self.door.admit(asked, required)
        except Denied as denied:
            return _answer(denied)
        known = None if admitted is None else admitted.caller
        setattr(flask.g, _PLACE, _Visit(required, known, None if admitted is None else admitted.finish))
        return None

    def _after(self, response: Response) -> Response:
        visit = _visit()
        if visit is not None and visit.caller is not None:
            response.headers.extend(visit.caller.headers)
            _finish(visit, response.status_code)
        return response

    def _teardown(self, error: BaseException | None) -> None:
        visit = _visit()
        if visit is not None:
            _finish(visit, None if error is None else 500)


def installed(app: Flask) -> Guard | None:
    """Return the guard that protects an application."""
    found = app.extensions.get(EXTENSION)
    return found if isinstance(found, Guard) else None


def _finish(visit: _Visit, status: int | None) -> None:
    """Log it, once."""
    if visit.log is not None:
        setattr(flask.g, _PLACE, visit._replace(log=None))
        visit.log(status)


def _visit() -> _Visit | None:
    found: _Visit | None = flask.g.get(_PLACE)
    return found


def _caller() -> Caller:
    visit = _visit()
    if visit is None or visit.caller is None:
        raise RuntimeError("nobody was asked for in this request")
    return visit.caller


#: Who makes the present request.
caller: Caller = LocalProxy(_caller)  # type: ignore[assignment]


def _marks(view: Any, method: str) -> tuple[Requirement, ...]:
    """Return what is noted on a view, and on its function for a method if it is a class."""
    handler = getattr(getattr(view, "view_class", None), method.lower(), None)
    if handler is None and method == "HEAD":
        handler = getattr(getattr(view, "view_class", None), "get", None)
    return (*marks(view), *marks(handler))


def _answers_options(rule: Any) -> bool:
    return bool(getattr(rule, "provide_automatic_options", False))


def _is_preflight(rule: Any) -> bool:
    """Tell whether a browser asks what Flask answers by itself, without a view; it can bring no token."""
    asks = "Access-Control-Request-Method" in flask.request.headers
    return flask.request.method == "OPTIONS" and asks and _answers_options(rule)


def _answer(denied: Denied) -> Response:
    fields = dict(denied.headers)
    return Response(denied.body, denied.status, fields, content_type=fields.pop("Content-Type"))
