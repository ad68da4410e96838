"""Appends events to the Merkle log and signs it: after their commit, in their order, each once.

Entries, tiles, size, root and signed note are committed together: what was signed is what the rows hold,
however a process ends. One process appends at a time. Nothing is signed that does not go on from what was
signed before.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.db import transaction as database
from django.db.models import Max
from django.utils import timezone

from retinue import proof
from retinue.server.ledger import current, feed, tree
from retinue.server.ledger.canonical import canonical
from retinue.server.ledger.entries import SALT_BYTES, Place, digest, instant, personal_text, record
from retinue.server.ledger.expiring import EXPIRED
from retinue.server.ledger.models import AuditEvent, Entry, Head, Log, Tile
from retinue.server.ledger.signing import Key, Outside
from retinue.server.ledger.transaction import one_writer

#: Events in one transaction.
AT_ONCE = 256
_log = logging.getLogger("retinue.ledger")

_PUT = """
INSERT INTO ledger_tile (log_id, level, n, data) VALUES (%s, %s, %s, %s)
ON CONFLICT (log_id, level, n) DO UPDATE SET data = excluded.data
"""


class Broken(Exception):
    """The rows no longer give what was signed, or the log is another key's: nothing is signed."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the name of the deployment, its key, and the file with the newest checkpoint."""

    deployment: str
    key: Key
    outside: Outside

    @classmethod
    def load(cls, deployment: str, home: Path, key_file: Path) -> Signer:
        """Read the key. Raises ``PepperError`` and ``SigningError``."""
        return cls(deployment, Key.load(key_file), Outside(home))

    def append(self, most: int = AT_ONCE) -> int:
        """Append at most ``most`` events, sign, and return how many there were. Raises :class:`Broken`.

        Zero is also returned while another process appends.
        """
        log = newest()
        if log is None or log.epoch != feed.position().epoch:
            log = self.begin()
        if bytes(log.public_key) != self.key.public:
            raise Broken(f"{log.origin} is signed by another key than the one of this process")
        rows = _following(log, most)
        if not rows:
            return 0
        made = _entries(log, rows)
        with one_writer(), database.atomic(durable=True), current.appending():
            locked = (
                Log.objects.select_for_update(skip_locked=True, no_key=True)
                .filter(id=log.id, size=log.size)
                .first()
            )
            if locked is None:
                return 0
            self._check(locked)
            Entry.objects.bulk_create([entry for entry, _ in made])
            self._grow(locked, [entry for _, entry in made], rows[-1].revision, rows[-1].n)
        self.outside.write(locked.checkpoint)
        return len(rows)

    def begin(self) -> Log:
        """Return the log of the present epoch and this key, made if there is none.

        Its first entry names the newest checkpoint that is known of the log before, and what is still there.
        """
        with one_writer(), database.atomic(durable=True), current.appending():
            head = Head.objects.select_for_update(no_key=True).get(id=1)
            before = newest()
            if before and before.epoch == head.epoch and bytes(before.public_key) == self.key.public:
                return before
            made = Log.objects.create(**self._begun(before, head.epoch))
            if before is not None:
                self._grow(made, [digest(made.link)], made.revision, made.n)
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
            "root": proof.EMPTY,
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

    def _check(self, log: Log) -> None:
        """Raise :class:`Broken` unless the tiles give what was signed, in the row and outside."""
        read = reader(log)
        if tree.Tree(log.size, read).root != bytes(log.root):
            raise Broken(f"{log.origin}: the rows do not give the root that was signed at {log.size}")
        known = self.outside.read()
        if known is None or known.origin != log.origin:
            return
        if known.size > log.size:
            raise Broken(f"{log.origin}: {known.size} entries were signed, and there are {log.size}")
        if tree.Tree(known.size, read).root != known.root:
            raise Broken(f"{log.origin}: the rows do not give the root that was signed at {known.size}")

    def _grow(self, log: Log, entries: list[bytes], revision: int, n: int) -> None:
        changed = tree.grown(log.size, entries, reader(log))
        with connection.cursor() as cursor:
            cursor.executemany(_PUT, [(log.id, *place, data) for place, data in changed.items()])
        log.size += len(entries)
        log.root = tree.Tree(log.size, reader(log)).root
        log.revision, log.n, log.signed_at = revision, n, timezone.now()
        log.checkpoint = self.key.checkpoint(log.origin, log.size, bytes(log.root))
        log.save()


def newest() -> Log | None:
    """Return the log that is added to; ``None`` before the first."""
    return Log.objects.order_by("-id").first()


def reader(log: Log) -> tree.Read:
    """Return what reads the tiles of a log; one that is not there is empty."""

    def read(level: int, n: int) -> bytes:
        data = Tile.objects.filter(log=log, level=level, n=n).values_list("data", flat=True).first()
        return b"" if data is None else bytes(data)

    return read


def _following(log: Log, most: int) -> list[AuditEvent]:
    """Return the events that come next; husks of events that went before say nothing."""
    rows = AuditEvent.objects.filter(revision__gte=log.revision)
    rows = rows.exclude(revision=log.revision, n__lte=log.n).exclude(type="")
    return list(rows.select_related("personal").order_by("revision", "n")[:most])


def _entries(log: Log, rows: Iterable[AuditEvent]) -> list[tuple[Entry, bytes]]:
    """Return a row and an entry for each event."""
    numbers: dict[str, int] = {}
    made = []
    for at, row in enumerate(rows):
        number = numbers.get(row.organization)
        numbers[row.organization] = number = (number or _last_number(log, row.organization)) + 1
        part = getattr(row, "personal", None)
        hashed = b"" if part is None else digest(personal_text(part.salt, part.data))
        place = Place(number, secrets.token_bytes(SALT_BYTES), hashed)
        entry = Entry(
            event=row.id,
            log=log,
            index=log.size + at,
            organization=row.organization,
            sequence=place.sequence,
            salt=place.salt,
            personal=place.personal,
        )
        made.append((entry, digest(record(row, place))))
    return made


def _last_number(log: Log, organization: str) -> int:
    """Return the last number that an organization's events have in a log, also if they went since."""
    rows = Entry.objects.filter(log=log, organization=organization)
    went = AuditEvent.objects.filter(organization=organization, type=EXPIRED).order_by("-revision", "-n")
    told = went.values_list("after", flat=True).first() or {}
    last = rows.aggregate(last=Max("sequence"))["last"] or 0
    return max(int(last), int(told.get("numbers", {}).get(log.name, 0)))
