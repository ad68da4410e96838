"""The request log's spool after a crash: damaged files, torn entries, a writer that was killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retinue.usage import SpoolTail, spools
from tests.support.processes import end_with_parent, wait_for
from tests.unit.spool import SEGMENT, numbers, read_all, segments, written

ROOT = Path(__file__).resolve().parents[2]


def damage(path: Path, number: int, by: bytes = b"req-########") -> None:
    """Overwrite the request id of one entry in a segment, as a bad disk would."""
    content = path.read_bytes()
    assert 1 == content.count(b"req-%08d" % number)
    path.write_bytes(content.replace(b"req-%08d" % number, by))


def test_a_damaged_entry_is_never_read(tmp_path: Path) -> None:
    """What stands before it is read; it and the rest of its segment are counted; the next segment is read."""
    spool = written(tmp_path, 150)
    following = int(segments(spool)[1].stem)
    damage(segments(spool)[0], 10)
    tail = SpoolTail(spool.path)

    assert [*range(10), *range(following, 150)] == read_all(tail)
    assert following - 10 == tail.lost
    spool.close()


def test_a_torn_last_entry_is_not_read(tmp_path: Path) -> None:
    """The last entry of a writer that is gone may be torn (a power cut): what stands before it is read."""
    spool = written(tmp_path, 5)
    spool.close()
    damage(segments(spool)[0], 4)
    tail = SpoolTail(spool.path)

    assert list(range(4)) == read_all(tail)
    assert tail.remove()


@pytest.mark.parametrize("damaged", ["zeroed", "emptied", "noise", "cut", "deleted"])
def test_a_damaged_segment_is_a_counted_gap(tmp_path: Path, damaged: str) -> None:
    """Whatever happened to a whole segment, those before and after it are read, and the gap is told."""
    spool = written(tmp_path, 200)
    spool.close()
    path, after = segments(spool)[1:3]
    content = path.read_bytes()
    if damaged == "deleted":
        path.unlink()
    else:
        made = {
            "zeroed": b"\0" * SEGMENT,
            "emptied": b"",
            "noise": b"\xa5" * SEGMENT,
            "cut": content[: SEGMENT // 2],
        }
        path.write_bytes(made[damaged])
    tail = SpoolTail(spool.path)
    found = read_all(tail)

    assert list(range(int(path.stem))) == [number for number in found if number < int(path.stem)]
    assert list(range(int(after.stem), 200)) == [number for number in found if number >= int(after.stem)]
    assert found == sorted(set(found))
    assert 200 - len(found) == tail.lost


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_that_it_appended(tmp_path: Path, seed: int) -> None:
    """
    SIGKILL in the middle of appends and rolls: all that was appended is read, whole, once and in order, also
    by a reader that read before the kill; then the spool can be removed.
    """
    progress = tmp_path / "progress"
    command = [sys.executable, "-m", "tests.unit.spool", str(tmp_path / "spool"), str(progress)]
    writer = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), preexec_fn=end_with_parent())
    try:
        wait_for("entries are written", lambda: progress.exists() and progress.stat().st_size == 8)
        tail = SpoolTail(spools(tmp_path / "spool")[0])
        early = tail.read(50)[1]
        assert not tail.writer_gone()
        time.sleep(random.Random(seed).uniform(0, 0.05))  # noqa: S311
    finally:
        writer.kill()
        writer.wait()
    appended = int.from_bytes(progress.read_bytes(), "big")
    found = numbers(early) + read_all(tail, 1_000)

    assert list(range(len(found))) == found
    assert appended <= len(found) <= appended + 1
    assert found == read_all(SpoolTail(tail.path), 1_000)
    assert 0 == tail.lost
    assert tail.writer_gone()
    assert tail.remove()
    assert [] == spools(tmp_path / "spool")
