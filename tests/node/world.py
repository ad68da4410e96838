"""A replica with known accounts, and a real worker process in front of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from retinue import pepper, permission
from retinue.node import identity
from retinue.replica import records
from retinue.replica.records import Change, Kind, Meta
from retinue.replica.store import Store
from retinue.token import Kind as TokenKind
from retinue.token import Token, mint
from tests.node.wire import Reply, ask
from tests.support.leases import LONG_MS, leased
from tests.support.processes import end_with_parent, free_port, stop, wait_for

ORGANIZATION = "org_acme000000000000"
OTHER = "org_other00000000000"
CLOSED = "org_closed0000000000"
PERMISSIONS = ("report:read", "report:write", "decision:ask")
HOUR_MS = 3_600_000
REVISION = 7


@dataclass
class World:
    """Folders of an installation, and tokens by what is special about them."""

    home: Path
    tokens: dict[str, Token] = field(default_factory=dict)

    @property
    def replica(self) -> Path:
        """The folder of the replica."""
        return self.home / "replica"

    @property
    def spool(self) -> Path:
        """The folder of the request log."""
        return self.home / "spool"

    def token(self, name: str) -> str:
        """Return a token as its holder has it."""
        return self.tokens[name].reveal()


def build(home: Path, *, complete: bool = True) -> World:
    """Make pepper, replica and signing key in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    world = World(home)
    if not (home / "pepper").exists():
        pepper.create(home / "pepper")
    store = Store(world.replica, writable=True, map_bytes=64 << 20)
    try:
        meta = leased(Meta(1, REVISION, complete))
        store.apply(_changes(world, pepper.load(home / "pepper")), meta)
    finally:
        store.close()
    identity.load_or_create(world.replica)
    return world


#: Reports of the north, whichever they are.
NORTH = records.Scope(permission.mask([1]), "where", where=(("site", ("north",)),))


def _changes(world: World, peppers: pepper.Peppers) -> list[Change]:
    now = int(time.time() * 1000)
    changes = [
        _change(Kind.PERMISSION, name, records.Permission(name, index))
        for index, name in enumerate(PERMISSIONS, start=1)
    ]
    for ident, handle, state in (
        (ORGANIZATION, "acme", "enabled"),
        (OTHER, "other", "enabled"),
        (CLOSED, "closed", "disabled"),
    ):
        organization = records.Organization(
            ident, handle, handle.title(), state, ("bearer",), lease_ms=LONG_MS, warn_ms=2 * HOUR_MS
        )
        changes.append(_change(Kind.ORGANIZATION, ident, organization))
        changes.append(_change(Kind.ORGANIZATION_HANDLE, handle, records.OrganizationHandle(ident)))
    reading = records.Holder("role:reader", permission.mask([1]))
    changes.append(_change(Kind.HOLDER, "role:reader", reading))
    for name, account, credential in (
        ("reader", {}, {}),
        ("bäcker", {}, {}),
        ("powerless", {"holders": ()}, {}),
        ("elsewhere", {"organization": OTHER}, {}),
        ("closed", {"organization": CLOSED}, {}),
        ("disabled", {"state": "disabled"}, {}),
        ("deleted", {"state": "deleted"}, {}),
        ("revoked", {}, {"state": "revoked"}),
        ("suspended", {}, {"state": "suspended"}),
        ("expired", {}, {"expires_at_ms": now - HOUR_MS}),
        (
            "warned",
            {},
            {"expires_at_ms": now + HOUR_MS, "retires_at_ms": now + HOUR_MS, "rotate_by_ms": now - HOUR_MS},
        ),
        ("gateway", {"permissions": permission.mask([3])}, {}),
        ("northern", {"holders": (), "scoped": (NORTH,)}, {}),
    ):
        changes += _account(world, peppers, name, account, credential)
    changes += _credential(world, peppers, "ingest", TokenKind.INGEST, "", {})
    key = records.IdentityKey("other-node", "elsewhere", "A" * 43)
    ended = records.IdentityKey("ended", "elsewhere", "B" * 43, not_after_ms=now - 1)
    return [
        *changes,
        _change(Kind.IDENTITY_KEY, "other-node", key),
        _change(Kind.IDENTITY_KEY, "ended", ended),
    ]


def _account(
    world: World,
    peppers: pepper.Peppers,
    name: str,
    account: Mapping[str, object],
    credential: Mapping[str, object],
) -> list[Change]:
    ident = f"sa_{name}"
    values: dict[str, object] = {
        "id": ident,
        "kind": "service_account",
        "organization": ORGANIZATION,
        "handle": name,
        "name": name,
        "state": "enabled",
        "holders": ("role:reader",),
        **account,
    }
    principal = records.Principal(**values)  # type: ignore[arg-type]
    given = {"organization": principal.organization, **credential}
    return [
        _change(Kind.PRINCIPAL, ident, principal),
        *_credential(world, peppers, name, TokenKind.API_KEY, ident, given),
    ]


def _credential(
    world: World,
    peppers: pepper.Peppers,
    name: str,
    kind: TokenKind,
    principal: str,
    given: dict[str, object],
) -> list[Change]:
    token = world.tokens[name] = mint(kind)
    values: dict[str, object] = {
        "id": f"key_{token.kid}",
        "kind": kind.value,
        "organization": ORGANIZATION,
        "principal": principal,
        "state": "active",
        "digests": (records.Digest(peppers.active.digest(token.as_bytes()), peppers.active.id),),
        **given,
    }
    return [_change(Kind.CREDENTIAL, token.kid, records.Credential(**values))]  # type: ignore[arg-type]


def _change(kind: Kind, key: str, record: records.Record) -> Change:
    return Change(REVISION, kind, key, records.encode(record))


@dataclass
class Node:
    """A running worker."""

    world: World
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, target: str, *fields: str, method: str = "GET", body: bytes | None = None) -> Reply:
        """Send one well-formed request on a connection of its own."""
        return ask(self.port, target, *fields, method=method, body=body)

    def forward_auth(self, need: str, token: str | None = None, *fields: str, method: str = "GET") -> Reply:
        """Ask as a gateway does."""
        presented = () if token is None else (f"Authorization: Bearer {self.world.token(token)}",)
        return self.get(f"/v1/forward-auth/{need}", *presented, *fields, method=method)

    def is_good(self) -> bool:
        """Tell whether a good request is answered as it must be."""
        return self.forward_auth("report:read", "reader").status == 200


@contextmanager
def running(world: World, *, index: int = 0, port: int | None = None, **settings: str) -> Iterator[Node]:
    """Run a worker over ``world`` until the block ends. ``settings`` are further variables."""
    port = port or free_port()
    log = world.home / f"worker-{index}-{port}.log"
    environ = {
        "PATH": os.environ["PATH"],
        "RETINUE_HOME": str(world.home),
        "RETINUE_NODE_PORT": str(port),
        **settings,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "retinue.node", "worker", "--index", str(index)],
            env=environ,
            stderr=output,
            preexec_fn=end_with_parent(),
        )
    node = Node(world, port, process, log)
    try:
        wait_for("the worker answers", lambda: _is_up(node))
        yield node
    finally:
        stop(process)


def _is_up(node: Node) -> bool:
    if node.process.poll() is not None:
        raise AssertionError(node.log.read_text())
    if b"worker listens" not in node.log.read_bytes():  # another worker may answer on the same port
        return False
    try:
        return node.get("/healthz").status == 200
    except OSError:
        return False
