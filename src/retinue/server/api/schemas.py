"""What the API takes and answers. Unknown fields are refused by name."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field

from retinue.server.api.cursors import DEFAULT_ITEMS, MOST_ITEMS


class Body(Schema):
    """A body: unknown members are refused, and texts are not made of numbers."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(Schema):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class ListQuery(Schema):
    """The parameters that every list has."""

    limit: int = Field(DEFAULT_ITEMS, ge=1, le=MOST_ITEMS, description="Items in one answer.")
    cursor: str | None = Field(None, max_length=512, description="`next` of the page before.")


class PrincipalRef(Answer):
    """A user or service account, by name."""

    id: str
    kind: str
    handle: str
    name: str


class ProblemBody(Answer):
    """An error (RFC 9457). `code` is stable; `field` names what is at fault."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    field: str | None = None
    required: list[str] = []
    account: str | None = None
    request_id: str | None = None


class KeyCounts(Answer):
    """How many API keys an account has."""

    usable: int
    total: int


class ServiceAccount(Answer):
    """A service account."""

    id: str
    kind: str
    handle: str
    name: str
    description: str
    purpose: str
    documentation: str
    environment: str
    systems: list[str]
    owners: list[PrincipalRef]
    roles: list[str]
    state: str
    status: str
    status_reason: str
    created_at: str
    created_by: PrincipalRef | None
    updated_at: str
    keys: KeyCounts
    last_used_at: str | None


class ServiceAccountList(Answer):
    """A page of service accounts."""

    items: list[ServiceAccount]
    next: str | None


class CreateServiceAccount(Body):
    """A new service account."""

    name: str
    handle: str | None = None
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: list[str] = []
    owners: list[str] = []
    roles: list[str] = []
    permissions: list[str] = []
    justification: str = ""


class UpdateServiceAccount(Body):
    """The fields to change; what is left out stays."""

    name: str = ""
    handle: str = ""
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: list[str] = []
    owners: list[str] = []
    roles: list[str] = []
    justification: str = ""


class WithReason(Body):
    """Why it is done; stands in the audit log."""

    reason: str = ""


class Duplicate(Body):
    """The name of the copy."""

    name: str
    justification: str = ""


class Nothing(Body):
    """An empty body."""


class Grant(Answer):
    """A permission that an account holds directly."""

    id: str
    subject: PrincipalRef
    permission: str
    source: str
    justification: str
    granted_by: PrincipalRef | None
    granted_at: str


class GrantList(Answer):
    """The direct grants of an account."""

    items: list[Grant]
    next: str | None


class CreateGrant(Body):
    """A permission to grant."""

    permission: str
    justification: str = ""


class PermissionSource(Answer):
    """One way in which a permission is held."""

    kind: str
    id: str
    name: str
    granted_by: PrincipalRef | None
    granted_at: str | None
    justification: str


class EffectivePermission(Answer):
    """An effective permission, with every way in which it is held."""

    permission: str
    sources: list[PermissionSource]


class EffectivePermissionList(Answer):
    """What an account may do."""

    items: list[EffectivePermission]
    next: str | None


class Key(Answer):
    """An API key. It never holds the token."""

    id: str
    key_id: str
    kind: str
    account: PrincipalRef
    name: str
    display: str
    state: str
    status: str
    reason: str
    reason_text: str
    issued_at: str
    issued_by: PrincipalRef | None
    expires_at: str | None
    retires_at: str | None
    rotated_from: str | None
    rotated_to: str | None
    revoked_at: str | None
    revoked_by: PrincipalRef | None
    first_used_at: str | None
    last_used_at: str | None
    use_count: int


class KeyList(Answer):
    """A page of API keys."""

    items: list[Key]
    next: str | None


class EffectiveExpiry(Answer):
    """When a credential ends, and which rule decided it."""

    at: str | None
    because: str


class IssuedKey(Answer):
    """A key with its token, which is shown here and never again."""

    key: Key
    token: str
    expiry: EffectiveExpiry


class IssueKey(Body):
    """A key to issue. `expires` is a duration (`90d`), an instant, or `never`."""

    name: str | None = None
    expires: str | None = None


class RenameKey(Body):
    """Another name for a key."""

    name: str


class RotateKey(Body):
    """A rotation. `overlap` is how long the old key is still accepted (`24h`, `0s`)."""

    overlap: str | None = None
    name: str | None = None


class RevokeKey(Body):
    """Why a key ends."""

    reason: str = "no_longer_needed"
    text: str = ""


class User(Answer):
    """A person of the organization."""

    id: str
    kind: str
    email: str
    handle: str
    name: str
    roles: list[str]
    state: str
    operator: bool
    created_at: str
    created_by: PrincipalRef | None
    can_sign_in: bool


class UserList(Answer):
    """A page of users."""

    items: list[User]
    next: str | None


class CreateUser(Body):
    """A new user, without a password."""

    email: str
    name: str
    roles: list[str] = []
    justification: str = ""


class AnyAnswer(Schema):
    """An answer whose members are described in the reference."""

    model_config = ConfigDict(extra="allow")


JSON = dict[str, Any]
