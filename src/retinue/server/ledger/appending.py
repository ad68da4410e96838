"""Appends events to the Merkle log and signs it: after their commit, in their order, each once.

Entries, tiles, size, root and signed note are committed together: what was signed is what the rows hold,
however a process ends. One process appends at a time. Nothing is signed that does not go on from what was
signed before. Writers wait for the rows alone, not for what is made of them before.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction as database
from django.db.models import Max
from django.utils import timezone

from retinue import proof
from retinue.server.ledger import current, feed, tree
from retinue.server.ledger.batch import Batch, Row, put, taken
from retinue.server.ledger.canonical import canonical
from retinue.server.ledger.entries import SALT_BYTES, Place, digest, instant, personal_text, record
from retinue.server.ledger.expiring import EXPIRED
from retinue.server.ledger.giving_way import giving_way
from retinue.server.ledger.models import AuditEvent, Entry, Head, Log, Tile
from retinue.server.ledger.signing import Key, Outside
from retinue.server.ledger.transaction import one_writer
from retinue.server.ledger.tree import End

#: Events in one transaction.
AT_ONCE = 256
#: Calls that are answered go first for so long.
PATIENCE_SECONDS = 0.2
#: Organizations whose last number is remembered.
MOST_NUMBERS = 10_000
_log = logging.getLogger("retinue.ledger")


class Broken(Exception):
    """The rows no longer give what was signed, or the log is another key's: nothing is signed."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a process remembers of the log that it has appended to last: its end, and the last numbers."""

    log: int
    end: End
    #: Of the organizations whose events it has appended.
    numbers: dict[str, int]

    def is_of(self, log: Log) -> bool:
        """Tell whether the log still ends there."""
        return (self.log, self.end.size, self.end.root) == (log.id, log.size, bytes(log.root))


_UNKNOWN = Known(0, End(), {})


@dataclass(slots=True)
class Signer:
    """Who signs: the name of the deployment, its key, and the file with the newest checkpoint."""

    deployment: str
    key: Key
    outside: Outside
    _known: Known = _UNKNOWN
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, deployment: str, home: Path, key_file: Path) -> Signer:
        """Read the key. Raises ``PepperError`` and ``SigningError``."""
        return cls(deployment, Key.load(key_file), Outside(home))

    def append(self, most: int = AT_ONCE) -> int:
        """Append at most ``most`` events, sign, and return how many there were. Raises :class:`Broken`.

        Everything is made, checked and signed before the door is taken: writers wait for the rows alone.
        Zero is also returned if another process has appended meanwhile, or does so now.
        """
        with self._turn:
            # Before the row: another process may append and write the file at any moment.
            outside = self.outside.read()
            log = newest()
            if log is None or log.epoch != feed.position().epoch:
                log = self.begin()
            if bytes(log.public_key) != self.key.public:
                raise Broken(f"{log.origin} is signed by another key than the one of this process")
            with giving_way(PATIENCE_SECONDS):
                rows = _following(log, most)
                if not rows:
                    return 0
                batch, numbers = self._made(log, rows, outside)
            with one_writer(last=True), database.atomic(durable=True), current.appending():
                if not batch.write():
                    return 0
            self._known = Known(log.id, batch.end, numbers)
            self.outside.write(batch.checkpoint)
            return len(rows)

    def _made(
        self, log: Log, rows: list[AuditEvent], outside: proof.Checkpoint | None
    ) -> tuple[Batch, dict[str, int]]:
        """Return what is written for these events, and the last number of each organization then."""
        known = self._known if self._known.is_of(log) else None
        end = _checked(log, known, outside)
        numbers = {} if known is None or len(known.numbers) > MOST_NUMBERS else dict(known.numbers)
        entries, digests = _entries(log, rows, numbers)
        grown, tiles = end.grown(digests)
        note = self.key.checkpoint(log.origin, grown.size, grown.root)
        last = rows[-1]
        return Batch(log, grown, entries, tiles, last.revision, last.n, note, timezone.now()), numbers

    def begin(self) -> Log:
        """Return the log of the present epoch and this key, made if there is none.

        Its first entry names the newest checkpoint that is known of the log before, and what is still there.
        """
        with one_writer(), database.atomic(durable=True), current.appending():
            head = Head.objects.select_for_update(no_key=True).get(id=1)
            # Whoever appends to it is waited for: the new one begins behind that.
            before = Log.objects.select_for_update(no_key=True).order_by("-id").first()
            if before and before.epoch == head.epoch and bytes(before.public_key) == self.key.public:
                return before
            made = Log(**self._begun(before, head.epoch))
            end, tiles = End().grown([digest(made.link)] if before else [])
            made.size, made.root = end.size, end.root
            if before is not None:
                made.checkpoint = self.key.checkpoint(made.origin, end.size, end.root)
                made.signed_at = made.began_at
            made.save(force_insert=True)
            put(made, tiles)
        if before is not None:
            self.outside.write(made.checkpoint)
            _log.warning("the audit log goes on as %s, after %s", made.origin, before.origin)
        return made

    def _begun(self, before: Log | None, epoch: int) -> dict[str, object]:
        count = Log.objects.filter(epoch=epoch).count()
        name = f"{epoch}.{count + 1}" if count else str(epoch)
        begun: dict[str, object] = {
            "id": before.id + 1 if before else 1,
            "name": name,
            "epoch": epoch,
            "origin": f"{self.deployment}/ledger/{name}",
            "public_key": self.key.public,
            "began_at": timezone.now(),
            "revision": before.revision if before else 0,
            "n": before.n if before else 0,
        }
        return begun if before is None else begun | {"link": self._link(before, str(begun["origin"]))}

    def _link(self, before: Log, origin: str) -> str:
        known = self.outside.read()
        is_ahead = known is not None and known.origin == before.origin and known.size > before.size
        size, root = (known.size, known.root) if known and is_ahead else (before.size, bytes(before.root))
        return canonical(
            {
                "version": 1,
                "continues": {"origin": before.origin, "size": size, "root": root.hex()},
                # What of it is still there; from there on it is lost.
                "kept": {"size": before.size, "root": bytes(before.root).hex()},
                "key": proof.told_key(origin, self.key.public),
                "at": instant(timezone.now()),
                "salt": secrets.token_hex(SALT_BYTES),
            }
        )


def newest() -> Log | None:
    """Return the log that is added to; ``None`` before the first."""
    return Log.objects.order_by("-id").first()


def reader(log: Log) -> tree.Read:
    """Return what reads the tiles of a log; one that is not there is empty."""

    def read(level: int, n: int) -> bytes:
        data = Tile.objects.filter(log=log, level=level, n=n).values_list("data", flat=True).first()
        return b"" if data is None else bytes(data)

    return read


def _checked(log: Log, known: Known | None, outside: proof.Checkpoint | None) -> End:
    """Return the end of a log. Raise :class:`Broken` unless its tiles give what was signed, here and outside.

    Tiles that are those that were checked before need not be hashed once more.
    """
    stored = taken(log, tree.edge(log.size))
    is_known = known is not None and known.end.is_in(stored)
    end = known.end if known is not None and is_known else End.of(log.size, stored)
    if end.root != bytes(log.root) or not (is_known or end.is_sound):
        raise Broken(f"{log.origin}: the rows do not give the root that was signed at {log.size}")
    if outside is None or outside.origin != log.origin:
        return end
    if outside.size > log.size:
        raise Broken(f"{log.origin}: {outside.size} entries were signed, and there are {log.size}")
    # Another process may have appended since the file was written.
    is_last = outside.size == log.size
    if outside.root != (end.root if is_last else tree.Tree(outside.size, reader(log)).root):
        raise Broken(f"{log.origin}: the rows do not give the root that was signed at {outside.size}")
    return end


def _following(log: Log, most: int) -> list[AuditEvent]:
    """Return the events that come next; husks of events that went before say nothing."""
    rows = AuditEvent.objects.filter(revision__gte=log.revision)
    rows = rows.exclude(revision=log.revision, n__lte=log.n).exclude(type="")
    return list(rows.select_related("personal").order_by("revision", "n")[:most])


def _entries(log: Log, rows: Iterable[AuditEvent], numbers: dict[str, int]) -> tuple[list[Row], list[bytes]]:
    """Return a row and an entry for each event; ``numbers``, the last ones of organizations, go on."""
    made, digests = list[Row](), list[bytes]()
    for index, row in enumerate(rows, start=log.size):
        number = numbers.get(row.organization)
        number = (_last_number(log, row.organization) if number is None else number) + 1
        numbers[row.organization] = number
        part = getattr(row, "personal", None)
        hashed = b"" if part is None else digest(personal_text(part.salt, part.data))
        place = Place(number, secrets.token_bytes(SALT_BYTES), hashed)
        made.append((row.id, index, row.organization, number, place.salt, hashed))
        digests.append(digest(record(row, place)))
    return made, digests


def _last_number(log: Log, organization: str) -> int:
    """Return the last number that an organization's events have in a log, also if they went since."""
    rows = Entry.objects.filter(log=log, organization=organization)
    went = AuditEvent.objects.filter(organization=organization, type=EXPIRED).order_by("-revision", "-n")
    told = went.values_list("after", flat=True).first() or {}
    last = rows.aggregate(last=Max("sequence"))["last"] or 0
    return max(int(last), int(told.get("numbers", {}).get(log.name, 0)))
