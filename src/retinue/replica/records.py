"""The records of a replica, and how they are encoded.

Instants are integer milliseconds since 1970 in UTC; 0 means "never" or "not set". Records are arrays in
msgpack: a new field goes last and has a default, so that version N and N+1 read each other. They refer to
nothing that could refer back, so the cycle collector need not look at them (``gc=False``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

import msgspec

#: Raised when a node of this version could not read the records of another.
SCHEMA = 1


class Kind(StrEnum):
    """The kinds of records, with the prefix of their keys. Snapshots go through them in this order."""

    PERMISSION = "permission"
    ORGANIZATION = "organization"
    ORGANIZATION_HANDLE = "organization_handle"
    HOLDER = "holder"
    PRINCIPAL = "principal"
    CREDENTIAL = "credential"
    IDENTITY_KEY = "identity_key"


class Digest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One keyed digest under which a credential is known; ``valid_until_ms`` ends a previous one."""

    value: bytes
    pepper_id: str
    valid_until_ms: int = 0


class Credential(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A credential, found by its public key id. It holds no permissions."""

    id: str
    kind: str
    organization: str
    principal: str
    state: str
    digests: tuple[Digest, ...]
    not_before_ms: int = 0
    expires_at_ms: int = 0
    retires_at_ms: int = 0
    rotate_by_ms: int = 0


class Principal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A user or service account, its own permissions and the holders (roles, groups) that add theirs."""

    id: str
    kind: str
    organization: str
    handle: str
    name: str
    state: str
    permissions: bytes = b""
    holders: tuple[str, ...] = ()


class Holder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A role or group: what each of its members may do. One record, however many members."""

    id: str
    permissions: bytes = b""


class Organization(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The facts of an organization that a decision needs."""

    id: str
    handle: str
    name: str
    state: str
    schemes: tuple[str, ...]
    forbidden_for_service: bytes = b""
    personal_tokens: bool = True
    lease_ms: int = 10_000
    warn_ms: int = 0


class Permission(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A declared permission and its index in every bit mask. An index never changes its meaning."""

    name: str
    index: int


class OrganizationHandle(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Finds an organization by its handle."""

    organization: str


class IdentityKey(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The public half of a node's Ed25519 key: ``x`` is the JWK member, base64url without padding."""

    kid: str
    node: str
    x: str
    not_after_ms: int = 0


Record = Credential | Principal | Holder | Organization | Permission | OrganizationHandle | IdentityKey

TYPES: dict[Kind, type[Record]] = {
    Kind.PERMISSION: Permission,
    Kind.ORGANIZATION: Organization,
    Kind.ORGANIZATION_HANDLE: OrganizationHandle,
    Kind.HOLDER: Holder,
    Kind.PRINCIPAL: Principal,
    Kind.CREDENTIAL: Credential,
    Kind.IDENTITY_KEY: IdentityKey,
}


class Meta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the replica as a whole is: how far it has applied, and since when it is known to be fresh.

    ``complete`` is false until a first snapshot has been applied to its end. ``fresh_from_ns`` is the
    boot-time clock just before the poll was sent whose answer reached the head (0: no lease), and
    ``fresh_wall_ms`` this machine's wall clock at that instant. ``control_time_ms`` is the control plane's
    wall clock in that answer: expiry uses the later of the two clocks, so that a step back of the node's
    clock revives nothing; ``heard_ns`` is the boot-time clock when it was heard. ``place`` names the
    very file that it stands in, so that no lease goes with a copy; it is the store's own affair.
    """

    epoch: int = 0
    revision: int = 0
    complete: bool = False
    schema: int = SCHEMA
    boot_id: str = ""
    fresh_from_ns: int = 0
    control_time_ms: int = 0
    snapshot_revision: int = 0
    snapshot_after: str = ""
    heard_ns: int = 0
    fresh_wall_ms: int = 0
    place: str = ""


class Change(msgspec.Struct, frozen=True):
    """One line of the feed: the present record of ``(kind, key)`` as msgpack, or ``None`` if it is gone.

    ``revision`` is the latest change of the object that is contained in it.
    """

    revision: int
    kind: Kind
    key: str
    value: bytes | None = None


def encode(record: msgspec.Struct) -> bytes:
    """Return the msgpack bytes of a record."""
    return _encoder.encode(record)


_encoder = msgspec.msgpack.Encoder()


class Snapshot(Protocol):
    """One consistent view of a replica. All reads of a decision go through the same snapshot."""

    def meta(self) -> Meta:
        """Return the meta record (a blank one if nothing was ever applied)."""

    def credential(self, kid: str) -> Credential | None:
        """Return the credential with this public key id."""

    def principal(self, principal_id: str) -> Principal | None:
        """Return the user or service account with this id."""

    def holder(self, holder_id: str) -> Holder | None:
        """Return the role or group with this id."""

    def organization(self, organization_id: str) -> Organization | None:
        """Return the organization with this id."""

    def organization_by_handle(self, handle: str) -> Organization | None:
        """Return the organization with this handle."""

    def permission_index(self, name: str) -> int | None:
        """Return the catalogue index of a declared permission."""

    def longest_lease_ms(self) -> int:
        """Return the longest lease of any organization, 0 if there is none."""

    def identity_keys(self) -> Iterator[IdentityKey]:
        """Yield the public identity keys of all nodes."""


class Replica(Protocol):
    """Where a verifier reads. Implementations: LMDB (nodes, guards), memory (tests), the database."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a new snapshot. No record is remembered from one snapshot to the next."""
