"""Protects a Django project: ``MIDDLEWARE += ["retinue.guard.django.Middleware"]``.

Settings stand in ``RETINUE``, a dictionary: ``ORGANIZATION``, ``REPLICA``, ``NODE_URL``, ``RULES``,
``PUBLIC``, ``TRUSTED_PROXIES`` as the arguments of :class:`Guard`; ``GUARD``: a guard that decides for it.
Views say what they require by ``@retinue_required("report:read")``; ``request.caller`` is who calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern
from django.utils.module_loading import import_string

from retinue.guard import asgi, wsgi
from retinue.guard.adapter import ANY, Adapter, Route, View, protecting
from retinue.guard.admission import Request
from retinue.guard.deciding import Log
from retinue.guard.outcome import Caller, Denied
from retinue.guard.rules import GENUINE, PUBLIC, Requirement, mark, marks, requirement

__all__ = [
    "Caller",
    "Denied",
    "Middleware",
    "guard",
    "retinue_optional",
    "retinue_public",
    "retinue_required",
]

_SETTINGS = {
    "ORGANIZATION": "organization",
    "REPLICA": "replica",
    "NODE_URL": "node_url",
    "RULES": "rules",
    "PUBLIC": "public",
    "TRUSTED_PROXIES": "trusted_proxies",
    "GUARD": "guard",
}
_PLACE = "_retinue"


class Visit(NamedTuple):
    """A request that was let in."""

    required: tuple[Requirement, ...]
    caller: Caller | None
    log: Log | None


class Guard(Adapter):
    """A guard for the views of a Django project."""

    def decided(self, args: tuple[Any, ...]) -> tuple[Requirement, ...]:
        """Return what was decided about the request that a view is called with."""
        return decided(args)

    def visit(self, request: HttpRequest, required: tuple[Requirement, ...] | None, route: str) -> Visit:
        """Let a request in to a route that requires this (``None``: no rule). Raises ``Denied``."""
        match = request.resolver_match
        asked = replace(request_of(request), route=route or None, parts={} if match is None else match.kwargs)
        if required is None:
            self.door.refuse(asked)
        admitted = self.door.admit(asked, required)
        if admitted is None:
            return Visit(required, None, None)
        return Visit(required, admitted.caller, admitted.finish)

    def routes(self, app: object = None) -> list[Route]:
        """Return the routes of the project with what they require."""
        return [route for _, found in self.views() for route in found]

    def views(self) -> Iterator[tuple[Any, list[Route]]]:
        """Yield each view of the project with its routes."""
        yield from self._listed(get_resolver().url_patterns, "/")

    def _listed(self, patterns: list[Any], before: str) -> Iterator[tuple[Any, list[Route]]]:
        for each in patterns:
            template = before + _template(each.pattern)
            if isinstance(each, URLResolver):
                yield from self._listed(each.url_patterns, template)
            elif isinstance(each, URLPattern):
                marked = partial(_imagined, each.callback, template)
                stated = [self.stated(methods, template, marked) for methods in _methods(each.callback)]
                yield each.callback, [route for found in stated for route in found]


@cache
def guard() -> Guard:
    """Return the guard of this process. Raises ``ImproperlyConfigured`` for a setting that is none."""
    stated = dict(getattr(settings, "RETINUE", None) or {})
    unknown = sorted(set(stated) - set(_SETTINGS))
    if unknown:
        raise ImproperlyConfigured(f"RETINUE: unknown: {', '.join(unknown)}")
    return Guard(**{_SETTINGS[name]: value for name, value in stated.items()})


def is_installed() -> bool:
    """Tell whether the middleware is one of the project's."""
    found = [import_string(each) for each in settings.MIDDLEWARE]
    return any(isinstance(each, type) and issubclass(each, Middleware) for each in found)


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "RETINUE":
        guard.cache_clear()


setting_changed.connect(_forget)


def visit_of(request: Any) -> Visit | None:
    """Return how a request was let in; ``None`` if it was not."""
    found: Visit | None = getattr(getattr(request, "_request", request), _PLACE, None)
    return found


def decided(args: tuple[Any, ...]) -> tuple[Requirement, ...]:
    """Return what was decided about the request that a view is called with."""
    for each in args:
        visit = visit_of(each)
        if visit is not None:
            return visit.required
    return ()


def retinue_required(*permissions: str, resource: str | None = None) -> Callable[[View], View]:
    """Return a decorator: the view requires all of these permissions.

    ``resource`` names the part of the path that holds the id of the resource which they are needed on. Raises
    ``RuleError`` for a name that is none.
    """
    return protecting(requirement(permissions, resource), decided)


def retinue_optional(view: View) -> View:
    """Decorate a view that may be used without a token; one that is presented has to be good."""
    return protecting(Requirement(is_optional=True), decided)(view)


def retinue_public(view: View) -> View:
    """Decorate a view that needs no token."""
    mark(view, PUBLIC)
    return view


class Middleware:
    """Decides before a view runs; a view of which nothing says what it requires is refused. Put it first."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
            self.process_view = self._process_view  # type: ignore[method-assign, assignment]
        guard()  # a setting that is wrong is told when the process starts

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a request."""
        request.caller = None  # type: ignore[attr-defined]
        if self._is_async:
            return self._answer(request)
        response: HttpResponseBase = self._get_response(request)
        return _finished(request, response)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self._get_response(request)
        if guard().is_remote:
            return await asyncio.to_thread(_finished, request, response)
        return _finished(request, response)

    async def _process_view(
        self, request: HttpRequest, view: Any, args: Any, named: Any
    ) -> HttpResponseBase | None:
        """Decide in the event loop; what a node decides is waited for in a thread."""
        if guard().is_remote:
            return await asyncio.to_thread(Middleware.process_view, self, request, view, args, named)
        return Middleware.process_view(self, request, view, args, named)

    def process_view(self, request: HttpRequest, view: Any, args: Any, named: Any) -> HttpResponseBase | None:
        """Decide about a request whose view is known."""
        here = guard()
        asked = request_of(request)
        required = here.required(required_by(view, asked.method, request), asked.method, asked.path)
        route = request.resolver_match.route if request.resolver_match is not None else ""
        return _decide(request, required, f"/{route}")


def _decide(
    request: HttpRequest, required: tuple[Requirement, ...] | None, route: str
) -> HttpResponseBase | None:
    try:
        visit = guard().visit(request, required, route)
    except Denied as denied:
        return answer(denied)
    setattr(request, _PLACE, visit)
    request.caller = visit.caller  # type: ignore[attr-defined]
    return None


def _finished(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Tell the caller what to know, and log the status. That there is no route is said to nobody unknown."""
    visit = visit_of(request)
    if visit is None and request.resolver_match is None and response.status_code == 404:
        asked = request_of(request)
        refused = _decide(request, guard().required((), asked.method, asked.path) or (GENUINE,), "")
        if refused is not None:
            return refused
        visit = visit_of(request)
    if visit is None or visit.caller is None:
        return response
    for name, value in visit.caller.headers.items():
        response[name] = value
    if visit.log is not None:
        visit.log(response.status_code)
    return response


def answer(denied: Denied) -> HttpResponse:
    """Return the answer that tells a denial."""
    fields = dict(denied.headers)
    response = HttpResponse(denied.body, status=denied.status, content_type=fields.pop("Content-Type"))
    for name, value in fields.items():
        response[name] = value
    return response


def request_of(request: HttpRequest) -> Request:
    """Return what a request says. Over ASGI a mount counts only if the settings name it: callers may have."""
    scope = getattr(request, "scope", None)
    if scope is None:
        return wsgi.request_of(request.META)
    asked, mount = asgi.request_of(scope), scope.get("root_path")
    return asked if settings.FORCE_SCRIPT_NAME or not mount else replace(asked, path=request.path_info or "/")


def required_by(view: Any, method: str, request: HttpRequest | None = None) -> tuple[Requirement, ...]:
    """Return what is noted on a view and on its function for a method, and by its permission classes."""
    owner = getattr(view, "view_class", None) or getattr(view, "cls", None)
    found = marks(view)
    if owner is None:
        return found
    name = (getattr(view, "actions", None) or {}).get(method.lower(), method.lower())
    handler = getattr(owner, name, None)
    if handler is None and method == "HEAD":
        handler = getattr(owner, "get", None)
    found += marks(handler)
    if hasattr(owner, "get_permissions"):
        from retinue.guard import drf

        found += drf.required_by(view, method, request)
    return found


def _imagined(view: Any, template: str, method: str) -> tuple[Requirement, ...]:
    """Return what a view requires of a request by a method: permission classes may look at the request."""
    request = HttpRequest()
    request.method, request.path, request.path_info = method, template, template
    return required_by(view, method, request)


def _methods(view: Any) -> list[tuple[str, ...]]:
    """Return the methods of a view, one by one where it has a function for each."""
    actions = getattr(view, "actions", None)
    if actions:
        return [(name.upper(),) for name in sorted(actions)]
    owner = getattr(view, "view_class", None) or getattr(view, "cls", None)
    names = [
        name
        for name in getattr(owner, "http_method_names", ())
        if hasattr(owner, name) and name not in ("options", "head")
    ]
    return [(name.upper(),) for name in names] or [ANY]


def _template(pattern: Any) -> str:
    """Return a part of a path as a person would write it, also where it is a regular expression."""
    text = str(pattern)
    if isinstance(pattern, RoutePattern) or not any(each in text for each in "^$(?\\"):
        return text
    from django.contrib.admindocs.views import simplify_regex

    simple: str = simplify_regex(text)
    return simple.removeprefix("/")
