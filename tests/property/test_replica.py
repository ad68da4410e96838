"""Any sequence of writes, restarts and held snapshots: each replica is what a plain dictionary would be."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from retinue.replica.memory import MemoryReplica
from retinue.replica.records import Change, Kind, Meta
from retinue.replica.store import Store
from tests.unit.replicas import Rows, content, expected, gone, put, rank, read, rows

KEYS = st.sampled_from(["a", "a-", "aa", "aZ", "b", "b0", "c"])
PLACES = st.tuples(st.sampled_from(Kind), KEYS)
CHANGES = st.builds(put, st.sampled_from(Kind), KEYS, st.integers(0, 255)) | st.builds(
    gone, st.sampled_from(Kind), KEYS
)


@dataclass
class View:
    """Open snapshots of both replicas, and what they must show."""

    snapshots: list[Any]
    rows: Rows
    meta: Meta

    def close(self) -> None:
        """Let both go."""
        for snapshot in self.snapshots:
            snapshot.__exit__(None, None, None)


class ReplicaMachine(RuleBasedStateMachine):
    """A replica in memory, one in LMDB, and a dictionary go through the same life."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="retinue-replica-"))
        self.memory = MemoryReplica()
        self.store = self.open()
        self.rows: Rows = {}
        self.meta = Meta()
        self.views: list[View] = []

    def open(self) -> Store:
        """Open the replica in LMDB."""
        return Store(self.folder, writable=True, map_bytes=16 << 20)

    def teardown(self) -> None:
        """Let go of the files."""
        for view in self.views:
            view.close()
        self.store.close()
        shutil.rmtree(self.folder)

    def next_meta(self) -> Meta:
        """Another position at each write."""
        return Meta(1, self.meta.revision + 1, True)

    @rule(changes=st.lists(CHANGES, max_size=8))
    def apply(self, changes: list[Change]) -> None:
        """A batch of changes."""
        self.meta = self.next_meta()
        for replica in (self.memory, self.store):
            replica.apply(iter(changes), self.meta)
        for change in changes:
            self._note(change)

    @rule(after=st.none() | PLACES, upto=st.none() | PLACES, changes=st.lists(CHANGES, max_size=8))
    def replace(self, after: Any, upto: Any, changes: list[Change]) -> None:
        """A page of a snapshot: the changes within its range."""
        inside = [each for each in changes if self._within((each.kind, each.key), after, upto)]
        self.meta = self.next_meta()
        for replica in (self.memory, self.store):
            replica.replace_range(after, upto, iter(inside), self.meta)
        self.rows = {
            place: value for place, value in self.rows.items() if not self._within(place, after, upto)
        }
        for change in inside:
            if change.value is not None:
                self.rows[change.kind, change.key] = change.value

    @rule()
    def look(self) -> None:
        """Open a snapshot of each, and hold it."""
        snapshots = [replica.snapshot().__enter__() for replica in (self.memory, self.store)]
        self.views.append(View(snapshots, dict(self.rows), self.meta))

    @precondition(lambda self: self.views)
    @rule(which=st.integers(0, 99), place=PLACES)
    def look_again(self, which: int, place: tuple[Kind, str]) -> None:
        """A held snapshot shows what it showed, whatever was written meanwhile."""
        view = self.views[which % len(self.views)]
        for snapshot in view.snapshots:
            assert view.meta == snapshot.meta()
            assert expected(*place, view.rows) == read(snapshot, *place)
            assert view.rows == rows(snapshot)

    @precondition(lambda self: self.views)
    @rule(which=st.integers(0, 99))
    def let_go(self, which: int) -> None:
        """Snapshots end in any order."""
        self.views.pop(which % len(self.views)).close()

    @rule()
    def restart(self) -> None:
        """The process ends and another begins: what was applied is there."""
        while self.views:
            self.let_go(0)
        self.store.close()
        self.store = self.open()

    @invariant()
    def is_equal(self) -> None:
        """A new snapshot of each shows the present state."""
        assert (self.rows, self.meta) == content(self.memory) == content(self.store)

    def _note(self, change: Change) -> None:
        if change.value is None:
            self.rows.pop((change.kind, change.key), None)
        else:
            self.rows[change.kind, change.key] = change.value

    @staticmethod
    def _within(place: tuple[Kind, str], after: Any, upto: Any) -> bool:
        return (after is None or rank(place) > rank(after)) and (upto is None or rank(place) <= rank(upto))


TestReplica = ReplicaMachine.TestCase
TestReplica.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
