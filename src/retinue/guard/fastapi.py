"""Protects a FastAPI application; what a route requires stands in its OpenAPI document too.

``Annotated[Caller, guard.requires("report:read")]`` is the caller of a route, and its rule; so is an entry in
``dependencies`` of a route, a router or the application.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI, params, routing
from fastapi.openapi.models import HTTPBearer
from fastapi.requests import HTTPConnection
from fastapi.security.base import SecurityBase
from starlette.routing import Router

from retinue.guard import asgi, starlette
from retinue.guard.adapter import Route
from retinue.guard.core import GuardError
from retinue.guard.openapi import EXTENSION, SCHEME
from retinue.guard.outcome import Caller, Denied
from retinue.guard.rules import Requirement, requirement
from retinue.guard.starlette import REQUIRED

__all__ = ["Caller", "Denied", "Guard"]

#: What the OpenAPI document says of the security scheme.
DESCRIPTION = "A token of a service account or a person."


class Guard(starlette.Guard):
    """A guard for FastAPI; ``install`` it in each application."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: Routers by their identity, with how often their routes have changed.
        self._flat: dict[int, tuple[Router, Any, list[Any]]] = {}
        #: Which document was completed last; the framework keeps it.
        self._described: dict[str, Any] | None = None

    def requires(self, *permissions: str, resource: str | None = None) -> Any:  # a dependency, no decorator
        """Return a dependency: the caller, who has all of these permissions.

        ``resource`` names the part of the path that holds the id of the resource which they are needed on.
        Raises ``RuleError`` for a name that is none.
        """
        return params.Security(_Required(requirement(permissions, resource)), scopes=list(permissions))

    def optional(self) -> Any:
        """Return a dependency: the caller, or ``None`` without a token; a bad one is refused."""
        return params.Security(_Required(Requirement(is_optional=True)))

    def install(self, app: FastAPI) -> None:  # type: ignore[override]
        """Protect every route of an application, also those that are added later.

        Its OpenAPI document says of each operation what it requires, by rules too.
        """
        super().install(app)
        written = app.openapi

        def described() -> dict[str, Any]:
            document = written()
            if document is not self._described:
                _describe(document, self.routes(app))
                self._described = document
            return document

        app.openapi = described  # type: ignore[method-assign]

    def flat(self, router: Router) -> list[Any]:
        """Return the routes of a router and of those that it includes, in the order of trying."""
        contexts = getattr(routing, "iter_route_contexts", None)
        if contexts is None:
            return list(router.routes)
        count = getattr(router, "_get_routes_version", None)
        version = None if count is None else count()
        kept = self._flat.get(id(router))
        if kept is None or version is None or kept[1] != version:
            kept = self._flat[id(router)] = router, version, list(contexts(router.routes))
        return kept[2]

    def marks(self, route: Any, method: str | None) -> tuple[Requirement, ...]:
        """Return what the dependencies of a route require, and what is noted on its endpoint."""
        dependant = getattr(route, "dependant", None)
        required = () if dependant is None else tuple(_required(dependant))
        return (*required, *super().marks(route, method))


class _Required(SecurityBase):
    """A dependency that gives the caller whom the guard has let in."""

    def __init__(self, required: Requirement) -> None:
        self.required = required
        self.model = HTTPBearer(description=DESCRIPTION)
        self.scheme_name = SCHEME

    async def __call__(self, connection: HTTPConnection) -> Caller | None:
        if self.required not in connection.scope.get(REQUIRED, ()):
            raise GuardError("guard.install(app) is missing for this application")
        caller: Caller | None = connection.scope.get(asgi.CALLER)
        return caller


def _describe(document: dict[str, Any], routes: Iterable[Route]) -> None:
    """Write into an OpenAPI document what the routes require."""
    paths = document.get("paths", {})
    for route in routes:
        for method in route.methods:
            operation = paths.get(route.template, {}).get(method.lower())
            if operation is None or route.required is None:
                continue
            if route.access == "public":
                operation["security"] = []
                continue
            # What else the operation asks for is asked for beside the token; each entry is one way in.
            ours = {SCHEME: list(route.permissions)}
            others = [each for each in operation.get("security", ()) if SCHEME not in each]
            optional: list[dict[str, list[str]]] = [{}] if route.access == "optional" else []
            operation["security"] = [{**each, **ours} for each in others or [{}]] + optional
            if route.permissions:
                needed = list(route.permissions)
                operation[EXTENSION] = needed[0] if len(needed) == 1 else needed
            schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes.setdefault(SCHEME, {"type": "http", "description": DESCRIPTION, "scheme": "bearer"})


def _required(dependant: Any) -> Iterator[Requirement]:
    for each in dependant.dependencies:
        if isinstance(each.call, _Required):
            yield each.call.required
        yield from _required(each)
