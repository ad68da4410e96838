"""What the API answers, as types.

Fields that the API may leave out have defaults; fields that this version does not know are ignored, so an
older client reads a newer server. Instants are RFC 3339 text in UTC, as the API sends them.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

T = TypeVar("T")


class Page(Struct, Generic[T]):
    """One page of a list; ``next`` is the cursor of the following page."""

    items: list[T]
    next: str | None = None


class Settled(Struct, kw_only=True):
    """A node that a change was waited for on: it confirmed, its lease ended, or it is waited for."""

    node: str
    incarnation: str = ""
    how: str
    at: str | None = None
    waited_ms: float | None = None


class Receipt(Struct, kw_only=True):
    """Where a change that took access away holds; ``state`` is ``pending`` or ``complete``."""

    id: str
    epoch: int
    revision: int
    change: str = ""
    subject: str = ""
    complete: bool
    state: str
    committed_at: str | None = None
    completed_at: str | None = None
    bound: str = ""
    nodes: list[Settled] = field(default_factory=list)


class PrincipalRef(Struct, kw_only=True):
    """A principal as other objects name it."""

    id: str
    kind: str = ""
    handle: str = ""
    name: str = ""
    #: Told where the API tells it, such as for the caller itself.
    email: str | UnsetType = UNSET


class KeyCount(Struct):
    """How many keys an account has."""

    usable: int = 0
    total: int = 0


class ServiceAccount(Struct, kw_only=True):
    """A program's identity."""

    id: str
    kind: str = "service_account"
    handle: str
    name: str
    description: str | None = None
    purpose: str | None = None
    documentation: str | None = None
    environment: str | None = None
    systems: list[str] = field(default_factory=list)
    owners: list[PrincipalRef] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    state: str
    status: str = ""
    status_reason: str | None = None
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    updated_at: str | None = None
    keys: KeyCount = field(default_factory=KeyCount)
    last_used_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Key(Struct, kw_only=True):
    """An API key of a service account, without its secret."""

    id: str
    key_id: str
    kind: str = "api_key"
    account: PrincipalRef
    name: str
    display: str = ""
    state: str
    status: str = ""
    reason: str | None = None
    reason_text: str | None = None
    issued_at: str | None = None
    issued_by: PrincipalRef | None = None
    expires_at: str | None = None
    retires_at: str | None = None
    rotated_from: str | None = None
    rotated_to: str | None = None
    revoked_at: str | None = None
    revoked_by: PrincipalRef | None = None
    first_used_at: str | None = None
    last_used_at: str | None = None
    use_count: int = 0
    receipt: Receipt | UnsetType = UNSET


class Expiry(Struct, kw_only=True):
    """When a new key ends, and why then."""

    at: str | None = None
    because: str = ""


class Secret:
    """The token of a new credential. It does not print itself; :meth:`reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the token. Call it where it is handed to its holder, and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "<Secret>"

    __str__ = __repr__


class IssuedKey(Struct, kw_only=True):
    """A new key (or a new secret of one) with its token, which is told this once."""

    key: Key
    token: Secret
    expiry: Expiry = field(default_factory=Expiry)
    receipt: Receipt | UnsetType = UNSET


class Grant(Struct, kw_only=True):
    """A permission that was given to a principal."""

    id: str
    subject: PrincipalRef
    permission: str
    source: str = "direct"
    justification: str | None = None
    granted_by: PrincipalRef | None = None
    granted_at: str | None = None
    expires_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class User(Struct, kw_only=True):
    """A person."""

    id: str
    kind: str = "user"
    email: str | None = None
    handle: str = ""
    name: str = ""
    roles: list[str] = field(default_factory=list)
    state: str = ""
    operator: bool = False
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    can_sign_in: bool = False


class OrganizationRef(Struct, kw_only=True):
    """An organization as other objects name it."""

    id: str
    handle: str = ""
    name: str = ""


class CredentialRef(Struct, kw_only=True):
    """The credential of a call."""

    id: str
    kind: str = ""
    name: str = ""
    expires_at: str | None = None


class Me(Struct, kw_only=True):
    """Who the caller is, where, and what it may do."""

    principal: PrincipalRef
    organization: OrganizationRef
    credential: CredentialRef
    permissions: list[str] = field(default_factory=list)
    operator: bool = False


class PersonalToken(Struct, kw_only=True):
    """A personal access token of the caller, without its secret."""

    id: str
    key_id: str
    kind: str = "personal_access_token"
    name: str
    display: str = ""
    state: str = ""
    status: str = ""
    reason: str | None = None
    issued_at: str | None = None
    expires_at: str | None = None
    last_used_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Subject(Struct, kw_only=True):
    """An object as the logs name it: with the name that it had then."""

    kind: str = ""
    id: str = ""
    name: str | None = None


class RequestRecord(Struct, kw_only=True):
    """A decision that a node made."""

    id: str
    at: str
    account: Subject | None = None
    credential_id: str | None = None
    credential_name: str | None = None
    decision: str
    reason: str | None = None
    permission: str | None = None
    method: str | None = None
    path: str | None = None
    address: str | None = None
    client: str | None = None
    node: str | None = None
    revision: int | None = None
    duration_us: int | None = None
    request_id: str | None = None


class AuditEvent(Struct, kw_only=True):
    """A change: who did what to which object, with its state before and after."""

    id: str
    revision: int
    at: str
    type: str
    actor: Subject | None = None
    credential_id: str | None = None
    request_id: str | None = None
    address: str | None = None
    subject: Subject | None = None
    reason: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
