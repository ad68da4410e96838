"""The records of a replica, and how they are encoded.

Instants are integer milliseconds since 1970 in UTC; 0 means "never" or "not set". Records are arrays in
msgpack: a new field goes last and has a default, so that version N and N+1 read each other. They refer to
nothing that could refer back, so the cycle collector need not look at them (``gc=False``).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from retinue.decision import Terms
from retinue.replica.holding import Holder as Holder
from retinue.replica.holding import Resource as Resource
from retinue.replica.holding import Scope as Scope
from retinue.replica.holding import Timed as Timed
from retinue.replica.narrowing import Rate as Rate
from retinue.replica.narrowing import Restrictions as Restrictions
from retinue.replica.narrowing import Rules as Rules
from retinue.replica.narrowing import TimeWindow as TimeWindow

#: Raised when a node of this version could not read another's records, or would allow what they forbid.
SCHEMA = 2


class Kind(StrEnum):
    """The kinds of records, with the prefix of their keys. Snapshots go through them in this order."""

    PERMISSION = "permission"
    ORGANIZATION = "organization"
    ORGANIZATION_HANDLE = "organization_handle"
    HOLDER = "holder"
    PRINCIPAL = "principal"
    CREDENTIAL = "credential"
    IDENTITY_KEY = "identity_key"
    LOOKUP = "lookup"
    IMPORT_SCHEME = "import_scheme"
    SCHEMES = "schemes"
    RESOURCE = "resource"
    NODE = "node"


class Digest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One keyed digest under which a credential is known; ``valid_until_ms`` ends a previous one.

    ``scheme`` is the id of the import scheme whose digest was wrapped, empty where the token itself was.
    """

    value: bytes
    pepper_id: str
    valid_until_ms: int = 0
    scheme: str = ""


class Credential(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A credential, found by its public key id. It holds no permissions.

    ``self_issued``: by a user, who may hold personal tokens. ``has_expired``: by hand, and so on every clock.
    """

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
    restrictions: Restrictions | None = None
    self_issued: bool = False
    has_expired: bool = False


class Lookup(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Finds a credential whose token does not name its key id.

    The key is :func:`retinue.pepper.lookup_key` of a digest.
    """

    kid: str


class ImportScheme(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How another system digested tokens that an organization brought along.

    ``sealed`` is the key of ``hmac-sha256``, sealed under the pepper ``pepper_id``; ``prefix`` is what all
    of these tokens begin with, if anything. Of slow hashes their first ``public`` characters find the key.
    """

    id: str
    organization: str
    algorithm: str
    prefix: str = ""
    sealed: bytes = b""
    pepper_id: str = ""
    public: int = 0


class Schemes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How tokens may be presented to some organization here. One record, its key is :data:`ANY`."""

    names: tuple[str, ...]


#: The key of the record that is about no organization in particular.
ANY = "any"
#: What is accepted where nothing else is said.
NATIVE_SCHEMES = ("bearer",)


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
    environment: str = ""
    scoped: tuple[Scope, ...] = ()
    timed: tuple[Timed, ...] = ()


class Organization(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The facts of an organization that a decision needs.

    ``rules`` hold for its accounts, those of ``environments`` instead for accounts that name the environment;
    ``None`` where nothing is limited. ``ingest`` are the places where an ingest token may stand in a request
    (header, basic, path); none if there are no such tokens. ``pat_follows_permission``: a personal access
    token that its user issued is suspended while the user may hold none.
    """

    id: str
    handle: str
    name: str
    state: str
    schemes: tuple[str, ...]
    forbidden_for_service: bytes = b""
    personal_tokens: bool = True
    lease_ms: int = 10_000
    warn_ms: int = 0
    terms: Terms = Terms()
    rules: Rules | None = None
    environments: dict[str, Rules] = {}
    ingest: tuple[str, ...] = ()
    #: Holders of every user, and of every service account: groups, teams and access policies by rule.
    user_holders: tuple[str, ...] = ()
    service_holders: tuple[str, ...] = ()
    pat_follows_permission: bool = False
    #: For how long an access token may be good here; 0 if there are none.
    exchange_ms: int = 0


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


class Node(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A node, found by the id of a credential of its own. Relays alone know these: for those who follow them.

    ``relay`` says that other nodes may follow it, ``replaced`` that the node has a newer credential.
    """

    id: str
    name: str
    state: str
    relay: bool = False
    replaced: bool = False


Record = (
    Credential
    | Principal
    | Holder
    | Organization
    | Permission
    | OrganizationHandle
    | IdentityKey
    | Lookup
    | ImportScheme
    | Schemes
    | Resource
    | Node
)
TYPES: dict[Kind, type[Record]] = {
    Kind.PERMISSION: Permission,
    Kind.ORGANIZATION: Organization,
    Kind.ORGANIZATION_HANDLE: OrganizationHandle,
    Kind.HOLDER: Holder,
    Kind.PRINCIPAL: Principal,
    Kind.CREDENTIAL: Credential,
    Kind.IDENTITY_KEY: IdentityKey,
    Kind.LOOKUP: Lookup,
    Kind.IMPORT_SCHEME: ImportScheme,
    Kind.SCHEMES: Schemes,
    Kind.RESOURCE: Resource,
    Kind.NODE: Node,
}


class Meta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the replica as a whole is: how far it has applied, and since when it is known to be fresh.

    ``complete``: a first snapshot has been applied to its end. ``fresh_from_ns`` is the boot-time clock when
    the poll was sent whose answer reached the head (0: none), and ``fresh_wall_ms`` the wall clock then.
    ``control_time_ms`` is the control plane's in that answer: expiry uses the later one, so a step back of
    the node's clock revives nothing; ``heard_ns``: the boot-time clock then. ``place`` names the very file,
    so that no lease goes with a copy. ``mark`` tells ``revision`` from that of another history,
    ``snapshot_mark`` ``snapshot_revision``, ``newest_mark`` ``newest_head``, of what may be here. ``hops``
    counts relays, ``nodes`` those live, ``knows_nodes``: here. ``edition`` is random: another after each
    write but a renewal of the lease.
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
    mark: str = ""
    snapshot_mark: str = ""
    hops: int = 0
    knows_nodes: bool = False
    nodes: int = 1
    newest_head: int = 0
    newest_mark: str = ""
    edition: bytes = b""


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where an object changed: the last time that access was taken away by it, or else the last time.

    ``mark`` tells the revision from one of the same number in another history.
    """

    revision: int
    mark: str
    at_ms: int
    reduces: bool


class Change(msgspec.Struct, frozen=True):
    """One line of the feed: the present record of ``(kind, key)`` as msgpack, or ``None`` if it is gone.

    ``revision`` is the latest change of the object that is contained in it. ``origin`` is what a node notes
    in its journal; ``None`` for an object that has not changed for long.
    """

    revision: int
    kind: Kind
    key: str
    value: bytes | None = None
    origin: Origin | None = None


class Noted(msgspec.Struct, frozen=True, gc=False):
    """One line of a node's journal: where an object changed in which epoch, and what its record says now."""

    kind: Kind
    key: str
    epoch: int
    origin: Origin
    value: bytes | None = None


def encode(record: msgspec.Struct) -> bytes:
    """Return the msgpack bytes of a record."""
    return _encoder.encode(record)


_encoder = msgspec.msgpack.Encoder()
