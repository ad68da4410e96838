"""What a guard answers: the caller of an allowed request, or a denial that knows how it is told over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from msgspec import structs

from retinue import decision, problem
from retinue.decision import Quota, Warning

#: Header field, the warning that it tells, and the instant of it.
_TOLD = (
    ("Retinue-Token-Expires", Warning.EXPIRES_SOON, "expires_at"),
    ("Retinue-Token-Retires", Warning.RETIRING, "retires_at"),
    ("Retinue-Token-Rotate-By", Warning.ROTATION_DUE, "rotate_by"),
)


class Asking(Protocol):
    """Asks about the same token again; raises :class:`Denied`."""

    def __call__(self, need: str) -> Caller: ...


class Caller(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Who calls: the account of a genuine token that may do what was asked.

    ``kind`` is service_account, user or organization. Instants are aware, in UTC; ``None`` means never.
    """

    kind: str
    id: str
    name: str
    organization: str
    credential_id: str
    permission: str | None
    revision: int
    expires_at: datetime | None = None
    retires_at: datetime | None = None
    rotate_by: datetime | None = None
    warnings: tuple[str, ...] = ()
    #: What the account may still ask here, if it has a limit.
    quota: Quota | None = None
    _ask: Asking | None = None

    def __eq__(self, other: object) -> bool:
        """Two answers about the same token are equal if they say the same."""
        return isinstance(other, Caller) and structs.astuple(self)[:-1] == structs.astuple(other)[:-1]

    def __hash__(self) -> int:
        return hash((self.credential_id, self.permission, self.revision))

    def can(self, permission: str) -> bool:
        """Tell whether the same token may do something else, now; it is decided and logged like the first."""
        try:
            self.require(permission)
        except Denied:
            return False
        return True

    def require(self, permission: str) -> None:
        """Raise :class:`Denied` unless the same token may do something else, now."""
        if self._ask is None:
            raise TypeError("this caller was made without a guard that could be asked")
        self._ask(permission)

    @property
    def headers(self) -> dict[str, str]:
        """Header fields for the answer: what the caller should know although its request was allowed."""
        told = {} if self.quota is None else problem.quota_fields(self.quota)
        return told | {
            name: _rfc3339(at)
            for name, warning, place in _TOLD
            if warning in self.warnings and (at := getattr(self, place)) is not None
        }


class Denied(Exception):
    """The request is refused. It says how: status, header fields, and a problem as body (RFC 9457)."""

    def __init__(self, denied: decision.Denied, request_id: str | None = None) -> None:
        super().__init__(denied.reason.value)
        self._denied = denied
        self._problem = problem.problem_for(denied, request_id)

    @property
    def reason(self) -> str:
        """The reason, from the closed set."""
        return self._denied.reason.value

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._problem.status

    @property
    def required(self) -> tuple[str, ...]:
        """The permissions that are missing."""
        return self._problem.required

    @property
    def www_authenticate(self) -> str:
        """The challenge (RFC 6750); empty where none belongs."""
        return self.headers.get("WWW-Authenticate", "")

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of the answer, with the type of its body."""
        media_type, _ = problem.body_for(self._problem, self._denied.terms)
        return {
            "Content-Type": media_type,
            "Cache-Control": "no-store",
            **problem.headers_for(self._denied),
        }

    @property
    def body(self) -> bytes:
        """The body of the answer."""
        return problem.body_for(self._problem, self._denied.terms)[1]

    def problem(self) -> problem.Problem:
        """Return what the body says."""
        return self._problem


def caller_of(allowed: decision.Allowed, ask: Asking | None) -> Caller:
    """Return the caller of an allowed decision."""
    return Caller(*fields_of(allowed), ask)  # type: ignore[call-arg]


def fields_of(allowed: decision.Allowed) -> tuple[Any, ...]:
    """Return the fields of its caller, but for who asks again."""
    told = allowed.caller
    return (
        told.kind,
        told.id,
        told.name,
        told.organization,
        told.credential_id,
        allowed.permission,
        told.revision,
        _instant(told.expires_at_ms),
        _instant(told.retires_at_ms),
        _instant(told.rotate_by_ms),
        tuple([each.value for each in told.warnings]) if told.warnings else (),
        allowed.quota,
    )


def _instant(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
