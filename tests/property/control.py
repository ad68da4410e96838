"""A control plane as a model: rows, a change log, polls and snapshot pages as REVOCATION.md section 4 has them."""

from __future__ import annotations

from retinue.node.feed_client import PollAnswer, SnapshotAnswer
from retinue.replica.records import Change, Kind
from tests.unit.replicas import Place, Rows, rank


class Control:
    """The truth, and what it answers. ``limit`` is the number of changes and of records in one answer."""

    def __init__(self, limit: int = 3) -> None:
        self.limit = limit
        self.epoch = 1
        #: Each revision has a mark that no other history has.
        self.marks: list[str] = [""]
        self._minted = 0
        self.rows: Rows = {}
        self.log: list[tuple[int, Place]] = []
        self.revision = 0
        self.compacted = 0
        #: The rows at each position, to compare with; it is found by its mark.
        self.history: dict[tuple[int, int, str], Rows] = {(1, 0, ""): {}}

    def commit(self, changes: dict[Place, bytes | None]) -> None:
        """One transaction: it takes the next revision."""
        self.revision += 1
        self._minted += 1
        self.marks.append(f"{self._minted:016x}")
        for place, value in changes.items():
            self.log.append((self.revision, place))
            self.rows.pop(place, None)
            if value is not None:
                self.rows[place] = value
        self._note()

    def _note(self) -> None:
        self.history[self.epoch, self.revision, self.marks[self.revision]] = dict(self.rows)

    def knows(self, revision: int, mark: str) -> bool:
        """Whether this history has a revision with this mark."""
        return revision <= self.revision and mark in ("", self.marks[revision])

    def compact(self) -> None:
        """Forget which objects changed up to now."""
        self.compacted = self.revision

    def restore(self, rows: Rows, revision: int) -> None:
        """A backup comes back: older rows and an older revision, under a new epoch, without its change log."""
        self.epoch += 1
        self.rows, self.revision, self.compacted, self.log = dict(rows), revision, revision, []
        self.marks = self.marks[: revision + 1]
        self._note()

    def set_back(self, rows: Rows, revision: int) -> None:
        """A backup of this epoch comes back and nobody has noticed: the next revision has a number that was."""
        self.rows, self.revision, self.compacted = dict(rows), revision, min(self.compacted, revision)
        self.log = [each for each in self.log if each[0] <= revision]
        self.marks = self.marks[: revision + 1]

    def latest(self, place: Place) -> int:
        """The revision in which an object last changed; 0 if it never did in this epoch's log."""
        return max((revision for revision, each in self.log if each == place), default=0)

    def poll(
        self,
        incarnation: str,
        epoch: int,
        applied: int,
        after: str | None = None,
        *,
        said: tuple[tuple[int, str], ...] = (),
    ) -> PollAnswer:
        """What a follower is answered that has applied this, and a part of the next revision up to ``after``.

        ``said`` are the revisions, with their marks, of which it holds something: one that is not known here
        raises the epoch.
        """
        if epoch == self.epoch and not all(self.knows(*each) for each in said):
            self.restore(self.rows, self.revision)
        if epoch != self.epoch or applied < self.compacted or applied > self.revision:
            return self._answer(incarnation, [], more=False, snapshot=True)
        touched = sorted((revision, *place) for revision, place in self.log if revision > applied)
        if after is not None:
            touched = [each for each in touched if each > _cut(after)]
        taken, following = touched[: self.limit], None
        if len(taken) < len(touched):
            whole = [each for each in taken if each[0] < touched[len(taken)][0]]
            if not whole:  # not even one revision fits
                following = f"{taken[-1][0]}/{taken[-1][1].value}/{taken[-1][2]}"
            taken = whole or taken
        newest: dict[Place, int] = {}
        for revision, kind, key in taken:
            newest.pop((kind, key), None)
            newest[kind, key] = revision
        changes = [Change(revision, *place, self.rows.get(place)) for place, revision in newest.items()]
        answer = self._answer(incarnation, changes, more=len(taken) < len(touched))
        answer.next = following
        if answer.more or following:
            answer.mark = self.marks[taken[-1][0]]
            answer.head_mark = self.marks[self.revision]
        return answer

    def snapshot(self, after: str) -> SnapshotAnswer:
        """The page of a snapshot after a place."""
        kind, _, key = after.partition("/")
        places = sorted(self.rows, key=rank)
        if after:
            places = [place for place in places if rank(place) > rank((Kind(kind), key))]
        page = places[: self.limit]
        following = f"{page[-1][0].value}/{page[-1][1]}" if len(page) == self.limit else None
        changes = [Change(self.revision, *place, self.rows[place]) for place in page]
        return SnapshotAnswer(self.epoch, self.revision, changes, following, self.marks[self.revision])

    def _answer(
        self, incarnation: str, changes: list[Change], *, more: bool, snapshot: bool = False
    ) -> PollAnswer:
        lease = not more and not snapshot
        answer = PollAnswer(incarnation, self.epoch, self.revision, changes, more, lease, 1_000, snapshot)
        answer.mark = self.marks[self.revision]
        return answer


def _cut(after: str) -> tuple[int, Kind, str]:
    revision, kind, key = after.split("/", 2)
    return int(revision), Kind(kind), key
