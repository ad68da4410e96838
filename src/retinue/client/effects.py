"""What somebody holds, and what a change would do: the API's answers as types, and operations."""

from __future__ import annotations

from msgspec import Struct, field

from retinue.client.access import PermissionSource, Role
from retinue.client.models import CreatedAccount, Key, Page, PrincipalRef
from retinue.client.operations import Operation


class EffectivePermission(Struct, kw_only=True):
    """A permission that somebody holds, and every path to it."""

    permission: str
    held: str
    last_used_at: str | None = None
    sources: list[PermissionSource] = field(default_factory=list)


class Drifted(Struct, kw_only=True):
    """How an account differs by now from what its permissions were copied from."""

    origin: str
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


class Matched(Struct, kw_only=True):
    """Whom an access policy would give something: at most so many of them, and how many they are."""

    principals: list[PrincipalRef] = field(default_factory=list)
    principals_count: int = 0
    groups: list[PrincipalRef] = field(default_factory=list)


class Difference(Struct, kw_only=True):
    """What a principal would gain and lose."""

    principal: PrincipalRef
    gained: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)


class Simulated(Struct, kw_only=True):
    """Who would hold something else after changes that are not made."""

    examined: int
    truncated: bool = False
    items: list[Difference] = field(default_factory=list)


class PlannedExpiry(Struct, kw_only=True):
    """A credential that lives too long, and the end that ``expiry.enforce: all`` gives it."""

    key: Key
    expires_at: str


class ExpiryPlan(Struct, kw_only=True):
    """What ``expiry.enforce: all`` shortens."""

    enforce: str
    credentials: int
    in_use: int = 0
    items: list[PlannedExpiry] = field(default_factory=list)


class FindingCount(Struct, kw_only=True):
    """How many findings of a kind are open."""

    kind: str
    severity: str
    open: int


_ACCOUNT = "/v1/service-accounts/{id}"
ACCOUNT_PERMISSIONS: Operation[Page[EffectivePermission]] = Operation(
    "GET", f"{_ACCOUNT}/permissions", "grant:read", Page[EffectivePermission]
)
USER_PERMISSIONS: Operation[Page[EffectivePermission]] = Operation(
    "GET", "/v1/users/{id}/permissions", "grant:read", Page[EffectivePermission]
)
ACCOUNT_DRIFT: Operation[Page[Drifted]] = Operation("GET", f"{_ACCOUNT}/drift", "grant:read", Page[Drifted])
DUPLICATE_ACCOUNT: Operation[CreatedAccount] = Operation(
    "POST", f"{_ACCOUNT}/duplicate", "service_account:create", CreatedAccount, True
)
CLONE_ROLE: Operation[Role] = Operation("POST", "/v1/roles/{id}/clone", "role:create", Role, True)
PREVIEW_ACCESS_POLICY: Operation[Matched] = Operation(
    "POST", "/v1/access-policies/preview", "access_policy:read", Matched
)
SIMULATE: Operation[Simulated] = Operation("POST", "/v1/decisions/simulate", "decision:simulate", Simulated)
EXPIRY_PLAN: Operation[ExpiryPlan] = Operation(
    "GET", "/v1/credentials/expiry-plan", "credential:read", ExpiryPlan
)
COUNT_FINDINGS: Operation[Page[FindingCount]] = Operation(
    "GET", "/v1/findings/counts", "finding:read", Page[FindingCount]
)
