"""A relay, and nodes that follow it, as real followers below a scripted control plane."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from retinue import pepper
from retinue.pepper import Peppers
from retinue.replica import lease, records
from retinue.replica.records import Kind
from retinue.token import Kind as TokenKind
from retinue.token import Token, mint
from tests.node.control import JSON, Control, Request
from tests.node.following import Following, Home, following, make_home
from tests.support.processes import free_port, wait_for
from tests.support.wire import Broken, Wire

ORGANIZATION = "org_installation0000"
#: Short, so that a test may see it end; and long beside what this machine may be late.
LEASE_MS = 3_000
LEASE_SECONDS = LEASE_MS / 1000
#: So long that no test waits for its end: what is confirmed under it was confirmed by the nodes themselves.
LONG_LEASE_MS = 600_000


@dataclass
class Enrolled:
    """A node with its credential."""

    name: str
    token: Token
    relay: bool
    home: Home

    @property
    def credential_id(self) -> str:
        """The id of its credential."""
        return f"cred_{self.token.kid}"


@dataclass
class Tree:
    """The control plane, and the nodes that it knows."""

    control: Control
    folder: Path
    peppers: Peppers
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Where the relay listens."""
        return f"http://127.0.0.1:{self.port}"

    def enrol(self, name: str, *, relay: bool = False) -> Enrolled:
        """Enrol a node, and make its home."""
        home = make_home(self.folder / name)
        shutil.copy(self.folder / "pepper", home.path / "pepper")
        made = Enrolled(name, mint(TokenKind.NODE), relay, home)
        (home.path / "node-token").write_text(made.token.reveal())
        self.tell(made)
        return made

    def tell(self, node: Enrolled, *, state: str = "enrolled", replaced: bool = False) -> None:
        """Commit what relays know of a node."""
        digest = records.Digest(self.peppers.active.digest(node.token.as_bytes()), self.peppers.active.id)
        life = "active" if state == "enrolled" else "revoked"
        credential = records.Credential(
            node.credential_id, TokenKind.NODE.value, ORGANIZATION, "", life, (digest,)
        )
        record = records.Node(f"nod_{node.name}", node.name, state, node.relay, replaced)
        with self.control.changed:
            self.control.truth.put(Kind.CREDENTIAL, node.token.kid, credential)
            self.control.truth.put(Kind.NODE, node.credential_id, record)
            self.control.changed.notify_all()

    @contextmanager
    def relay(self, node: Enrolled, above: Control | str | None = None, port: int = 0) -> Iterator[Following]:
        """Run a node as a relay until the block ends."""
        port = port or self.port
        with following(node.home, above or self.control, RETINUE_RELAY_PORT=str(port)) as running:
            yield running

    def ready(self, port: int = 0) -> None:
        """Wait until nodes can follow the relay."""
        wait_for("the relay is ready", lambda: answers(port or self.port, "/readyz") == 200)

    def polls(self, node: Enrolled) -> list[Request]:
        """Return the polls of a node that have reached the control plane, in order."""
        with self.control.lock:
            received = [*self.control.received]
        token = node.token.reveal()
        return [each for each in received if each.token == token and each.path.endswith("/poll")]

    def told(self, node: Enrolled) -> list[JSON]:
        """Return what a relay has told last of those that follow it."""
        said = [each.body["followers"] for each in self.polls(node) if "followers" in each.body]
        return list(said[-1]) if said else []

    def copy_of(self, node: Enrolled, name: str) -> Home:
        """Make another home with a node's credential."""
        home = make_home(self.folder / name)
        for file in ("pepper", "node-token"):
            shutil.copy(node.home.path / file, home.path / file)
        return home

    def confirmed(self, node: Enrolled) -> int:
        """Return the revision that the last poll of a node confirms, for itself and for all behind it."""
        body: JSON = self.polls(node)[-1].body
        return int((body.get("confirmed") or body["applied"])["revision"])

    def wait_confirmed(self, node: Enrolled, revision: int) -> None:
        """Wait until a node has confirmed a revision."""
        wait_for(f"{node.name} confirms {revision}", lambda: self.confirmed(node) >= revision)

    def refuses_first(self, node: Enrolled, above: Enrolled, revision: int) -> None:
        """Wait until a node that is out of touch decides no more: before, who is above it confirms nothing new.

        What is confirmed is read first: whoever still decides afterwards decided then, too.
        """
        while True:
            confirmed = self.confirmed(above)
            if not decides(node):
                return
            assert confirmed < revision
            time.sleep(0.02)

    def lengthen(self, relay: Enrolled, child: Enrolled) -> None:
        """Make leases long, and wait until a child has one: from then on nothing is confirmed without it."""
        self.lease(LONG_LEASE_MS)
        self.wait_confirmed(relay, self.control.truth.head)
        wait_for("the child has a long lease", lambda: applied(child) == self.control.truth.head)

    def lease(self, lease_ms: int) -> None:
        """Commit how long leases are."""
        organization = records.Organization(
            ORGANIZATION, "inst", "Inst", "enabled", ("bearer",), lease_ms=lease_ms
        )
        with self.control.changed:
            self.control.lease_ms = lease_ms
            self.control.truth.put(Kind.ORGANIZATION, ORGANIZATION, organization)
            self.control.changed.notify_all()


def growing(control: Control, folder: Path) -> Tree:
    """Make a tree without nodes on a control plane; leases are short."""
    pepper.create(folder / "pepper")
    tree = Tree(control, folder, pepper.load(folder / "pepper"))
    tree.lease(LEASE_MS)
    return tree


def answers(port: int, path: str, token: str | None = None, method: str = "GET", body: object = None) -> int:
    """Return the status of a call, 0 without an answer."""
    wire = Wire(f"http://127.0.0.1:{port}", token)
    try:
        return wire.call(method, path, body).status
    except Broken:
        return 0
    finally:
        wire.close()


def decides(node: Enrolled, lease_ms: int = LEASE_MS) -> bool:
    """Tell whether the replica of a node may decide now."""
    meta = node.home.meta()
    now = lease.boot_clock_ns(), lease.wall_clock_ms()
    return meta.complete and lease.is_running(meta, lease_ms, lease.boot_id(), *now)


def applied(node: Enrolled) -> int:
    """Return the revision of a node's replica."""
    return node.home.meta().revision


@contextmanager
def frozen(running: Following) -> Iterator[None]:
    """Stop a follower until the block ends."""
    running.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        running.process.send_signal(signal.SIGCONT)
