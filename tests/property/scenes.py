"""Scenes for decisions: small organizations with accounts and credentials, and a question about them.

A scene is plain data, with permissions as sets of names and digests as the tokens that they are of. The
reference in ``order.py`` reads it as it stands; :func:`changes` makes the records that a node has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from retinue.pepper import Pepper, Peppers
from retinue.replica import records
from retinue.replica.records import Change, Meta
from retinue.token import Kind, mint
from retinue.verifier import Question

NOW = 1_700_000_000_000
REVISION = 41
CATALOGUE = {"report:read": 0, "report:write": 63, "report:export": 64, "company.email:view": 1_000}
UNDECLARED = "report:delete"
ROLES = ("reader", "editor", "gone")
KIDS = ("a" * 12, "b" * 12)
UNKNOWN_KID = "c" * 12
ACTIVE, RETIRED, NOT_HELD = Pepper(b"\1" * 32), Pepper(b"\2" * 32), Pepper(b"\3" * 32)
PEPPERS = Peppers([ACTIVE, RETIRED])
GARBAGE = ("-", "rtnsa_", "Bearer x", "rtnsa_0EXAMPLE0KID_" + "x" * 43 + "1DkGSQ", "\ud800", "x" * 5_000)
#: The boot of the machine, and its boot-time clock when the control plane was last heard.
BOOT, BOOT_NS = "this boot", 500_000_000_000
#: Clock, control plane's time as last heard, and nanoseconds since then: each pair has NOW as the later.
CLOCKS = (
    (NOW, 0, 0),
    (NOW, NOW - 5, 5_999_999),
    (NOW, NOW - 1, 0),
    (NOW - 1_000, NOW - 5, 5_000_000),
    (NOW - 1, NOW - 1, 1_999_999),
    (0, NOW, 0),
    (0, NOW, -7_000_000),
)


@cache
def token(kid: str, kind: str, number: int) -> str:
    """The ``number``-th token that was ever made for this key id and kind."""
    return mint(Kind(kind), kid=kid).reveal()


@dataclass(frozen=True)
class Organization:
    """An organization; ``forbidden`` is what its service accounts can never have."""

    id: str
    handle: str
    enabled: bool
    schemes: tuple[str, ...]
    forbidden: frozenset[str]
    personal_tokens: bool
    warn_ms: int
    lease_ms: int = 10_000


@dataclass(frozen=True)
class Account:
    """A user or service account, what it holds itself, and its roles."""

    id: str
    kind: str
    state: str
    own: frozenset[str]
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Secret:
    """A token under which a credential is known, the pepper of its digest, and when it ends (0: never)."""

    token: str
    pepper: Pepper
    until: int


@dataclass(frozen=True)
class Credential:
    """A credential; ``account`` is empty for one of the organization. Instants are 0 for never."""

    kid: str
    kind: str
    organization: str
    account: str
    state: str
    secrets: tuple[Secret, ...]
    begins: int
    expires: int
    retires: int
    rotate_by: int


class Lease(NamedTuple):
    """The lease of a replica: the boot in which it began (empty: never), its age, and the wall clock's lead."""

    boot: str = BOOT
    age_ns: int = 8_000_000
    ahead_ms: int = 0


RUNNING = Lease()
SECOND_NS = 1_000_000_000
#: Ends of leases of two and of ten seconds, before their begin, and the pause guard: 2.5 % of the length.
LEASES = (
    *(
        Lease(age_ns=age)
        for age in (-1, 0, 2 * SECOND_NS - 1, 2 * SECOND_NS, 10 * SECOND_NS - 1, 10 * SECOND_NS)
    ),
    *(Lease(ahead_ms=ahead) for ahead in (50, 51, 58, 59, 250, 251, 259, -60_000)),
    Lease(boot=""),
    Lease(boot="the boot before"),
)


@dataclass(frozen=True)
class Scene:
    """What a node has, and what it is asked."""

    organizations: tuple[Organization, ...]
    roles: tuple[tuple[str, frozenset[str]], ...]
    accounts: tuple[Account, ...]
    credentials: tuple[Credential, ...]
    complete: bool
    readable: bool
    clock: tuple[int, int, int]
    question: Question
    well_formed: bool
    lease: Lease = RUNNING


def mask(names: Iterable[str]) -> bytes:
    """The bit mask of permissions, the plain way."""
    return sum(1 << CATALOGUE[name] for name in names).to_bytes(128, "little").rstrip(b"\0")


def changes(scene: Scene) -> list[Change]:
    """The records of a scene, as the feed brings them."""
    rows: list[tuple[records.Kind, str, records.Record]] = [
        (records.Kind.PERMISSION, name, records.Permission(name, index)) for name, index in CATALOGUE.items()
    ]
    for each in scene.organizations:
        state = "enabled" if each.enabled else "disabled"
        made = records.Organization(
            each.id, each.handle, f"The {each.handle}", state, each.schemes, mask(each.forbidden), each.personal_tokens, each.lease_ms, each.warn_ms
        )  # fmt: skip
        rows.append((records.Kind.ORGANIZATION, each.id, made))
        rows.append((records.Kind.ORGANIZATION_HANDLE, each.handle, records.OrganizationHandle(each.id)))
    rows += [(records.Kind.HOLDER, name, records.Holder(name, mask(held))) for name, held in scene.roles]
    for who in scene.accounts:
        person = records.Principal(
            who.id, who.kind, "", who.id, f"The {who.id}", who.state, mask(who.own), who.roles
        )
        rows.append((records.Kind.PRINCIPAL, who.id, person))
    for key in scene.credentials:
        digests = tuple(
            records.Digest(secret.pepper.digest(secret.token.encode()), secret.pepper.id, secret.until)
            for secret in key.secrets
        )
        credential = records.Credential(
            f"key_{key.kid}", key.kind, key.organization, key.account, key.state, digests, key.begins, key.expires, key.retires, key.rotate_by
        )  # fmt: skip
        rows.append((records.Kind.CREDENTIAL, key.kid, credential))
    return [Change(1, kind, key, records.encode(row)) for kind, key, row in rows]


def meta(scene: Scene) -> Meta:
    """The position of a scene's replica."""
    schema = records.SCHEMA if scene.readable else records.SCHEMA + 1
    boot, age_ns, ahead_ms = scene.lease
    wall, control, elapsed = scene.clock
    return Meta(
        1,
        REVISION,
        scene.complete,
        schema,
        boot_id=boot,
        fresh_from_ns=BOOT_NS + elapsed - age_ns if boot else 0,
        fresh_wall_ms=wall - age_ns // 1_000_000 - ahead_ms,
        control_time_ms=control,
        heard_ns=BOOT_NS,
    )
