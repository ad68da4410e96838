"""Protects a Starlette application: ``guard.install(app)``, ``@guard.requires("report:read")`` on endpoints.

The guard decides before the endpoint runs, and before a body is read. It stands where the application chooses
a route and asks the routes themselves which one it will be; what matches none never reaches an endpoint.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import Host, Match, Mount, Router

from retinue.guard import asgi
from retinue.guard.adapter import ANY, Adapter, Route
from retinue.guard.asgi import App, Receive, Scope, Send
from retinue.guard.core import Admitted, GuardError
from retinue.guard.outcome import Caller, Denied
from retinue.guard.rules import GENUINE, Requirement, marks

__all__ = ["Caller", "Denied", "Guard"]

#: In the scope of a request: what its route requires.
REQUIRED = "retinue.required"


class Guard(Adapter):
    """A guard for Starlette; ``install`` it in each application."""

    def install(self, app: Starlette) -> None:
        """Protect every route of an application, also those that are added later.

        Raises :class:`retinue.guard.GuardError` if its router has middleware of its own: that could lead a
        request elsewhere after it was decided.
        """
        router = app.router
        if router.middleware_stack != router.app:
            raise GuardError("the application's router has middleware: give it to the application")
        router.middleware_stack = _Gate(self, router)

    def decided(self, args: tuple[Any, ...]) -> tuple[Requirement, ...]:
        """Return what was decided about the request that an endpoint is called with."""
        for each in args:
            if isinstance(each, HTTPConnection):
                return tuple(each.scope.get(REQUIRED, ()))
        return ()

    def caller(self, connection: HTTPConnection) -> Caller:
        """Return who makes a request. Raises ``KeyError`` where none was asked for."""
        found: Caller = connection.scope[asgi.CALLER]
        return found

    def routes(self, app: Starlette) -> list[Route]:
        """Return the routes of an application with what they require."""
        return list(self._listed(self.flat(app.router), ""))

    def flat(self, router: Router) -> list[Any]:
        """Return the routes of a router in the order in which they are tried."""
        return list(router.routes)

    def marks(self, route: Any, method: str | None) -> tuple[Requirement, ...]:
        """Return what is noted on the endpoint of a route, and on its method if it is a class."""
        endpoint = getattr(route, "endpoint", None)
        found = marks(endpoint)
        if isinstance(endpoint, type) and method is not None:
            handler = getattr(endpoint, method.lower(), None)
            if handler is None and method == "HEAD":
                handler = getattr(endpoint, "get", None)
            found += marks(handler)
        return found

    def _listed(self, routes: Iterable[Any], before: str) -> Iterator[Route]:
        for route in routes:
            template = before + str(getattr(route, "path_format", ""))
            inside = _inside(route)
            if inside is not None:
                guard = installed(inside) or self
                template = template.removesuffix("/{path}")
                yield from guard._listed(guard.flat(_router(inside)), template)
                continue
            marked = functools.partial(self.marks, route)
            for methods in self._methods(route):
                # What a mount leads to is not known: a rule for all of it ends in an asterisk.
                example = template.removesuffix("{path}") if isinstance(route, Mount) else template
                for each in self.stated(methods, example, marked):
                    yield replace(each, template=template)

    def _methods(self, route: Any) -> list[tuple[str, ...]]:
        """Return the methods of a route; one by one where an endpoint has a function for each."""
        endpoint = getattr(route, "endpoint", None)
        named = sorted((getattr(route, "methods", None) or set()) - {"HEAD"})
        if not named and isinstance(endpoint, type):
            each = ("get", "post", "put", "patch", "delete", "options")
            named = [name.upper() for name in each if hasattr(endpoint, name)]
            return [(name,) for name in named] or [ANY]
        return [tuple(named) or ANY]


class _Found(NamedTuple):
    """The route that a request will take."""

    marks: tuple[Requirement, ...]
    template: str
    parts: dict[str, Any]
    #: Inside is an application with a guard of its own.
    is_guarded: bool = False


class _Gate:
    """Stands before a router: decides about each request by the route that it will take."""

    def __init__(self, guard: Guard, router: Router) -> None:
        self.guard = guard
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._router.app(scope, receive, send)
            return
        found = _find(self.guard, self.guard.flat(self._router), scope)
        if found is not None and found.is_guarded:
            await self._router.app(scope, receive, send)
            return
        request = asgi.request_of(scope)
        app: App = self._router.app
        if found is None:
            required = self.guard.required((), request.method, request.path)
            if required is None:
                # No route: a stranger is not told so, and whoever is known gets the application's own answer.
                required, app = (GENUINE,), app if self._redirects(scope) else _no_route
        else:
            request = replace(request, route=found.template, parts=found.parts)
            required = self.guard.required(found.marks, request.method, request.path)
        scope[REQUIRED] = required or ()

        def decide() -> Admitted | None:
            if required is None:
                self.guard.door.refuse(request)
            return self.guard.door.admit(request, required)

        await asgi.answer(app, self.guard.door, decide, scope, receive, send)

    def _redirects(self, scope: Scope) -> bool:
        """Tell whether the router sends a request to the same path with a slash more or less."""
        path = scope["path"]
        if scope["type"] != "http" or not self._router.redirect_slashes or path == "/":
            return False
        other = {**scope, "path": path.rstrip("/") if path.endswith("/") else path + "/"}
        return _find(self.guard, self.guard.flat(self._router), other) is not None


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
        return
    raise HTTPException(404)


def _find(guard: Guard, routes: Iterable[Any], scope: Scope, before: str = "") -> _Found | None:
    """Return the route that a router will choose: the first that fits, else one that nearly fits."""
    nearly: tuple[Any, Scope] | None = None
    for route in routes:
        match, child = route.matches(scope)
        if match == Match.FULL:
            return _taken(guard, route, {**scope, **child}, before)
        if match == Match.PARTIAL and nearly is None:
            nearly = route, child
    if nearly is None:
        return None
    return _taken(guard, nearly[0], {**scope, **nearly[1]}, before)


def _taken(guard: Guard, route: Any, scope: Scope, before: str) -> _Found | None:
    template = before + str(getattr(route, "path_format", ""))
    inside = _inside(route)
    if inside is None:
        method = scope.get("method")
        return _Found(guard.marks(route, method), template, dict(scope.get("path_params", {})))
    if isinstance(inside, Starlette):
        return _Found((), template, {}, is_guarded=True)
    return _find(guard, guard.flat(inside), scope, template.removesuffix("/{path}"))


def _inside(route: Any) -> Starlette | Router | None:
    """Return the router of a mount, or its application if that has a guard; ``None`` for what is opaque."""
    if not isinstance(route, Mount | Host):
        return None
    app = route.app
    if isinstance(app, Starlette):
        return app if installed(app) is not None else None
    is_plain = isinstance(app, Router) and app.middleware_stack == app.app
    return app if is_plain else None  # type: ignore[return-value]


def _router(inside: Starlette | Router) -> Router:
    return inside.router if isinstance(inside, Starlette) else inside


def installed(app: object) -> Guard | None:
    """Return the guard that protects an application."""
    stack = app.router.middleware_stack if isinstance(app, Starlette) else None
    return stack.guard if isinstance(stack, _Gate) else None
