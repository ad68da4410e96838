"""Protects views of Django REST framework, beside :class:`retinue.guard.django.Middleware`.

``DEFAULT_AUTHENTICATION_CLASSES: ["retinue.guard.drf.TokenAuthentication"]`` and ``EXCEPTION_HANDLER:
"retinue.guard.drf.exception_handler"``; views have ``permission_classes = [Requires("report:read")]``. The
caller is ``request.auth``. Without the middleware it is the authentication that decides: a view that has
another one is not protected then, and the log has no status.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import permissions, views
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission, OperationHolderMixin
from rest_framework.request import Request

from retinue.guard import django
from retinue.guard.adapter import Route
from retinue.guard.core import GuardError
from retinue.guard.outcome import Caller, Denied
from retinue.guard.rules import PUBLIC, Requirement, requirement

__all__ = ["Caller", "Denied", "Public", "Requires", "TokenAuthentication", "exception_handler"]


@dataclass(frozen=True, slots=True)
class Account:
    """``request.user``: the account of a caller."""

    caller: Caller
    is_authenticated = True
    is_anonymous = False
    is_active = True

    @property
    def pk(self) -> str:
        """The id of the account."""
        return self.caller.id

    @property
    def username(self) -> str:
        """The name of the account."""
        return self.caller.name

    def __str__(self) -> str:
        return self.caller.name


class Refused(APIException):
    """A denial, for Django REST framework; :func:`exception_handler` answers it in full."""

    def __init__(self, denied: Denied) -> None:
        super().__init__(denied.problem().title, denied.reason)
        self.denied = denied
        self.status_code = denied.status
        self.auth_header = denied.www_authenticate


class Requires(OperationHolderMixin, BasePermission):
    """A permission class: all of these permissions are required.

    ``resource`` names the part of the path that holds the id of the resource which they are needed on. Of
    ``Requires(a) | Requires(b)``, and of ``Requires.any_of(a, b)``, one is enough.
    """

    def __init__(self, *names: str, resource: str | None = None) -> None:
        """Raises ``RuleError`` for a name that is none."""
        self.required = requirement(names, resource)

    @classmethod
    def any_of(cls, *names: str, resource: str | None = None) -> Requires:
        """Return a permission class: one of these permissions is required."""
        made = cls(*names, resource=resource)
        made.required = requirement(names, resource, is_any=True)
        return made

    def __call__(self) -> Requires:
        """Return itself: Django REST framework makes an object of each permission class."""
        return self

    def has_permission(self, request: Request, view: views.APIView) -> bool:
        """Tell whether it was decided that the caller may."""
        visit = django.visit_of(request)
        if visit is None:
            raise GuardError("neither the middleware nor TokenAuthentication of Retinue is there")
        if self.required in visit.required:
            return True
        caller, need = visit.caller, self.required.need
        return caller is not None and any(
            each.is_any and set(need) <= set(each.need) and caller.permission in need
            for each in visit.required
        )


class Public(BasePermission):
    """A permission class: no token is needed."""


class TokenAuthentication(BaseAuthentication):
    """Authenticates by the token of a service account or a person: ``request.user``, and ``request.auth``."""

    def authenticate(self, request: Request) -> tuple[Account, Caller] | None:
        """Return who calls; ``None`` where nobody has to. Raises :class:`Refused`."""
        visit = django.visit_of(request)
        if visit is None:
            view = request.parser_context["view"]
            required = _of_permissions(view.get_permissions())
            match = request._request.resolver_match
            try:
                visit = django.guard().visit(
                    request._request, required or None, f"/{match.route}" if match else ""
                )
            except Denied as denied:
                raise Refused(denied) from None
            request._request._retinue = visit._replace(log=None)  # type: ignore[attr-defined]
            if visit.log is not None and visit.caller is not None:
                visit.log(None)
                view.headers.update(visit.caller.headers)
        return None if visit.caller is None else (Account(visit.caller), visit.caller)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of an answer 401."""
        return 'Bearer realm="retinue"'


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """Answer a denial as everywhere, and other errors as Django REST framework does."""
    if isinstance(error, Refused):
        return django.answer(error.denied)
    if isinstance(error, Denied):
        return django.answer(error)
    return views.exception_handler(error, context)


def required_by(view: Any, method: str, request: HttpRequest | None) -> tuple[Requirement, ...]:
    """Return what the permission classes of a view require, as the view itself says for this method."""
    made = view.cls(**getattr(view, "initkwargs", {}))
    actions = getattr(view, "actions", None) or {}
    made.request, made.args, made.kwargs, made.action_map = request, (), {}, actions
    if actions:
        made.action = actions.get(method.lower())
    return _of_permissions(made.get_permissions())


def routes(guard: django.Guard) -> Iterator[Route]:
    """Yield the routes of a project without the middleware: views decide there by their authentication."""
    for view, listed in guard.views():
        for each in listed:
            if _authenticates(view):
                asked = HttpRequest()
                asked.method = each.methods[0]
                yield replace(each, required=required_by(view, each.methods[0], asked) or None)
            else:
                yield replace(each, is_guarded=False)


def _authenticates(view: Any) -> bool:
    """Tell whether the first that authenticates for a view is ours: another may let in before it."""
    owner = getattr(view, "cls", None)
    if owner is None or not hasattr(owner, "get_authenticators"):
        return False
    made = owner(**getattr(view, "initkwargs", {}))
    made.request, made.action_map = None, getattr(view, "actions", None) or {}
    return any(isinstance(each, TokenAuthentication) for each in made.get_authenticators()[:1])


def _of_permissions(held: Any) -> tuple[Requirement, ...]:
    return tuple(each for permission in held for each in _read(permission))


def _read(permission: Any) -> tuple[Requirement, ...]:
    """Return what a permission class requires; nothing for one that says nothing of Retinue's permissions."""
    if isinstance(permission, Requires):
        return (permission.required,)
    if isinstance(permission, Public):
        return (PUBLIC,)
    if isinstance(permission, permissions.AND):
        return tuple(found for side in _sides(permission) for found in side)
    if isinstance(permission, permissions.OR):
        sides = _sides(permission)
        if all(len(side) == 1 and (len(side[0].need) == 1 or side[0].is_any) for side in sides):
            (one,), (other,) = sides
            if one.resource == other.resource:
                return (Requirement((*one.need, *other.need), one.resource, is_any=True),)
    return ()


def _sides(permission: Any) -> list[tuple[Requirement, ...]]:
    return [_read(permission.op1), _read(permission.op2)]
