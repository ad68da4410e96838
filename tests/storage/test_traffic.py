"""The request log and the counters: each record once, whatever happens to its batch."""

from __future__ import annotations

import random
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from retinue.server.errors import Refused
from retinue.server.traffic import queries
from retinue.server.traffic.actions import Entry, ingest, prune
from retinue.server.traffic.models import Request, SpoolProgress, Usage
from retinue.token import Kind, mint
from tests.storage.estate import Task
from tests.storage.shipper import entries, ship
from tests.storage.test_ledger_order import ROOT, environment

pytestmark = pytest.mark.usefixtures("server_database")
_START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)  # 1,700,000,000 s


class _Spool:
    """A spool of a test's own, with a credential that nobody else uses."""

    def __init__(self) -> None:
        self.node = f"node-{secrets.token_hex(6)}"
        self.name = secrets.token_hex(8)
        self.credential = f"key_{secrets.token_hex(6)}"

    def batch(self, first: int, count: int) -> list[Entry]:
        return entries(self.credential, first, count)  # type: ignore[return-value]

    def ship(self, first: int, count: int) -> int:
        return ingest(self.node, self.name, first, self.batch(first, count))

    def stored(self) -> list[int]:
        rows = Request.objects.filter(node=self.node, credential=self.credential).order_by("id")
        return list(rows.values_list("duration_us", flat=True))

    def usage(self) -> Usage:
        return Usage.objects.get(credential=self.credential)

    def progress(self) -> tuple[int, int]:
        row = SpoolProgress.objects.get(node=self.node, spool=self.name)
        return row.next, row.missing


def test_a_batch_is_stored_once_however_often_it_arrives() -> None:
    """
    A repeated batch, one that overlaps, and an old one add nothing that is there already.
    """
    spool = _Spool()
    answers = [spool.ship(0, 10), spool.ship(0, 10), spool.ship(5, 10), spool.ship(0, 3), spool.ship(15, 0)]

    assert [10, 10, 15, 15, 15] == answers
    assert list(range(15)) == spool.stored()
    assert (15, 0) == spool.progress()
    assert 8 == spool.usage().count


def test_tokens_are_stored_in_their_display_form() -> None:
    """
    Also where the node that ships them has left them as they were.
    """
    spool, token = _Spool(), mint(Kind.API_KEY, "acme")
    (entry,) = spool.batch(0, 1)
    told = f"/hook/{token.reveal()}"
    ingest(spool.node, spool.name, 0, [msgspec.structs.replace(entry, path=told, client=told)])

    assert (f"/hook/{token.display}",) * 2 == Request.objects.values_list("path", "client").get(
        node=spool.node
    )


def test_a_gap_is_accepted_and_counted() -> None:
    """
    What a node lost is known to be missing, and does not hold up the rest.
    """
    spool = _Spool()
    spool.ship(0, 5)

    assert 30 == spool.ship(20, 10)
    assert (30, 15) == spool.progress()
    assert [*range(5), *range(20, 30)] == spool.stored()


def test_asking_for_the_next_sequence_stores_nothing() -> None:
    """
    An empty batch only asks.
    """
    spool = _Spool()

    assert [0, 0] == [ingest(spool.node, spool.name, 7, []), ingest(spool.node, spool.name, 0, [])]
    assert (0, 0) == spool.progress()


@pytest.mark.parametrize("seed", range(3))
def test_duplicated_reordered_and_concurrent_batches_count_once(seed: int) -> None:
    """
    Four shippers at once, with repeated and delayed batches: every sequence at most once, and the counter
    equals the stored uses.
    """
    spool, total = _Spool(), 400

    def some(number: int) -> None:
        chance = random.Random(seed * 100 + number)  # noqa: S311
        for _ in range(12):
            following = ingest(spool.node, spool.name, 0, [])
            first = max(0, following - chance.randrange(60))
            spool.ship(first, min(chance.randrange(1, 60), total - first))

    for task in [Task(partial(some, number)) for number in range(4)]:
        task.result(60)
    ship(spool.node, spool.name, spool.credential, total)

    assert list(range(total)) == sorted(spool.stored())
    assert (total, 0) == spool.progress()
    assert total // 2 == spool.usage().count


def test_a_killed_shipper_loses_and_doubles_nothing() -> None:
    """
    A process is killed in the middle of its batches, five times; whoever goes on ends with each record once.
    """
    spool, total = _Spool(), 20_000
    command = [sys.executable, "-m", "tests.storage.shipper", spool.node, spool.name, spool.credential]
    chance = random.Random(1)  # noqa: S311
    cut = 0
    for _ in range(5):
        process = subprocess.Popen(
            [*command, str(total)], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.02, 0.2))
        cut += process.poll() is None
        process.kill()
        process.communicate()
    reached = ingest(spool.node, spool.name, 0, [])
    rest = min(total, reached + 500)
    ship(spool.node, spool.name, spool.credential, rest)

    assert cut > 0
    assert 0 < reached
    assert list(range(rest)) == spool.stored()
    assert ((rest + 1) // 2, (rest, 0)) == (spool.usage().count, spool.progress())


def test_counters_only_move_forward() -> None:
    """
    An older use that arrives late counts and may be the first, but never turns "last used" back.
    """
    spool = _Spool()
    late = msgspec.structs.replace(spool.batch(0, 1)[0], at_ms=1_600_000_000_000, address="198.51.100.9")
    spool.ship(0, 3)
    ingest(spool.node, spool.name, 3, [late])

    usage = spool.usage()
    assert (3, "192.0.2.1") == (usage.count, usage.last_address)
    assert datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC) == usage.first_used_at
    assert _START + timedelta(milliseconds=2) == usage.last_used_at
    assert {spool.credential: usage} == queries.usage([spool.credential, "key_none"])


def test_denied_calls_are_no_use() -> None:
    """
    A key that is only ever refused was never used.
    """
    spool = _Spool()
    ingest(spool.node, spool.name, 0, [each for each in spool.batch(0, 6) if not each.allowed])

    assert {} == queries.usage([spool.credential])
    assert [1, 3, 5] == spool.stored()


def test_odd_records_are_made_to_fit() -> None:
    """
    One odd record never blocks a spool: texts are cut and cleaned, numbers bounded, a clock that is ahead
    is set to now, and no query string or fragment is kept.
    """
    spool = _Spool()
    odd = msgspec.structs.replace(
        spool.batch(0, 1)[0],
        at_ms=1 << 62,
        account_name="n\0" + "ä" * 400,
        path="/a?token=secret#x" + "y" * 5_000,
        client="\ud800" * 300,
        method="M" * 99,
        permission=None,
        address=None,
        duration_us=-1,
        revision=1 << 70,
        route="/r/" + "r" * 600,
        status=77_777,
    )
    ingest(spool.node, spool.name, 0, [odd, msgspec.structs.replace(odd, at_ms=-5, path="/" + "p" * 5_000)])
    first, second = Request.objects.filter(node=spool.node).order_by("id")

    assert ("/a", 2048, 255, 16) == (first.path, len(second.path), len(first.account_name), len(first.method))
    assert ("", "", 0, (1 << 63) - 1) == (first.permission, first.address, first.duration_us, first.revision)
    assert (512, 0) == (len(first.route), first.status)
    assert "\0" not in first.account_name
    assert abs(timezone.now() - first.at) < timedelta(seconds=30)
    assert datetime(1970, 1, 1, tzinfo=UTC) == second.at


@pytest.mark.parametrize(
    ("field", "spool", "first", "count"),
    [
        ("spool", "", 0, 1),
        ("spool", "x" * 65, 0, 1),
        ("spool", "a\nb", 0, 1),
        ("spool", "é", 0, 1),
        ("first", "s", -1, 1),
        ("first", "s", 1 << 63, 1),
        ("records", "s", 0, 1_001),
    ],
)
def test_batches_that_no_node_sends_are_refused(field: str, spool: str, first: int, count: int) -> None:
    """
    Sizes and sequences are checked before anything is stored.
    """
    with pytest.raises(Refused) as refused:
        ingest("node-x", spool, first, entries("key_x", 0, count))  # type: ignore[arg-type]

    assert field == refused.value.field


def test_the_log_is_filtered_and_the_last_use_is_known_by_account() -> None:
    """
    Requests are found by account, credential, decision, reason and time.
    """
    spool, account = _Spool(), f"sa_{secrets.token_hex(8)}"
    organization = f"org_{secrets.token_hex(8)}"
    batch = [
        msgspec.structs.replace(each, account=account, organization=organization)
        for each in spool.batch(0, 10)
    ]
    ingest(spool.node, spool.name, 0, batch)

    def found(**given: object) -> list[int]:
        rows = queries.requests(organization, **given)  # type: ignore[arg-type]
        return list(rows.order_by("-at", "-id").values_list("duration_us", flat=True))

    assert [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] == found()
    assert [8, 6, 4, 2, 0] == found(account=account, decision="allowed")
    assert [9, 7, 5, 3, 1] == found(account=account, credential=spool.credential, reason="permission_missing")
    assert [4, 3] == found(since=_START + timedelta(milliseconds=3), until=_START + timedelta(milliseconds=5))
    assert [] == found(account="sa_other")
    last = queries.last_used_by_account([account, "sa_none"])
    assert {account: _START + timedelta(milliseconds=8)} == last


def test_old_records_are_pruned_in_pieces() -> None:
    """
    Retention removes what is older, keeps the rest and the counters.
    """
    spool = _Spool()
    old = [msgspec.structs.replace(each, at_ms=1_000_000 + each.duration_us) for each in spool.batch(0, 25)]
    ingest(spool.node, spool.name, 0, old)
    spool.ship(25, 5)

    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=90, hours=1)
    assert [10, 10] == [prune(now, 10) for _ in range(2)]
    while prune(now, 10):
        pass
    assert list(range(25, 30)) == spool.stored()
    assert spool.usage().count > 0


def test_the_log_keeps_up_with_the_nodes() -> None:
    """
    Batches of 1,000 records of 200 keys are stored at many thousands a second, by one shipper.
    """
    spool, rounds = _Spool(), 20
    keys = [f"key_{secrets.token_hex(6)}" for _ in range(200)]
    batches = [
        [msgspec.structs.replace(each, credential_id=keys[place % 200]) for place, each in enumerate(batch)]
        for batch in (spool.batch(number * 1_000, 1_000) for number in range(rounds))
    ]
    began = time.perf_counter()
    for number, batch in enumerate(batches):
        ingest(spool.node, spool.name, number * 1_000, batch)
    rate = rounds * 1_000 / (time.perf_counter() - began)

    print(f"\n{connection.vendor}: {rate:,.0f} records/s in batches of 1,000")
    assert rate > 3_000  # the target is 20,000; a busy machine must not fail the build
