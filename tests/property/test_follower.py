"""The follower against a model of the control plane: whatever happens on the way, it ends in the truth."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from retinue.node import pausing
from retinue.node.feed_client import FeedError
from retinue.pepper import Pepper, Peppers
from retinue.replica.records import Kind, Meta
from retinue.token import Kind as TokenKind
from retinue.token import mint
from retinue.verifier import Question, Verifier
from tests.property.control import Control
from tests.property.hosts import Host, Killed, commit
from tests.unit.replicas import Place, Rows, content

PLACES = st.tuples(st.sampled_from(Kind), st.sampled_from(["a", "aa", "b", "c"]))
VALUES = st.none() | st.integers(0, 255)
COMMITS = st.dictionaries(PLACES, VALUES, min_size=1, max_size=5)
#: What happens while a call is under way: commits, or a backup comes back, noticed (``None``) or not.
DURING = st.lists(COMMITS | COMMITS | COMMITS | st.none() | st.just("set back"), max_size=2)
FAULTS: st.SearchStrategy[type[BaseException] | None] = st.sampled_from([None, None, None, FeedError, Killed])
STRANGER = Question(mint(TokenKind.API_KEY).reveal())


class FollowerMachine(RuleBasedStateMachine):
    """Commits, steps, lost and repeated answers, kills, compaction and restored backups, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(random, "uniform", lambda _low, _high: 0.0)  # no pauses after a failure
        self.patches.setattr(pausing, "LONGEST_REST_SECONDS", 0.0)  # this control plane holds no poll
        self.control = Control()
        self.host = Host(self.control)
        self.backup: tuple[Rows, int, int] = ({}, 0, 1)
        self.seen = Meta()

    def teardown(self) -> None:
        """Without further faults the follower holds, in a few steps, what a fresh one holds."""
        try:
            fresh = Host(self.control)
            for host in (self.host, fresh):
                self.catch_up(host)
                self.is_the_truth(host)
            assert content(self.host.store)[0] == content(fresh.store)[0]
            fresh.remove()
        finally:
            self.patches.undo()
            self.host.remove()

    def catch_up(self, host: Host) -> None:
        """Step until the head is reached, or as often as must be enough."""
        for _ in range(2 * len(self.control.log) + len(self.control.rows) + 10):
            host.step()
            meta = content(host.store)[1]
            if meta.complete and (meta.epoch, meta.revision) == (self.control.epoch, self.control.revision):
                return

    def is_the_truth(self, host: Host) -> None:
        """Complete, at the head, and every record is there."""
        held, meta = content(host.store)
        assert (True, self.control.epoch, self.control.revision) == (meta.complete, meta.epoch, meta.revision)
        assert self.control.rows == held
        assert meta.fresh_from_ns > 0

    @rule(changes=COMMITS)
    def commit(self, changes: dict[Place, int | None]) -> None:
        """Something changes."""
        commit(self.control, changes)

    @rule(during=DURING, fault=FAULTS, repeat=st.none() | st.integers(0, 99))
    def step(
        self,
        during: list[dict[Place, int | None] | str | None],
        fault: type[BaseException] | None,
        repeat: int | None,
    ) -> None:
        """One call: commits while it is under way, its answer lost, an older answer in its place, or a kill."""
        acts = [self._act(each) for each in during]
        self.host.wire.during, self.host.wire.fault, self.host.wire.repeat = acts, fault, repeat
        self.host.step()

    def _act(self, given: dict[Place, int | None] | str | None) -> Callable[[], None]:
        if isinstance(given, dict):
            return partial(self.commit, given)
        return self.restore if given is None else self.set_back

    @rule(count=st.integers(1, 12))
    def steps(self, count: int) -> None:
        """Some calls without a fault."""
        for _ in range(count):
            self.host.step()

    @rule()
    def kill(self) -> None:
        """Killed between two calls."""
        self.host.kill()
        self.host.start()

    @rule()
    def compact(self) -> None:
        """The change log is cut: who is behind loads a snapshot."""
        self.control.compact()

    @rule()
    def back_up(self) -> None:
        """A backup is made."""
        self.backup = dict(self.control.rows), self.control.revision, self.control.epoch

    @rule()
    def restore(self) -> None:
        """The backup comes back under a new epoch."""
        self.control.restore(*self.backup[:2])

    @rule()
    def set_back(self) -> None:
        """A backup of this epoch comes back, and nobody has noticed."""
        if self.backup[2] == self.control.epoch:
            self.control.set_back(*self.backup[:2])

    @invariant()
    def nothing_older_is_shown(self) -> None:
        """
        What a replica claims is true: complete, it holds at least its revision; fresh, exactly a revision.
        Neither goes back, for what was acknowledged must hold. One that is not complete decides nothing.
        """
        held, meta = content(self.host.store)
        if not meta.complete:
            verifier = Verifier(self.host.store, Peppers([Pepper(bytes(32))]))
            assert "replica_stale" == getattr(verifier.verify(STRANGER), "reason", None)
        else:
            self._is_complete(held, meta)
        assert meta.epoch >= self.seen.epoch
        if 0 < self.seen.epoch < meta.epoch:  # what the control plane forgot can be told to it no more
            assert meta.epoch in self.host.wire.handed
        self.seen = meta

    def _is_complete(self, held: Rows, meta: Meta) -> None:
        assert meta.fresh_from_ns > 0  # it was at the head once
        if self.seen.complete and meta.epoch == self.seen.epoch:
            assert meta.revision >= self.seen.revision
        if meta.fresh_from_ns != self.seen.fresh_from_ns:
            assert self.control.history[meta.epoch, meta.revision, meta.mark] == held
        newest = meta.newest_head, meta.newest_mark
        is_ours = self.control.knows(meta.revision, meta.mark) and self.control.knows(*newest)
        if meta.epoch == self.control.epoch and is_ours:  # or nobody has noticed yet
            for place in set(held) | set(self.control.rows):
                if self.control.latest(place) <= meta.revision:
                    assert self.control.rows.get(place) == held.get(place)


TestFollower = FollowerMachine.TestCase
TestFollower.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_a_replica_is_complete_only_at_the_head() -> None:
    """After its pages a snapshot is a mixture of states: it decides when the changes since its begin are applied."""
    control = Control(limit=2)
    commit(control, {(Kind.HOLDER, "a"): 1})
    host = Host(control)
    host.wire.during = [partial(commit, control, {(Kind.HOLDER, f"b{number}"): 1}) for number in range(5)]
    seen = []
    for _ in range(8):
        host.step()
        meta = content(host.store)[1]
        seen.append(
            (meta.complete, meta.complete == (meta.revision == control.revision and meta.fresh_from_ns > 0))
        )

    assert (False, True) == (seen[0][0], seen[-1][0])
    assert all(rightly for _, rightly in seen)
    host.remove()


def test_an_answer_that_is_older_than_a_part_of_a_revision_refreshes_nothing() -> None:
    """
    Of a revision that comes in parts the first is here; then an answer to a poll from before it arrives: the
    lease is not renewed by it, for what is held is no state that ever was. The rest brings it to the head.
    """
    control = Control(limit=3)
    host = Host(control)
    for _ in range(2):
        host.step()
    commit(control, {(Kind.HOLDER, f"b{number}"): 1 for number in range(4)})
    host.step()
    before = content(host.store)[1]
    host.wire.repeat = 1
    host.step()
    after = content(host.store)[1]
    for _ in range(2):
        host.step()

    assert (True, 0) == (before.complete, before.revision)
    assert before.fresh_from_ns == after.fresh_from_ns
    assert (1, control.rows) == (content(host.store)[1].revision, content(host.store)[0])
    host.remove()


def test_an_answer_that_is_older_than_a_page_completes_nothing() -> None:
    """
    A snapshot whose second page is read after a commit, then an answer to a poll from before that commit: the
    replica stays incomplete. The next answer brings it to the head.
    """
    control = Control(limit=2)
    commit(control, {(Kind.HOLDER, name): 1 for name in ("a", "b", "c")})
    control.compact()
    host = Host(control)
    host.step()  # it learns that it needs a snapshot, and loads the first page
    host.wire.answers.append(control.poll(host.follower._replica.incarnation, 1, control.revision, None))
    commit(control, {(Kind.HOLDER, "a"): 2})
    commit(control, {(Kind.HOLDER, "c"): 2})
    while content(host.store)[1].snapshot_after:
        host.step()
    host.wire.repeat = len(host.wire.answers) - 1
    mixed = content(host.store)[0]
    host.step()
    after_old = content(host.store)[1]
    host.step()
    held, meta = content(host.store)

    assert control.rows != mixed
    assert (False, 0) == (after_old.complete, after_old.fresh_from_ns)
    assert (True, control.revision, control.rows, 0) == (
        meta.complete,
        meta.revision,
        held,
        meta.newest_head,
    )
    host.remove()


@pytest.mark.parametrize("which", [1, 2, 3])
def test_an_answer_to_an_earlier_poll_takes_nothing_back(which: int) -> None:
    """A revoke that was applied stays applied, though an older answer arrives after it."""
    control = Control()
    host = Host(control)
    for number in range(6):
        commit(control, {(Kind.CREDENTIAL, "key"): number})
        host.step()
    held = content(host.store)
    assert control.revision == held[1].revision
    host.wire.repeat = which
    host.step()

    assert (held[0], held[1].revision) == (content(host.store)[0], content(host.store)[1].revision)
    host.remove()


def test_an_answer_of_an_earlier_epoch_is_not_applied() -> None:
    """Once a restored control plane was heard, an answer from before it counts for nothing."""
    control = Control()
    host = Host(control)
    for number in range(5):
        commit(control, {(Kind.CREDENTIAL, "key"): number})
        host.step()
    control.restore({}, 0)
    for _ in range(3):
        host.step()
    before = host.wire.answers[4], content(host.store)
    host.wire.repeat = 4
    host.step()

    assert (1, 2) == (before[0].epoch, before[1][1].epoch)
    assert ({}, before[1][1].revision) == (content(host.store)[0], content(host.store)[1].revision)
    host.remove()
