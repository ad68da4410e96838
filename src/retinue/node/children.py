"""Who follows this relay: what each has applied, and until when each may still decide by what it was lent.

A relay acknowledges for all of them. It has confirmed a revision when it has applied it itself, and each
child has confirmed it, itself or by a successor on the same replica, or what was lent to the child has ended.
A child is lent what is left of the relay's own lease, less one margin, so by the relay's clock it has ended
when that lease has. A relay that starts again acknowledges for the one before, so it must know whom that one
has lent to: they stand in a file, written before anything is lent.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from retinue.replica.clocks import Clock

_log = logging.getLogger("retinue.relay")
FILE = "children"
#: So many followers of one child are remembered after another has come: those that come back are refused.
MOST_REPLACED = 8
#: A node that is silent for so long follows somebody else.
FORGOTTEN_SECONDS = 86_400
#: So many nodes may follow one relay itself.
MOST_CHILDREN = 256
_MS = 1_000_000

#: Epoch and revision.
Position = tuple[int, int]


class Superseded(Exception):
    """A newer follower of the same node is at work."""


class Forgotten(Exception):
    """The relay has begun anew since it heard the child: it must ask again."""


class TooMany(Exception):
    """As many nodes follow this relay as may."""


class Applied(msgspec.Struct, frozen=True):
    """How far a replica has come."""

    epoch: int = 0
    revision: int = 0
    mark: str = ""


class Follower(msgspec.Struct, frozen=True):
    """A node behind this relay, as the control plane is told of it."""

    node: str
    parent: str
    incarnation: str
    applied: Applied
    ago_ms: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a child said in a poll: who it is, and what holds on it and on all behind it.

    ``followers`` is what a child that is a relay itself told of those; ``None`` if it told nothing.
    """

    node: str
    name: str
    incarnation: str
    retires: str = ""
    confirmed: Position = (0, 0)
    followers: tuple[Follower, ...] | None = None


@dataclass(slots=True)
class Child:
    """One incarnation of a node that follows this relay. Instants are of our boot-time clock, in ns."""

    node: str
    name: str
    incarnation: str
    retires: str = ""
    is_superseded: bool = False
    confirmed: Position = (0, 0)
    #: When the last lease began from which it was lent, and until when it may decide by it.
    lent_from_ns: int = 0
    ends_ns: int = 0
    #: When it was last heard, by this incarnation of the relay (0: not yet), or was read from the file.
    heard_ns: int = 0
    known_ns: int = 0
    followers: tuple[Follower, ...] = ()
    clock: Clock = field(default_factory=Clock)


class _Kept(msgspec.Struct, array_like=True):
    """A child as it stands in the file."""

    node: str
    name: str
    incarnation: str
    retires: str
    is_superseded: bool


class _File(msgspec.Struct, array_like=True):
    """``lease_ms`` is the longest that was ever lent. Oldest children first."""

    lease_ms: int = 0
    children: list[_Kept] = []


class Children:
    """The children of one relay. Its caller sees to it that one thread at a time uses it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._rows: dict[tuple[str, str], Child] = {}
        self._lease_ms = 0
        #: Until then nothing is confirmed: children of the one before are unknown.
        self._quiet_until_ns = 0

    def begin(self, *, inherits: bool, now_ns: int, lease_ms: int) -> None:
        """Begin a new incarnation of this relay, which acknowledges for the one before if it ``inherits``.

        Whatever that one has lent ends with a lease of its own, which began before ``now_ns``. ``lease_ms``
        is the longest lease now, for a file that cannot be read.
        """
        self._rows.clear()
        self._quiet_until_ns = self._lease_ms = 0
        if not inherits:
            self._path.unlink(missing_ok=True)
            return
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.error("%s cannot be read, so nothing is confirmed for one lease: %s", self._path, error)
            self._quiet_until_ns = now_ns + lease_ms * _MS
            return
        self._lease_ms = file.lease_ms
        for each in file.children:
            row = Child(each.node, each.name, each.incarnation, each.retires, each.is_superseded)
            row.lent_from_ns = row.known_ns = now_ns
            row.ends_ns = now_ns + file.lease_ms * _MS
            self._rows[row.node, row.incarnation] = row

    def hear(self, said: Said, now_ns: int) -> Child:
        """Note a poll, before it is answered. Raises :class:`Superseded`, :class:`TooMany`, ``OSError``."""
        row = self._rows.get((said.node, said.incarnation))
        if row is None:
            row = self._register(said, now_ns)
        if row.is_superseded:
            raise Superseded
        row.confirmed, row.heard_ns, row.known_ns = said.confirmed, now_ns, now_ns
        if said.followers is not None:
            row.followers = said.followers
        return row

    def check(self, row: Child) -> None:
        """Raise :class:`Superseded` if a newer one has come, :class:`Forgotten` after a new beginning."""
        if row.is_superseded:
            raise Superseded
        if self._rows.get((row.node, row.incarnation)) is not row:
            raise Forgotten

    def lend(self, row: Child, from_ns: int, lease_ms: int) -> None:
        """Note that a child is lent from a lease that began then, before it is told. Raises ``OSError``."""
        row.lent_from_ns = max(row.lent_from_ns, from_ns)
        self.tell(row, lease_ms)

    def tell(self, row: Child, lease_ms: int) -> None:
        """Note what the longest lease is, before a child is answered. Raises ``OSError``.

        It may learn by that answer that leases are longer now, and what it was lent with them.
        """
        if not row.lent_from_ns:
            return
        if lease_ms > self._lease_ms:
            self._save(self._rows, lease_ms)
            self._lease_ms = lease_ms
        row.ends_ns = max(row.ends_ns, row.lent_from_ns + lease_ms * _MS)

    def confirmed(self, own: Position, now_ns: int) -> Position:
        """Return what holds on this relay, which is at ``own``, and on all that follow it."""
        epoch, revision = own
        if now_ns < self._quiet_until_ns:
            return epoch, 0
        heirs = {(row.node, row.retires): row for row in self._rows.values() if row.retires}
        for row in self._lent(now_ns):
            revision = min(revision, _reached(row, heirs, epoch))
        return epoch, revision

    def next_end_ns(self, now_ns: int) -> int | None:
        """Return when next something that was lent ends; ``None`` if nothing is lent."""
        ends = [row.ends_ns for row in self._lent(now_ns)]
        if now_ns < self._quiet_until_ns:
            ends.append(self._quiet_until_ns)
        return min(ends, default=None)

    def present(self) -> list[Child]:
        """Return the children's newest incarnations."""
        return [row for row in self._rows.values() if not row.is_superseded]

    def report(self, now_ns: int, most: int) -> list[Follower]:
        """Return who follows this relay, and who follows those; ``most`` at most.

        Who hears it knows who told it: the children's own ``parent`` is empty.
        """
        found: list[Follower] = []
        for row in self.present():
            if row.heard_ns:
                ago_ms = (now_ns - row.heard_ns) // _MS
                found.append(Follower(row.name, "", row.incarnation, Applied(*row.confirmed), ago_ms))
                found += [
                    msgspec.structs.replace(each, ago_ms=each.ago_ms + ago_ms, parent=each.parent or row.name)
                    for each in row.followers
                ]
        return found[:most]

    def _lent(self, now_ns: int) -> list[Child]:
        return [row for row in self._rows.values() if row.ends_ns > now_ns]

    def _register(self, said: Said, now_ns: int) -> Child:
        """Make the row of a new incarnation; older ones of the node are superseded by it."""
        rows = self._needed(now_ns)
        if len({row.node for row in rows.values()} | {said.node}) > MOST_CHILDREN:
            raise TooMany
        older = [row for row in rows.values() if row.node == said.node]
        made = Child(said.node, said.name, said.incarnation, said.retires)
        rows[made.node, made.incarnation] = made
        self._save(rows, self._lease_ms, but=older)
        for row in older:
            row.is_superseded = True
        self._rows = rows
        return made

    def _needed(self, now_ns: int) -> dict[tuple[str, str], Child]:
        """Return the rows to which something is lent, and of nodes that did not go elsewhere the latest."""
        by_node: dict[str, list[Child]] = {}
        for row in self._rows.values():
            by_node.setdefault(row.node, []).append(row)
        kept: dict[tuple[str, str], Child] = {}
        for rows in by_node.values():
            is_here = any(now_ns - row.known_ns < FORGOTTEN_SECONDS * 1_000_000_000 for row in rows)
            latest = rows[-MOST_REPLACED - 1 :] if is_here else []
            kept |= {
                (row.node, row.incarnation): row for row in rows if row.ends_ns > now_ns or row in latest
            }
        return kept

    def _save(
        self, rows: dict[tuple[str, str], Child], lease_ms: int, but: list[Child] | None = None
    ) -> None:
        """Write the file. It must outlive this process, not a power cut: no boot inherits from another."""
        kept = [
            _Kept(row.node, row.name, row.incarnation, row.retires, row.is_superseded or row in (but or ()))
            for row in rows.values()
        ]
        draft = self._path.with_name(f"{FILE}.new")
        draft.write_bytes(msgspec.json.encode(_File(lease_ms, kept)))
        draft.replace(self._path)


def _reached(row: Child, heirs: dict[tuple[str, str], Child], epoch: int) -> int:
    """Return the revision that a child's replica has confirmed, by its own word or that of a successor."""
    best, seen = 0, set()
    at: Child | None = row
    while at is not None and at.incarnation not in seen:
        seen.add(at.incarnation)
        if at.confirmed[0] == epoch:
            best = max(best, at.confirmed[1])
        at = heirs.get((at.node, at.incarnation))
    return best
