"""Every way in which the clients of the fault runs end access: it was there, and is not after the promise.

All are taken at once, and a backup from the moment before is put back afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import people, ways, ways_access, ways_people
from tests.cluster.client import Client
from tests.cluster.clocks import MachineClock, patched
from tests.cluster.databases import Sqlite
from tests.cluster.history import Ending, History, Pass
from tests.cluster.revokers import OPERATIONS, prepare
from tests.cluster.ways_people import Guest
from tests.support.installation import Installation
from tests.support.processes import wait_for
from tests.support.wire import Broken, Wire

LEASE_SECONDS = 2


@dataclass
class Held(History):
    """A history in which every first change waits until all are about to be made."""

    gate: threading.Barrier = field(default_factory=lambda: threading.Barrier(len(OPERATIONS) + 1))
    _here: threading.local = field(default_factory=threading.local)

    def calling(self, passes: list[Pass]) -> None:
        """Wait once, in each thread."""
        super().calling(passes)
        if passes and not hasattr(self._here, "was"):
            self._here.was = True
            self.gate.wait(60)


@dataclass
class Ground:
    """An installation, the administrator's client, and guests."""

    installation: Installation
    history: Held
    client: Client
    guests: list[Guest]

    def allowed(self) -> set[int]:
        """Return the passes that the node allows."""
        node = Wire(self.installation.node_url)
        try:
            return {each.number for each in self.history.passes if _allows(node, each)}
        finally:
            node.close()

    def epoch(self) -> Any:
        """Return the present epoch."""
        return self.client.get("/v1/epochs/current")


def _allows(node: Wire, asked: Pass) -> bool:
    try:
        reply = node.call("POST", "/v1/verify", asked.question)
    except Broken:
        return False
    return bool(reply.body.get("allowed"))  # a permission that is withdrawn cannot be asked for


@dataclass
class Aftermath:
    """What the node allowed before, after, and when the backup was put back; and what was reported then."""

    endings: list[Ending]
    refusals: list[str]
    allowed: tuple[set[int], set[int], set[int]]
    #: A pass that nobody ends.
    standing: int
    lost: dict[str, int]
    unsettled: list[Any]


@contextmanager
def _grounded(home: Path) -> Iterator[Ground]:
    clock = MachineClock(home.parent, "ways").environment()
    lease = {"CLUSTER_LEASE_SECONDS": str(LEASE_SECONDS)}
    installation = Installation(home, patched("short_lease", **lease, **clock))
    installation.init()
    guests = people.invited(installation, 1 + len(ways_people.ENDING_ORGANIZATIONS))
    installation.start("--workers", "1")

    def connect(token: str | None) -> list[Wire]:
        return [Wire(installation.url, token or installation.token())]

    history = Held()
    client = Client("way", connect, history, "seed")
    prepare(client)
    yield Ground(installation, history, client, guests)
    client.close()
    installation.stop()


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """See :class:`Aftermath`."""
    with _grounded(tmp_path_factory.mktemp("ways") / "home") as ground:
        standing = ways.account(ground.client, 1).keys[0].held.number
        history = ground.history
        database = Sqlite(ground.installation.home)
        with ThreadPoolExecutor(len(OPERATIONS)) as pool:
            made = [pool.submit(_run, ground, name, ground.client.alike(name)) for name in sorted(OPERATIONS)]
            _until_all_wait(history.gate, made)
            before = ground.allowed()
            database.save()
            history.gate.wait(60)
            for each in made:
                each.result()
        after = ground.allowed()
        ground.installation.stop()
        database.put_back()
        ground.installation.start("--workers", "1", "--restored")
        wait_for("the history is sure again", lambda: ground.epoch()["state"] == "open", seconds=60)
        wait_for("the node decides", ground.installation.is_ready, seconds=30)
        restored = ground.allowed()
        unsettled = ground.client.get("/v1/epochs/current/lost?outcome=open")["items"]
        lost = ground.epoch()["lost"]
    return Aftermath(history.endings, history.refusals, (before, after, restored), standing, lost, unsettled)


def _run(ground: Ground, operation: str, client: Client) -> None:
    """Take the way that is this operation."""
    if end_key := ways.ENDING_KEYS.get(operation):
        end_key(client, ways.account(client, 1).keys[0])
    elif end_account := ways.ENDING_ACCOUNTS.get(operation):
        end_account(client, ways.account(client, 2))
    elif end_access := ways_access.ENDING_ACCESS.get(operation):
        end_access(client)
    elif end_mine := ways_people.ENDING_MINE.get(operation):
        end_mine(client, ways_people.mine(client))
    elif end_ingest := ways_people.ENDING_INGEST.get(operation):
        end_ingest(client, ways_people.ingest(client))
    elif end_user := ways_people.ENDING_USERS.get(operation):
        guest = ground.guests[0]
        user, token = guest.users[sorted(ways_people.ENDING_USERS).index(operation)]
        owner = client.holder_of(guest.token)
        end_user(owner, user, owner.held(token))
    else:
        guest = ground.guests[1 + sorted(ways_people.ENDING_ORGANIZATIONS).index(operation)]
        end_whole: Callable[[ways_people.Whole], object] = ways_people.ENDING_ORGANIZATIONS[operation]
        end_whole(ways_people.whole(client, client.holder_of(guest.token), guest))


def _until_all_wait(gate: threading.Barrier, made: list[Future[None]]) -> None:
    """Wait until every thread is about to make its first change; an error of one is raised."""

    def are_there() -> bool:
        for each in made:
            if each.done():
                each.result()
        return gate.n_waiting == gate.parties - 1

    wait_for("all are about to change something", are_there, seconds=60)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_way_ends_what_it_says(aftermath: Aftermath, operation: str) -> None:
    """
    The node allows before, and refuses when the receipt is complete, and still when the backup is put back.
    """
    endings = [each for each in aftermath.endings if each.operation == operation]
    numbers = {number for each in endings for number in each.numbers}
    before, after, restored = aftermath.allowed

    assert numbers
    assert {True} == {each.is_complete for each in endings if each.numbers}
    assert numbers == numbers & before
    assert set() == numbers & after
    assert set() == numbers & restored


def test_what_the_backup_had_forgotten_is_reported(aftermath: Aftermath) -> None:
    """
    What the node knew and the backup did not was taken away again, and nothing is left open. No call was refused,
    and what nobody ended is allowed all the time.
    """
    assert [True] * 3 == [aftermath.standing in each for each in aftermath.allowed]
    assert [] == aftermath.refusals
    assert [] == aftermath.unsettled
    assert aftermath.lost["replayed"]
    assert (0, 0) == (aftermath.lost["open"], aftermath.lost["waiting"])
