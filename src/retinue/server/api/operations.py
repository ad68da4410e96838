"""The table of operations.

An operation states method, path, permission, what it takes and what it answers, on one line above its
handler. Routes, guard and OpenAPI document derive from it; one that states no permission does not start.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Schema

from retinue.server.access.catalogue import MANAGEMENT
from retinue.server.api import changes, confirming, counting, decided, guard, limits, reading, trying
from retinue.server.api.answers import json_answer
from retinue.server.api.call import Call
from retinue.server.api.guard import Access
from retinue.server.api.schemas import Reasoned
from retinue.server.errors import Refused
from retinue.server.policies import remembering

Handler = Callable[..., Any]
#: Gets a call and the ids in its address; returns who may do it without a permission, being its owner.
OwnerOf = Callable[..., str | None]


class UndeclaredOperation(Exception):
    """An operation states no permission, or one that does not exist. The control plane does not start."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the table. ``needs`` are all needed; ``also`` says which field of the body needs more."""

    name: str
    method: str
    path: str
    needs: tuple[str, ...] | Access
    status: int
    tag: str
    summary: str
    answer: Any
    query: Any
    body: Any
    changes: bool
    handler: Handler
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Who may do it without a permission, because the object is its own.
    or_own: OwnerOf | None = None
    #: It can take access away: then its answer carries a receipt.
    reduces: bool = False

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters in the path."""
        return re.findall(r"{(\w+)}", self.path)

    def authenticate(self, request: HttpRequest) -> bool:
        """Decide who calls, from headers alone; ninja calls it before anything else."""
        # What the decision has read of catalogue, policy and rules is not read again. A body may be long on
        # its way: then, and for a change, everything is.
        is_short = not self.changes and self.body is None and self.needs is not Access.NODE
        memory: remembering.Memory | None = {} if is_short else None
        with remembering.reads(is_short, memory):
            call = guard.admit(
                request, self.name, self.needs, undecided=self.or_own is not None, changes=self.changes
            )
        call.memory = memory
        request.retinue_call = call  # type: ignore[attr-defined]
        return True

    def run(self, request: HttpRequest, arguments: dict[str, str]) -> HttpResponse:
        """Read what was sent, call the handler, and answer."""
        call: Call = request.retinue_call  # type: ignore[attr-defined]
        with decided.logged(call), limits.in_flight(call, self.needs):
            guard.check_organization(call, self.needs)
            query = reading.query(request, self.query)
            answer = self.perform(call, arguments, query, reading.body(call, self.body))
            return counting.tell(answer, call.quota)

    def perform(self, call: Call, arguments: dict[str, str], query: Any, body: Any) -> HttpResponse:
        """Call the handler with what was read, and answer. Raises :class:`Refused` and ``NotAllowed``."""
        given: dict[str, Any] = dict(arguments)
        given |= {} if query is None else {"query": query}
        given |= {} if body is None else {"body": body}

        def decide() -> None:
            if self.changes and not confirming.stands(call):
                confirming.confirm(call)
                self.check_needs(call)
            self._check_also(call, body)
            self._check_own(call, arguments)

        def handle() -> Any:
            return self._rendered(self.handler(call, **given))

        if not self.changes:
            trying.is_wanted(call.request, self.name)
            # What nodes call waits now and then: what it reads must be what stands then.
            with remembering.reads(self.needs is not Access.NODE, call.memory):
                decide()
                return json_answer(handle(), self.status)
        call.reason = "".join(each.why for each in (query, body) if isinstance(each, Reasoned))
        sent = {} if body is None else msgspec.to_builtins(_plain(body))
        objects = " ".join(arguments.values())
        asked = changes.Asked(self.name, sent, self.status, objects, self.reduces)
        return changes.run(call, asked, decide, handle)

    def check_needs(self, call: Call) -> None:
        """Refuse who may not use it; over HTTP once more, since a grant may have ended meanwhile."""
        if self.or_own is None and isinstance(self.needs, tuple):
            call.need(*self.needs)

    def _check_also(self, call: Call, body: Any) -> None:
        for name, permissions in self.also.items():
            stated = self.method == "PATCH" and name in body.model_fields_set
            if stated or getattr(body, name):
                call.need(*permissions)

    def _check_own(self, call: Call, arguments: dict[str, str]) -> None:
        if self.or_own is None or self.or_own(call, **arguments) == call.actor.id:
            return
        if isinstance(self.needs, tuple):
            call.need(*self.needs)

    def _rendered(self, result: Any) -> Any:
        """Return the answer's body; what a model of the answer does not know never leaves."""
        if isinstance(self.answer, type) and issubclass(self.answer, Schema):
            return self.answer.model_validate(result).model_dump(mode="json")
        return result


def _plain(body: Any) -> Any:
    return body.model_dump(mode="json", exclude_unset=True) if isinstance(body, Schema) else body


OPERATIONS: list[Operation] = []


def operation(
    method: str,
    path: str,
    *,
    permission: str | tuple[str, ...] | Access,
    response: Any,
    status: int = 200,
    tag: str,
    changes: bool | None = None,
    also: Mapping[str, tuple[str, ...]] | None = None,
    or_own: OwnerOf | None = None,
    reduces: bool = False,
) -> Callable[[Handler], Handler]:
    """Put a handler into the table.

    Its first parameter is the :class:`Call`; ``query`` and ``body`` are models, the rest stands in the path.
    """

    def register(handler: Handler) -> Handler:
        OPERATIONS.append(
            declare(
                handler,
                method=method,
                path=path,
                needs=(permission,) if isinstance(permission, str) else permission,
                status=status,
                tag=tag,
                answer=response,
                changes=method != "GET" if changes is None else changes,
                also=also or {},
                or_own=or_own,
                reduces=reduces,
            )
        )
        return handler

    return register


def declare(handler: Handler, **stated: Any) -> Operation:
    """Return the line of the table for a handler. Raises :class:`UndeclaredOperation`."""
    name = handler.__name__
    hints = typing.get_type_hints(handler)
    made = Operation(
        name=name,
        handler=handler,
        summary=(inspect.getdoc(handler) or "").splitlines()[0].rstrip("."),
        query=hints.get("query"),
        body=hints.get("body"),
        **stated,
    )
    if not isinstance(made.needs, Access):
        named = (*made.needs, *(each for more in made.also.values() for each in more))
        unknown = [each for each in named if each not in MANAGEMENT]
        if unknown or not made.needs:
            raise UndeclaredOperation(
                f"{name}: {', '.join(unknown) or 'no permission'}: not a management permission"
            )
    taken = [each for each in inspect.signature(handler).parameters if each not in ("call", "query", "body")]
    if taken != made.parameters:
        raise UndeclaredOperation(f"{name}: takes {taken}, its path has {made.parameters}")
    return made


__all__ = [
    "OPERATIONS",
    "Access",
    "Call",
    "Operation",
    "Refused",
    "UndeclaredOperation",
    "declare",
    "operation",
]
