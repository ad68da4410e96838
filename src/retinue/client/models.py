"""What the API answers, as types.

Fields that the API may leave out have defaults; fields that this version does not know are ignored, so an
older client reads a newer server. Instants are RFC 3339 text in UTC, as the API sends them.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from retinue.client.basics import Page as Page
from retinue.client.basics import PrincipalRef as PrincipalRef
from retinue.client.basics import Receipt as Receipt
from retinue.client.basics import Secret as Secret
from retinue.client.basics import Settled as Settled
from retinue.client.credentials import Compromised as Compromised
from retinue.client.credentials import ConversionPlan as ConversionPlan
from retinue.client.credentials import Converted as Converted
from retinue.client.credentials import ExpiringKey as ExpiringKey
from retinue.client.credentials import Expiry as Expiry
from retinue.client.credentials import Identified as Identified
from retinue.client.credentials import ImportItem as ImportItem
from retinue.client.credentials import ImportResult as ImportResult
from retinue.client.credentials import IssuedKey as IssuedKey
from retinue.client.credentials import Key as Key
from retinue.client.credentials import Restrictions as Restrictions


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
    attributes: dict[str, Any] = field(default_factory=dict)
    owners: list[PrincipalRef] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    state: str
    status: str = ""
    status_reason: str | None = None
    awaits_approval: bool = False
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    updated_at: str | None = None
    keys: KeyCount = field(default_factory=KeyCount)
    last_used_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class Grant(Struct, kw_only=True):
    """A permission that was given to a principal."""

    id: str
    subject: PrincipalRef
    permission: str | None = None
    #: Set where the thing that was given is a role: a command tells both in one list.
    role: str | None = None
    resource: Any = "*"
    source: str = "direct"
    state: str = ""
    origin: str | None = None
    justification: str | None = None
    granted_by: PrincipalRef | None = None
    granted_at: str | None = None
    approved_by: PrincipalRef | None = None
    expires_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


class CreatedAccount(ServiceAccount, kw_only=True):
    """A new account; with its first key and the token of it, where one is issued with every account."""

    key: Key | None = None
    token: Secret | None = None
    expiry: Expiry | None = None


class User(Struct, kw_only=True):
    """A person."""

    id: str
    kind: str = "user"
    email: str | None = None
    handle: str = ""
    name: str = ""
    roles: list[str] = field(default_factory=list)
    state: str = ""
    status: str = ""
    operator: bool = False
    created_at: str | None = None
    created_by: PrincipalRef | None = None
    can_sign_in: bool = False
    invitation_expires_at: str | None = None
    receipt: Receipt | UnsetType = UNSET


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
    route: str | None = None
    status: int | None = None


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


class EventEntry(Struct, kw_only=True):
    """Where an event stands in the log that proves it, and what its entry is the hash of."""

    log: str
    index: int
    sequence: int
    record: str
    personal: str | None = None


class ProvenEvent(AuditEvent, kw_only=True):
    """An event with its entry; one that is not in the log yet has none."""

    channel: str | None = None
    entry: EventEntry | None = None


class MerkleLog(Struct, kw_only=True):
    """A log that proves audit events: what was signed of it, and what the last look at it found."""

    name: str
    origin: str
    key: str
    size: int
    checkpoint: str | None = None
    signed_at: str | None = None
    link: str | None = None
    verified_size: int = 0
    verified_at: str | None = None
    trouble: list[str] = []


class AuditLog(Struct, kw_only=True):
    """The logs; the last one is added to."""

    state: str
    behind: int = 0
    logs: list[MerkleLog] = []


class Entries(Struct, kw_only=True):
    """Entries of a log, 32 bytes each, in base64."""

    first: int
    entries: str
