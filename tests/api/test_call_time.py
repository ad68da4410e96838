"""A call ends, whatever holds the database: refused with a pause, and nothing is half done."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from retinue.server.access import actions as access
from retinue.server.api import limits
from retinue.server.directory.queries import Principal
from retinue.server.installation import Installation
from retinue.server.ledger import queries as ledger
from retinue.server.ledger import transaction
from retinue.server.nodes import barrier
from retinue.server.nodes.models import Lease
from tests.api.world import Answer, World
from tests.storage.estate import Follower

ACCOUNTS = "/v1/service-accounts"
MOST_SECONDS = 10.0


#: What is locked: SQLite locks all of it; on PostgreSQL a change meets the lock, or authentication does.
LOCKED = {"sqlite": ["everything"], "postgresql": ["ledger_head", "directory_principal"]}


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Hold a lock in a connection of its own, as a backup or a stopped process would."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        other = sqlite3.connect(settings["NAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
        return
    import psycopg

    named = {name.lower(): settings[name] for name in ("HOST", "PORT", "USER", "PASSWORD")}
    with psycopg.connect(dbname=settings["NAME"], **named) as holder:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


def create(world: World) -> Answer:
    """Create an account, in a way that may be repeated."""
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id]}
    return world.owner.post(ACCOUNTS, body, {"Idempotency-Key": "k-1"})


def state(world: World) -> tuple[object, ...]:
    """What a change would change."""
    return ledger.head(), Principal.objects.filter(organization=world.organization.id).count()


def test_a_node_that_does_not_confirm_is_no_failure(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """
    A wait for the nodes that ends by its time ends the call as usual: the database was asked to the last.
    """
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    answer = create(world)
    Lease.objects.filter(node=follower.node).delete()  # later tests need not wait for it

    assert 201 == answer.status
    assert [] == [record.getMessage() for record in caplog.records if record.name == "retinue.api"]


def test_held_lock(world: World) -> None:
    """
    A change that meets a held lock gets 503 with a pause within 10 s, changes nothing, and works afterwards
    under the same idempotency key.
    """
    before = state(world)
    for table in LOCKED[connection.vendor]:
        with locked(table):
            began = time.monotonic()
            answer = create(world)
            seconds = time.monotonic() - began

        assert (503, "database_unavailable", "1") == (
            answer.status, answer.code, answer.headers["retry-after"],
        )  # fmt: skip
        assert "Traceback" not in answer.text
        assert seconds < MOST_SECONDS
        assert before == state(world)
    repeated = create(world)

    assert (201, None) == (repeated.status, repeated.headers.get("idempotency-replayed"))


def test_call_out_of_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A change whose time is over in the middle is refused at its next statement, and rolls back.
    """
    made = access.create_account

    def slow(*arguments: object, **named: object) -> object:
        account = made(*arguments, **named)  # type: ignore[arg-type]
        time.sleep(0.6)
        return account

    monkeypatch.setattr(access, "create_account", slow)
    before = state(world)
    with monkeypatch.context() as hurried:
        hurried.setattr(limits, "START_SECONDS", 0.5)
        answer = create(world)

    assert (503, "database_unavailable") == (answer.status, answer.code)
    assert before == state(world)
    assert 201 == create(world).status


def test_poll_of_the_feed_is_exempt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A poll is held for as long as there is nothing new; every other call has an end.
    """
    _, node = world.node()
    monkeypatch.setattr(limits, "START_SECONDS", -1.0)
    polled = node.post("/v1/feed/poll", {})

    assert (400, 503) == (polled.status, node.get("/v1/feed/snapshot").status)


def test_failure_after_the_commit_is_no_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A database that fails while nodes are waited for does not hide that the change is made.
    """

    def fail(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(barrier, "wait", fail)
    answer = create(world)

    assert 201 == answer.status
    assert str(ledger.head()[1]) == answer.headers["retinue-revision"]


def test_queue_of_writers_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    On SQLite writers queue in the process, and none waits there for ever.
    """
    if connection.vendor != "sqlite":
        return
    import threading

    monkeypatch.setattr(transaction, "QUEUE_SECONDS", 0.1)
    is_held, is_done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.one_writer():
            is_held.set()
            is_done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(5)
    refused = create(world)
    is_done.set()
    holder.join()

    assert (503, "database_unavailable") == (refused.status, refused.code)
    assert 201 == create(world).status


def test_limits_of_the_server_are_set(world: World) -> None:
    """
    PostgreSQL is told how long a statement, a lock and a stopped transaction may last; SQLite how long to wait.
    """
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout")

            assert (5000,) == cursor.fetchone()
            return
        found = []
        for name in names:
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[0])

    assert ["5s", "4s", "10s"] == found


def test_options_of_the_url_are_added(tmp_path: Path) -> None:
    """
    Options in the address of the database come after ours and do not take their place.
    """
    url = "postgresql://u@h/d?options=-c%20search_path%3Dx&sslmode=require"
    told = {"RETINUE_HOME": str(tmp_path), "RETINUE_DATABASE_URL": url}
    options = Installation.from_environment(told).database["OPTIONS"]

    assert "require" == options["sslmode"]
    assert options["options"].startswith("-c synchronous_commit=on ")
    assert options["options"].endswith(" -c search_path=x")
