"""A disk that fails under the follower: nothing is acknowledged that is not written, and it mends itself."""

from __future__ import annotations

import resource
import threading
import time
from pathlib import Path
from typing import Any

from retinue.node.follower_metrics import Counter, read
from retinue.replica import records
from retinue.replica.records import Change, Kind, Meta
from retinue.replica.store import Store
from tests.node.control import Control
from tests.node.following import Following, Home, Witness, following, settle
from tests.support.processes import wait_for


def _last(control: Control) -> dict[str, Any]:
    return next(r.body for r in reversed(control.received) if r.path.endswith("/poll"))


def _limit_files(follower: Following, size: int) -> None:
    """Let no file of the process grow beyond ``size`` bytes, as a full disk would."""
    resource.prlimit(follower.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_acknowledges_nothing_and_mends_itself(home: Home, control: Control) -> None:
    """
    While the replica cannot be written the follower says so once, acknowledges nothing new, counts, and goes
    on by itself when there is room again. Readers see the old state, whole.
    """
    witness = Witness(home, control)
    with following(home, control) as follower:
        settle(home, control)
        revision = control.truth.head
        _limit_files(follower, 4096)
        control.change("a", *(f"much{number:05d}" for number in range(500)))
        wait_for("failures", lambda: read(home.replica / "metrics")[Counter.FAILED_WRITES] >= 4)
        meta, rows = home.read()
        said = _last(control)["applied"]
        warned = follower.text()
        _limit_files(follower, resource.RLIM_INFINITY)
        settle(home, control)
        wait_for("the all-clear", lambda: "works again" in follower.text())

    assert (1, revision, revision, 40) == (said["epoch"], said["revision"], meta.revision, len(rows))
    assert 1 == warned.count("writing the replica"), warned
    assert [] == witness.false


def test_a_damaged_replica_is_said_and_waited_for(home: Home, control: Control) -> None:
    """
    A replica file that is none is no traceback: the follower says what to do and goes on when it is done.
    """
    home.replica.mkdir()
    (home.replica / "data.mdb").write_bytes(b"no replica" * 1000)
    with following(home, control) as follower:
        wait_for("its words", lambda: "delete this folder" in follower.text())
        assert 0 == control.count("poll")
        (home.replica / "data.mdb").unlink()
        settle(home, control)


def test_a_map_that_is_full_grows_and_readers_follow(tmp_path: Path) -> None:
    """
    More records than the map holds make it larger; a reader that had opened it before sees them all.
    """
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    writer = Store(tmp_path, writable=True, map_bytes=1 << 20)
    writer.apply([], Meta(epoch=1, revision=1))
    here, there = context.Pipe()
    reader = context.Process(target=_read_twice, args=(tmp_path, there))
    reader.start()
    first = here.recv()
    value = records.encode(records.Permission("x" * 1000, 1))
    changes = (Change(2, Kind.PERMISSION, f"p{number}", value) for number in range(4000))
    writer.apply(changes, Meta(epoch=1, revision=2))
    here.send("go")
    second = here.recv()
    reader.join(10)
    writer.close()

    assert [(1, 0), (2, 4000)] == [first, second]


def _read_twice(folder: Path, pipe: object) -> None:
    """Tell revision and number of records, wait, and tell them again."""
    store = Store(folder, map_bytes=1 << 20)
    for again in (True, False):
        with store.snapshot() as snapshot:
            count = sum(1 for _ in snapshot.items(Kind.PERMISSION))
            pipe.send((snapshot.meta().revision, count))  # type: ignore[attr-defined]
        if again:
            pipe.recv()  # type: ignore[attr-defined]
    store.close()


def test_a_poll_acknowledges_after_a_failed_write_what_stands_in_the_replica(
    home: Home, control: Control
) -> None:
    """
    What an answer brought and the disk did not take is asked for again: each acknowledgement is what a reader
    finds.
    """
    witness = Witness(home, control)
    control.batch = 50
    with following(home, control) as follower:
        settle(home, control)
        stop = threading.Event()

        def limit() -> None:
            while not stop.wait(0.05):
                _limit_files(follower, 4096)
                time.sleep(0.05)
                _limit_files(follower, resource.RLIM_INFINITY)

        limiting = threading.Thread(target=limit)
        limiting.start()
        for number in range(30):
            control.change(*(f"p{number}-{each}" for each in range(60)))
            time.sleep(0.02)
        stop.set()
        limiting.join()
        settle(home, control)

    assert [] == witness.false
