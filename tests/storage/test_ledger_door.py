"""The write door: nothing guarded is written outside it, and nothing inside it without an event."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection
from django.db import transaction as database
from django.utils import timezone

from retinue.replica.records import Kind
from retinue.server.access.models import Grant, Permission
from retinue.server.directory.models import Organization, Principal
from retinue.server.ledger import feed as ledger
from retinue.server.ledger import guard
from retinue.server.ledger.guard import UnguardedWrite
from retinue.server.ledger.models import AuditEvent, Change, Head, PersonalPart
from retinue.server.ledger.transaction import SYSTEM, UnrecordedWrite, reading, transaction
from tests.storage.estate import Estate, Task

_ORM: dict[str, Callable[[Principal], object]] = {
    "save": lambda row: row.save(),
    "update": lambda row: Principal.objects.filter(id=row.id).update(name="x"),
    "delete": lambda row: Grant.objects.filter(subject=row.id).delete(),
    "create": lambda row: Permission.objects.create(name="a:b", index=9_999),
    "get_or_create": lambda row: Permission.objects.get_or_create(name="a:b", defaults={"index": 9_999}),
    "bulk_create": lambda row: Permission.objects.bulk_create([Permission(name="a:b", index=9_999)]),
    "bulk_update": lambda row: Principal.objects.bulk_update([row], ["name"]),
    "related": lambda row: row.ownerships.create(owner=row),
    "head": lambda row: Head.objects.update(revision=0),
    "event": lambda row: AuditEvent.objects.all().delete(),
}
_RAW = [
    "UPDATE directory_principal SET name = 'x'",
    'update "directory_principal" set name = %s',
    "UPDATE ONLY public.directory_principal SET name = 'x'",
    'UPDATE "public"."directory_principal" SET name = 1',
    "UPDATE OR IGNORE directory_principal SET name = 'x'",
    "DELETE FROM directory_principal",
    "delete\n\tfrom directory_principal",
    "DELETE/**/FROM/* x */directory_principal",
    "DELETE -- all of it\nFROM directory_principal",
    "INSERT INTO access_permission (name) VALUES ('a:b')",
    "INSERT OR REPLACE INTO access_permission (name) VALUES ('a:b')",
    "REPLACE INTO access_permission (name) VALUES ('a:b')",
    "WITH gone AS (DELETE FROM directory_principal RETURNING id) SELECT count(*) FROM gone",
    "WITH x AS (SELECT 1) UPDATE directory_principal SET name = 'x'",
    "WITH x AS (SELECT 1) INSERT INTO access_permission SELECT * FROM x",
    "MERGE INTO directory_principal USING x ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE directory_principal",
    "TRUNCATE TABLE ONLY directory_principal CASCADE",
    "TRUNCATE traffic_request, directory_principal",
    "COPY directory_principal FROM STDIN",
    "DROP TABLE IF EXISTS directory_principal",
    "DROP TABLE traffic_request, directory_principal",
    "ALTER TABLE directory_principal ADD COLUMN x integer",
    "SELECT 1; DELETE FROM directory_principal",
    "EXPLAIN ANALYZE DELETE FROM directory_principal",
    "CREATE TRIGGER t AFTER INSERT ON nodes_lease BEGIN DELETE FROM ledger_auditevent; END",
]
_APPS = (
    "policies",
    "ledger",
    "directory",
    "access",
    "credentials",
    "nodes",
    "traffic",
    "governance",
    "notifications",
    "api",
    "console",
)
_READS = [
    "SELECT * FROM directory_principal WHERE name = 'update' FOR UPDATE",
    "SELECT * FROM directory_principal FOR UPDATE OF directory_principal",
    "WITH x AS (SELECT * FROM directory_principal) SELECT * FROM x",
]


@pytest.mark.parametrize("how", _ORM)
def test_the_orm_cannot_write_outside_a_transaction_of_the_ledger(estate: Estate, how: str) -> None:
    """
    Every way in which the ORM writes is refused outside the door, inside a plain transaction too.
    """
    with pytest.raises(UnguardedWrite):
        _ORM[how](estate.owner)
    with pytest.raises(UnguardedWrite), database.atomic():
        _ORM[how](estate.owner)


@pytest.mark.parametrize("statement", _RAW)
def test_raw_statements_cannot_write_either(estate: Estate, statement: str) -> None:
    """
    A statement that writes a guarded table anywhere in it is refused before it reaches the database.
    """
    with connection.cursor() as cursor, pytest.raises(UnguardedWrite):
        cursor.execute(statement)
    with connection.cursor() as cursor, pytest.raises(UnguardedWrite):
        cursor.executemany(statement, [("x",)])


@pytest.mark.parametrize("statement", _READS)
def test_reads_are_not_taken_for_writes(server_database: str, statement: str) -> None:
    """
    Locks and common table expressions that only read are let through.
    """
    assert not {table for _, table in guard.writes(statement)} & guard.guarded_tables()


def test_the_guard_is_on_in_production_settings_and_on_every_connection(estate: Estate) -> None:
    """
    The refusal does not depend on a debug setting, and a connection of a new thread has it too.
    """
    assert settings.DEBUG is False
    with pytest.raises(UnguardedWrite):
        Task(lambda: Organization.objects.update(name="x")).result()


def test_a_wrapper_around_the_opening_of_a_connection_takes_itself_away(estate: Estate) -> None:
    """
    A call whose own wrapper is on before its thread has a connection leaves the guard on, and nothing else.
    """

    def call() -> list[object]:
        with connection.execute_wrapper(lambda execute, *given: execute(*given)):
            ledger.position()
        with pytest.raises(UnguardedWrite):
            Organization.objects.update(name="x")
        return list(connection.execute_wrappers)

    assert [guard.check] == Task(call).result()


def test_every_table_of_ours_is_guarded_or_excepted_by_name(server_database: str) -> None:
    """
    A new table is guarded from its first day; an exception stands in the list with its reason.
    """
    tables = {name for name in connection.introspection.table_names() if _is_ours(name)}

    assert tables - set(guard.UNGUARDED) == guard.guarded_tables()
    assert set(guard.UNGUARDED) <= tables


def _is_ours(name: str) -> bool:
    return name.startswith(tuple(f"{app}_" for app in _APPS))


def test_a_write_without_an_event_is_refused_and_rolled_back(estate: Estate) -> None:
    """
    Who changes something says so, or nothing is changed.
    """
    head = ledger.position()
    with pytest.raises(UnrecordedWrite), transaction(SYSTEM):
        Principal.objects.filter(id=estate.owner.id).update(name="quietly")

    assert "quietly" != Principal.objects.get(id=estate.owner.id).name
    assert head == ledger.position()


def test_a_touch_without_an_event_is_refused(estate: Estate) -> None:
    """
    Nodes are told of nothing that the audit log does not know.
    """
    with pytest.raises(UnrecordedWrite), transaction(SYSTEM) as tx:
        tx.touch(Kind.PRINCIPAL, estate.owner.id)


def test_an_event_outside_the_catalogue_is_refused(estate: Estate) -> None:
    """
    The catalogue of events is closed.
    """
    with pytest.raises(KeyError), transaction(SYSTEM) as tx:
        tx.record("user.teleported", estate.owner.id, name="o", organization=estate.organization.id)


def test_an_error_leaves_nothing(estate: Estate) -> None:
    """
    Rows, events and changes go together: an error after all of them leaves none.
    """
    head = ledger.position()
    made: list[str] = []

    def fail() -> None:
        with transaction(SYSTEM) as tx:
            made.append(estate.account_in(tx).id)
            raise RuntimeError("at the last moment")

    with pytest.raises(RuntimeError, match="at the last moment"):
        fail()
    assert head == ledger.position()
    assert not Principal.objects.filter(id__in=made).exists()
    assert not AuditEvent.objects.filter(subject__in=made).exists()


def test_a_step_that_fails_alone_takes_its_rows_and_words_with_it(estate: Estate) -> None:
    """
    What was done before and after the failed step is committed and said; of the step nothing stays, and it can
    be taken again.
    """
    account = estate.account()
    with transaction(SYSTEM) as tx:
        for name, fails in (("first", 0), ("second", 1), ("third", 1), ("second", 0)):
            try:
                with tx.attempt():
                    Permission.objects.create(
                        name=f"{name}:{account.id.lower()}", index=10_000 + ord(name[0])
                    )
                    tx.record("permission.declared", name, name=name, organization="", after={"a": 1})
                    tx.touch(Kind.PERMISSION, name)
                    tx.kept["step", name] = name
                    if fails:
                        raise ValueError(name)
            except ValueError as error:
                assert name == str(error)

    revision = tx.revision or 0
    said = AuditEvent.objects.filter(revision=revision).order_by("n").values_list("subject", flat=True)
    touched = Change.objects.filter(revision=revision).order_by("key").values_list("key", flat=True)
    rows = Permission.objects.filter(name__endswith=f":{account.id.lower()}").order_by("name")
    assert (["first", "second"],) * 2 == (list(said), list(touched))
    assert {"first", "second"} == {name for what, name in tx.kept if what == "step"}
    assert ["first", "second"] == [row.name.partition(":")[0] for row in rows]


def test_transactions_do_not_nest(estate: Estate) -> None:
    """
    There is no half commit: neither a door in a door, nor a door in a plain transaction.
    """
    with pytest.raises(RuntimeError), transaction(SYSTEM), transaction(SYSTEM):
        pass
    with pytest.raises(RuntimeError), database.atomic(), transaction(SYSTEM):
        pass


@pytest.mark.parametrize("statement", ["UPDATE {} SET revision = 0", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("model", [AuditEvent, Change])
def test_what_happened_is_only_added_to(
    estate: Estate, model: type[AuditEvent | Change], statement: str
) -> None:
    """
    Not even inside the door is an event or a change altered or removed.
    """
    refused = pytest.raises(UnguardedWrite, match="only added to")
    with refused, transaction(SYSTEM), connection.cursor() as cursor:
        cursor.execute(statement.format(model._meta.db_table))


def test_nothing_is_written_in_a_consistent_read(estate: Estate) -> None:
    """
    A read that is meant to be one is refused a write, and sees one state throughout.
    """
    with pytest.raises(UnguardedWrite), reading():
        Organization.objects.update(name="x")
    with reading():
        before = ledger.position()
        Task(estate.account).result()
        assert before == ledger.position()
    assert before != ledger.position()


def test_personal_data_stands_apart_from_the_event(estate: Estate) -> None:
    """
    Names, addresses and reasons can be erased and the event stays whole.
    """
    event = AuditEvent.objects.get(type="user.created", subject=estate.owner.id)
    part = PersonalPart.objects.get(event=event)

    assert estate.owner.email not in str(event.before) + str(event.after)
    assert estate.owner.email == part.data["after"]["email"]
    assert 16 == len(bytes(part.salt))
    assert event.at <= timezone.now()
