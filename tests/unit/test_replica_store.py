"""What a replica on disk must do besides the suite that every replica passes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import msgspec
import pytest

from retinue.replica import numbers
from retinue.replica.records import Kind, Meta
from retinue.replica.shared_records import Common
from retinue.replica.store import Store
from tests.unit.replicas import content, put


def test_what_was_applied_is_there_after_a_restart(tmp_path: Path) -> None:
    """Closed and opened again, by a reader, which cannot write."""
    store = Store(tmp_path, writable=True, map_bytes=16 << 20)
    store.apply([put(kind, "key", 4) for kind in Kind], Meta(1, 5, True))
    before = content(store)
    store.close()
    again = Store(tmp_path, map_bytes=16 << 20)

    assert before == content(again)
    with pytest.raises(Exception, match=r"[Rr]ead.only|denied"):
        again.apply([], Meta())
    again.close()


def test_a_replica_is_private(tmp_path: Path) -> None:
    """Digests are in it: nobody but its owner reads the files."""
    Store(tmp_path / "replica", writable=True, map_bytes=16 << 20).close()
    reached = [
        path.name
        for path in [tmp_path / "replica", *(tmp_path / "replica").iterdir()]
        if path.stat().st_mode & 0o077
    ]

    assert [] == reached


def test_a_reader_makes_no_replica(tmp_path: Path) -> None:
    """Opening what is not there, to read, is an error, and makes nothing."""
    with pytest.raises(Exception, match="No such file"):
        Store(tmp_path / "absent")

    assert not (tmp_path / "absent").exists()


def test_no_lease_goes_with_a_copy(tmp_path: Path) -> None:
    """A copied folder holds the same records and decides nothing: nobody acknowledges a change for it."""
    leased = Meta(1, 7, True, boot_id="this boot", fresh_from_ns=5)
    store = Store(tmp_path / "original", writable=True, map_bytes=1 << 20)
    store.apply([], leased)
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    copy = Store(tmp_path / "copy")
    with store.snapshot() as here, copy.snapshot() as there:
        original, copied = here.meta(), there.meta()
    store.close()
    copy.close()

    assert (5, 7) == (original.fresh_from_ns, original.revision)
    assert (0, 7) == (copied.fresh_from_ns, copied.revision)


_WRITER = """
import sys
from pathlib import Path
from retinue.replica.records import Kind, Meta
from retinue.replica.store import Store
from tests.unit.replicas import put
store = Store(Path(sys.argv[1]), writable=True, map_bytes=16 << 20)
store.apply([], Meta(1, 1, True))
for number, line in enumerate(sys.stdin):
    what = line.strip()
    if what != "nothing":
        changes = [put(Kind.HOLDER, "key", number)] if what == "record" else []
        store.apply(changes, Meta(1, 1, True, heard_ns=number))
    print(what, flush=True)
"""


def test_what_another_process_has_committed_is_seen_at_once(tmp_path: Path) -> None:
    """
    Whatever was committed, a state is no longer the present one when the commit has returned; and it is for as
    long as nothing is committed. Both are read from the file.
    """
    command = [sys.executable, "-c", _WRITER, str(tmp_path)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True, bufsize=1) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None

        def act(what: str) -> None:
            print(what, file=writer.stdin, flush=True)
            assert what == writer.stdout.readline().strip()  # type: ignore[union-attr]

        act("nothing")
        store = Store(tmp_path, map_bytes=16 << 20)
        for what in ("record", "lease", "nothing", "record", "record", "nothing", "lease", "lease") * 3:
            before = _state(store)
            assert isinstance(before.words, memoryview)
            act(what)
            assert (what == "nothing") == (before.words[before.place] == before.word)
            assert (what != "record") == _state(store).is_edition(before.edition)
        writer.stdin.close()
    store.close()


def test_a_file_of_another_format_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then LMDB is asked whether a state is the present one: the same answers."""
    monkeypatch.setattr(numbers, "_FORMAT", (0xBEEFC0DE, 2))
    store = Store(tmp_path, writable=True, map_bytes=16 << 20)
    store.apply([], Meta(1, 1))
    state = _state(store)

    assert not isinstance(state.words, memoryview)
    assert state.words[state.place] == state.word
    store.apply([], Meta(1, 1))
    assert state.words[state.place] != state.word
    store.close()


_LEASE = {"fresh_from_ns": 5, "fresh_wall_ms": 5, "control_time_ms": 5, "heard_ns": 5}
_OTHERS = {
    "epoch": 2, "revision": 2, "complete": True, "schema": 999, "boot_id": "b", "snapshot_revision": 2,
    "snapshot_after": "a", "mark": "m", "snapshot_mark": "m", "hops": 1, "knows_nodes": True, "nodes": 2,
    "newest_head": 3, "newest_mark": "m",
}  # fmt: skip


def test_only_a_renewal_of_the_lease_keeps_the_edition(tmp_path: Path) -> None:
    """Every field of meta is one that a decision reads from each state anew, or it makes another edition."""
    store = Store(tmp_path, writable=True, map_bytes=16 << 20)
    told = {}
    for name, value in (_LEASE | _OTHERS).items():
        store.apply([], Meta())
        before = _state(store)
        store.apply([], msgspec.structs.replace(Meta(), **{name: value}))
        told[name] = _state(store).is_edition(before.edition)
    store.close()

    assert {
        name: name in _LEASE for name in Meta.__struct_fields__ if name not in ("place", "edition")
    } == told


def test_a_page_of_a_snapshot_is_another_edition(tmp_path: Path) -> None:
    """Also one that brings nothing."""
    store = Store(tmp_path, writable=True, map_bytes=16 << 20)
    store.apply([], Meta())
    before = _state(store)
    store.replace_range(None, None, [], Meta())

    assert not _state(store).is_edition(before.edition)
    store.close()


def _state(store: Store) -> Common:
    transaction, state = store.committed()
    transaction.abort()
    return state
