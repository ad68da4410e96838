"""The Merkle log: what is appended, what is signed, and what is found when rows are not what they were."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.db import transaction as database
from django.db.models import QuerySet

from retinue import proof
from retinue.server.ledger import appending, current, tree, verifying
from retinue.server.ledger.appending import Broken, Signer
from retinue.server.ledger.entries import Place, digest, personal_text, record
from retinue.server.ledger.guard import UnguardedWrite
from retinue.server.ledger.models import AuditEvent, Entry, Log, PersonalPart, Tile
from retinue.server.ledger.queries import events
from retinue.server.ledger.signing import Key, Outside
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.server_support import merkle
from tests.storage.estate import Estate, Task

pytestmark = pytest.mark.usefixtures("awake")


def test_each_event_is_in_the_log_once_and_in_order(estate: Estate) -> None:
    """
    After a change each of its events has an entry, in the order of the commits, numbered for its organization
    without a gap; appending again appends nothing. The checkpoint is signed, and its root that of the entries.
    """
    merkle.append()
    before = appending.newest()
    assert before is not None
    estate.revoke(estate.key(estate.account())[0])
    signer = merkle.append()
    log = appending.newest()
    assert log is not None
    rows = list(Entry.objects.filter(log=log, organization=estate.organization.id).order_by("index"))
    said = [row.id for row in events(estate.organization.id).order_by("revision", "n")]
    signed = proof.read_checkpoint(log.checkpoint)
    signed.check(bytes(log.public_key))

    assert said == [row.event for row in rows]
    assert list(range(1, len(rows) + 1)) == [row.sequence for row in rows]
    assert 0 == signer.append()
    assert (log.origin, log.size, bytes(log.root)) == (signed.origin, signed.size, signed.root)
    assert log.size > before.size > 0
    assert signed == signer.outside.read()
    path = tree.Tree(log.size, appending.reader(log)).consistency(before.size)
    assert proof.is_consistent(before.size, bytes(before.root), log.size, bytes(log.root), path)


def test_an_entry_is_the_hash_of_a_record_without_personal_data(estate: Estate) -> None:
    """
    The entry is the hash of the record; the record holds the hash of the personal part, and no name, address or
    reason.
    """
    merkle.append()
    event = events(estate.organization.id).filter(subject=estate.owner.id).order_by("revision", "n")[0]
    entry = Entry.objects.get(event=event.id)
    place = Place(entry.sequence, bytes(entry.salt), bytes(entry.personal))
    text = record(event, place)
    part = PersonalPart.objects.get(event=event)
    stored = tree.hashes(appending.reader(entry.log)(tree.ENTRIES, entry.index // 256))[entry.index % 256]

    assert digest(text) == stored
    assert json.loads(text)["personal"] == digest(personal_text(bytes(part.salt), part.data)).hex()
    assert estate.owner.email == part.data["subject_name"]
    assert estate.owner.email not in text


def test_an_event_that_is_erased_or_kept_no_longer_leaves_the_log_whole(estate: Estate) -> None:
    """
    With its personal part gone an event is still proven.
    """
    account = estate.account()
    merkle.append()
    event = events(estate.organization.id).filter(subject=account.id)[0]
    with transaction(SYSTEM, reason="erase") as tx, current.expiring():
        PersonalPart.objects.filter(event=event).delete()
        tx.record("account.updated", account.id, name="x", organization=estate.organization.id)
    signer = merkle.append()

    assert [] == verifying.verify(signer.outside.read())


def test_only_appending_writes_the_log(estate: Estate) -> None:
    """
    Neither outside a transaction nor inside one, nor with the ways that are open for events, are entries
    written, changed or deleted.
    """
    merkle.append()
    for verb in (
        "DELETE FROM ledger_entry",
        "UPDATE ledger_tile SET n = 2",
        "UPDATE ledger_log SET size = 0",
    ):
        with connection.cursor() as cursor:
            with pytest.raises(UnguardedWrite):
                cursor.execute(verb)
            with pytest.raises(UnguardedWrite), transaction(SYSTEM):
                cursor.execute(verb)
    with connection.cursor() as cursor, pytest.raises(UnguardedWrite), current.appending():
        cursor.execute("DELETE FROM ledger_tile")


def test_two_append_at_once(estate: Estate, tmp_path: Path) -> None:
    """
    Two processes that append at the same time make one log, each event once.
    """
    first = merkle.append()
    second = Signer(first.deployment, first.key, Outside(tmp_path))
    for _ in range(3):
        for _ in range(5):
            estate.account()
        for task in [Task(each.append) for each in (first, second) * 2]:
            task.result()
    merkle.append()

    assert [] == verifying.verify(first.outside.read()) == verifying.verify(second.outside.read())
    rows = Entry.objects.filter(organization=estate.organization.id).order_by("index")
    assert [row.id for row in events(estate.organization.id).order_by("revision", "n")] == [
        row.event for row in rows
    ]


def _swap(log: Log, level: int) -> None:
    """Exchange the first and the last hash of the newest tile that has more than one."""
    tiles = Tile.objects.filter(log=log, level=level).order_by("-n")
    tile = next(tile for tile in tiles if len(tile.data) > 32)
    data = bytes(tile.data)
    Tile.objects.filter(id=tile.id).update(data=data[-32:] + data[32:-32] + data[:32])


#: What a writer of the database does to an event of the organization, and to the end of the log.
TAMPERED: dict[str, Callable[[AuditEvent, Log], object]] = {
    "type": lambda event, log: AuditEvent.objects.filter(id=event.id).update(type="account.deleted"),
    "actor": lambda event, log: AuditEvent.objects.filter(id=event.id).update(actor="usr_other"),
    "after": lambda event, log: AuditEvent.objects.filter(id=event.id).update(after={"name": "other"}),
    "organization": lambda event, log: AuditEvent.objects.filter(id=event.id).update(organization="org_x"),
    "name": lambda event, log: PersonalPart.objects.filter(event=event).update(data={"actor_name": "Eve"}),
    "event dropped": lambda event, log: _drop(event),
    "all of it dropped": lambda event, log: _drop(event, Entry.objects.filter(event=event.id)),
    "event planted": lambda event, log: AuditEvent.objects.create(
        id=f"{event.revision}.99", revision=event.revision, n=99, at=event.at, organization=event.organization,
        type="account.created", actor_kind="user", actor="x", subject_kind="x", subject="x",
    ),
    "entries swapped": lambda event, log: _swap(log, -1),
    "leaves swapped": lambda event, log: _swap(log, 0),
    "truncated": lambda event, log: Log.objects.filter(id=log.id).update(size=log.size - 1),
    "root": lambda event, log: Log.objects.filter(id=log.id).update(root=b"r" * 32),
    "note": lambda event, log: Log.objects.filter(id=log.id).update(
        checkpoint=log.checkpoint.replace(f"\n{log.size}\n", f"\n{log.size + 1}\n")
    ),
}  # fmt: skip


def _drop(event: AuditEvent, *more: QuerySet[Entry]) -> None:
    for each in more:
        each.delete()
    PersonalPart.objects.filter(event=event).delete()
    AuditEvent.objects.filter(id=event.id).delete()


@pytest.mark.parametrize("how", TAMPERED)
def test_what_a_writer_of_the_database_does_is_found(estate: Estate, how: str) -> None:
    """
    An event that was changed, moved, dropped or planted, entries that changed places, and a log that was cut or
    signed otherwise: a look at the rows names trouble; and without it, none.
    """
    estate.account()
    estate.account()
    signer = merkle.append()
    log = appending.newest()
    assert log is not None
    event = events(estate.organization.id).exclude(n=1).order_by("revision", "n")[0]
    well = verifying.verify(signer.outside.read())
    with database.atomic():
        with current.suspended():
            TAMPERED[how](event, log)
        found = list(verifying._troubles(Log.objects.get(id=log.id), signer.outside.read(), lambda: None))
        found += [verifying._missing()]
        database.set_rollback(True)

    assert [] == well
    assert any(found), found


def test_nothing_is_signed_over_rows_that_changed(estate: Estate) -> None:
    """
    When the tiles give another root than the one that was signed, or fewer entries than the file outside tells,
    nothing is appended, and the log says so until the rows are what they were.
    """
    signer = merkle.append()
    log = appending.newest()
    assert log is not None
    estate.account()
    tile = Tile.objects.filter(log=log, level=0).order_by("-n")[0]
    data = bytes(tile.data)
    with current.suspended():
        Tile.objects.filter(id=tile.id).update(data=b"x" * 32 + data[32:])
    with pytest.raises(Broken, match="do not give the root"):
        signer.append()
    with current.suspended():
        Tile.objects.filter(id=tile.id).update(data=data)
    note = signer.outside._path.read_text()
    signer.outside.write(signer.key.checkpoint(log.origin, log.size + 1_000, b"r" * 32))
    with pytest.raises(Broken, match="were signed, and there are"):
        signer.append()
    signer.outside.write(note)

    assert log.size == Log.objects.get(id=log.id).size
    assert signer.append() > 0
    assert [] == verifying.verify(signer.outside.read())


def test_another_key_does_not_sign(estate: Estate, tmp_path: Path) -> None:
    """
    A process with another key than the log's appends nothing; beginning with it makes another origin, whose
    first entry names what the last one had signed.
    """
    signer = merkle.append()
    before = appending.newest()
    assert before is not None
    other = Signer(signer.deployment, Key(secrets.token_bytes(32)), signer.outside)
    estate.account()
    with pytest.raises(Broken, match="another key"):
        other.append()
    made = other.begin()
    other.append()
    link = json.loads(made.link)
    back = signer.begin()

    assert made.origin != before.origin
    assert {"origin": before.origin, "size": before.size, "root": bytes(before.root).hex()} == link[
        "continues"
    ]
    assert link["kept"]["size"] == before.size
    assert proof.told_key(made.origin, other.key.public) == link["key"]
    assert back.id == made.id + 1
    assert [] == verifying.verify(signer.outside.read())
