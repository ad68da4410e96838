"""Limits that nodes count together in a real Valkey; what holds while it is away."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from retinue.replica import records
from retinue.replica.records import Change, Kind, Rate, Rules
from retinue.replica.store import Store
from tests.node.schemes_world import A_MINUTE, LIMITED, add, fields
from tests.node.wire import Reply
from tests.node.world import REVISION, Node, World, build, running
from tests.support import watch
from tests.support.leases import LONG_MS
from tests.support.processes import wait_for
from tests.support.requirements import requires
from tests.support.valkey import Valkey, start_valkey

pytestmark = requires("valkey")
NODES = 4


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A store of its own, empty."""
    with start_valkey(tmp_path) as server:
        yield server


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A replica that says that four nodes are live; to the store each worker is as a node of its own."""
    built = build(tmp_path / "home")
    add(built)
    store = Store(built.replica, writable=True, map_bytes=64 << 20)
    try:
        with store.snapshot() as snapshot:
            meta = snapshot.meta()
        store.apply([], msgspec.structs.replace(meta, nodes=NODES))
    finally:
        store.close()
    return built


@contextmanager
def two(world: World, valkey: Valkey) -> Iterator[tuple[Node, Node]]:
    """Two workers that count in the store, each with a port of its own."""
    url = valkey.url
    with (
        running(world, index=0, RETINUE_LIMITS_URL=url) as here,
        running(world, index=1, RETINUE_LIMITS_URL=url) as there,
    ):
        wait_for("the store", lambda: is_connected(here))
        yield here, there


def limit(world: World, rate: Rate) -> None:
    """Let the limited organization have another limit."""
    organization = records.Organization(
        LIMITED, "limited", "Limited", "enabled", ("bearer",), lease_ms=LONG_MS, rules=Rules(rate=rate)
    )
    store = Store(world.replica, writable=True, map_bytes=64 << 20)
    try:
        with store.snapshot() as snapshot:
            meta = snapshot.meta()
        change = Change(REVISION, Kind.ORGANIZATION, LIMITED, records.encode(organization))
        store.apply([change], msgspec.structs.replace(meta, revision=REVISION))
    finally:
        store.close()


def ask(node: Node, name: str) -> Reply:
    """Ask as a gateway does."""
    return node.get("/v1/forward-auth/report:read", *fields(node.world, "bearer", name))


def statuses(node: Node, name: str, calls: int) -> list[int]:
    """Ask so many times, a moment after one another: callers are slower than the store."""
    found = []
    for _ in range(calls):
        found.append(ask(node, name).status)
        time.sleep(0.01)
    return found


def metric(node: Node, name: str) -> float:
    """Return one figure of a node."""
    lines = node.get("/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def is_connected(node: Node) -> bool:
    """Tell whether the node counts in the store."""
    return not metric(node, "retinue_limits_store_away")


def test_one_node_has_the_whole_limit_if_the_others_do_not_use_it(world: World, valkey: Valkey) -> None:
    """
    Four nodes live, all calls at one: it admits the limit, not a quarter of it. The other has none left then.
    """
    with two(world, valkey) as (here, there):
        admitted = statuses(here, "limited", A_MINUTE + 8)
        first = ask(there, "limited")
        time.sleep(0.05)
        elsewhere = statuses(there, "limited", 5)

    assert [200] * A_MINUTE + [429] * 8 == admitted
    # The first call of an account that a worker has not seen goes ahead of the store's answer, and is counted.
    assert 200 == first.status
    assert [429] * 5 == elsewhere


def test_nodes_admit_the_limit_together(world: World, valkey: Valkey) -> None:
    """
    Asked in turn, with many more calls than allowed; what each says is left goes down to nothing.
    """
    limit(world, Rate(per_minute=200))
    with two(world, valkey) as (here, there):
        replies = []
        for number in range(300):
            replies.append(ask((here, there)[number % 2], "limited"))
            time.sleep(0.002)

    admitted = [each for each in replies if each.status == 200]
    # A worker may hold a few calls of a lease when it was last asked; nothing is admitted twice.
    assert 200 - 8 <= len(admitted) <= 200 + 2
    assert 200 == int(admitted[0].fields["x-ratelimit-limit"])
    assert 429 == replies[-1].status
    assert "0" == replies[-1].fields["x-ratelimit-remaining"]
    assert 1 <= int(replies[-1].fields["retry-after"]) <= 10


def test_a_second_gives_as_much_again(world: World, valkey: Valkey) -> None:
    """
    Over whole seconds each gives its limit, whatever was refused before.
    """
    limit(world, Rate(per_second=20))
    with running(world, RETINUE_LIMITS_URL=valkey.url) as here:
        wait_for("the store", lambda: is_connected(here))
        until = time.time() // 1 + 1
        time.sleep(until - time.time() + 0.02)
        asked, seconds = Counter[int](), Counter[int]()
        while (now := time.time()) < until + 3:
            asked[int(now)] += 1
            seconds[int(now)] += ask(here, "limited").status == 200
            time.sleep(0.004)

    # A call that begins at the very end of a second may be counted in the next; a busy machine may ask less often.
    assert all(min(17, asked[each] - 3) <= number <= 22 for each, number in seconds.items()), (seconds, asked)
    assert sum(seconds.values()) > 20


def test_while_the_store_is_away_a_node_has_its_share(world: World, valkey: Valkey) -> None:
    """
    It stops, and starts again with nothing in it: said in log and metrics, and no call is answered late.
    """
    limit(world, Rate(per_minute=40))
    with running(world, RETINUE_LIMITS_URL=valkey.url) as here:
        wait_for("the store", lambda: is_connected(here))
        assert 200 == ask(here, "limited").status
        valkey.stop()
        statuses(here, "other-limited", 2)
        wait_for("the loss", lambda: not is_connected(here))
        before = metric(here, "retinue_limited_by_share_total")
        admitted = statuses(here, "asked", 15)
        counted = metric(here, "retinue_limited_by_share_total") - before
        valkey.start()
        wait_for("the store", lambda: is_connected(here))
        again = statuses(here, "asked", 40)

    assert [200] * (40 // NODES) + [429] * 5 == admitted
    assert 15 == counted
    # What was admitted meanwhile is told to the store; of 40 a minute 30 are left.
    assert 28 <= again.count(200) <= 31
    assert "the shared store of limits does not answer" in here.log.read_text()


def test_a_store_that_hangs_holds_no_call_up(world: World, valkey: Valkey) -> None:
    """
    The path of a decision never waits for it.
    """
    limit(world, Rate(per_minute=4000))
    with running(world, RETINUE_LIMITS_URL=valkey.url) as here:
        wait_for("the store", lambda: is_connected(here))
        valkey.hang(True)
        slowest = 0.0
        for _ in range(200):
            seconds = watch.start()
            assert 200 == ask(here, "limited").status
            slowest = max(slowest, seconds())
        wait_for("the loss", lambda: not is_connected(here))
        valkey.hang(False)
        wait_for("the store", lambda: is_connected(here))

    assert slowest < 0.09


def test_a_store_that_forgot_its_script_learns_it_again(world: World, valkey: Valkey) -> None:
    """
    An empty store between two calls costs a lease, no more.
    """
    with running(world, RETINUE_LIMITS_URL=valkey.url) as here:
        wait_for("the store", lambda: is_connected(here))
        statuses(here, "limited", 2)
        command(valkey, b"SCRIPT FLUSH\r\n")
        admitted = statuses(here, "other-limited", A_MINUTE + 4)

    assert A_MINUTE - 1 <= admitted.count(200) <= A_MINUTE
    assert [429] * 3 == admitted[-3:]


@pytest.mark.parametrize(
    "url", ["http://secret@127.0.0.1/", "valkey://", "secret", "valkey://:secret@127.0.0.1:port/0"]
)
def test_a_url_that_is_none_ends_the_start(world: World, url: str) -> None:
    """
    With a line that names the variable, and does not repeat what may hold a password.
    """
    with pytest.raises(AssertionError) as failed, running(world, RETINUE_LIMITS_URL=url):
        pass

    assert "RETINUE_LIMITS_URL: " in str(failed.value)
    assert "secret" not in str(failed.value)


def command(valkey: Valkey, line: bytes) -> None:
    """Send the server one command."""
    with socket.create_connection(("127.0.0.1", valkey.port), timeout=60) as connection:
        connection.sendall(line)
        assert connection.recv(16).startswith(b"+OK")
