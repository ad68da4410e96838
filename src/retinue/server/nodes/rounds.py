"""Answers the polls of many nodes together, on one thread: what has come is recorded in one transaction and
answered from one read, and what has nothing new is held without thread or connection.

A round keeps the order in which a single poll is answered (``feed``): who may poll is looked at, what is
acknowledged is recorded and committed, and only then the head is read. Whatever is not usual (an incarnation
that is not known yet, a history in doubt, a node that was removed) is left to ``feed.poll``: such a poll is
given back unanswered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec
from django.db import DatabaseError, connection

from retinue.replica.clocks import Clock
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.feed import Position
from retinue.server.ledger.relaxed import relaxed
from retinue.server.ledger.transaction import one_writer, reading
from retinue.server.nodes import feed, measures, probing, renewing, wake
from retinue.server.nodes.acknowledged import Acknowledged
from retinue.server.nodes.answers import PollAnswer
from retinue.server.nodes.polls import Like, News, Poll, kinds, like
from retinue.server.nodes.renewing import Place
from retinue.server.nodes.rules import EARLY_SHARE, hold_seconds

_log = logging.getLogger("retinue.feed")
#: Polls in one round, and polls that are held in this process; with more, polls are answered at once.
MOST_IN_A_ROUND = 500
MOST_HELD = 4_096
#: Nodes that were told of a change poll again at once, and a round for all of them costs hardly more than one
#: for a single node. So a round waits for those that were told, as long as they keep coming.
GATHER_SECONDS = 0.01
GAP_SECONDS = 0.001
#: Who does not come back within this time is not waited for.
RETURN_SECONDS = 0.05
_encode = msgspec.json.Encoder().encode
#: The answer begins with the incarnation; all that follows is the same for many.
_HEAD = b'{"incarnation":"'
_SKIPPED = len(_HEAD) + 32


class Rounds(threading.Thread):
    """The thread. ``deliver`` is called on it with polls that are answered; ``check`` inside each
    transaction, with its head, to find out which nodes may not poll any more.
    """

    def __init__(
        self, check: Callable[[Position], object], deliver: Callable[[Sequence[Poll]], object]
    ) -> None:
        super().__init__(name="retinue-rounds", daemon=True)
        self._check = check
        self._deliver = deliver
        self._condition = threading.Condition()
        self._come: list[Poll] = []
        self._has_changed = False
        self._is_ending = False
        self._held: list[Poll] = []
        self._held_of: Counter[str] = Counter()
        self._acknowledged = Acknowledged()
        #: How many have been told of a change and have not come back, until when, and how many end the wait.
        self._told = 0
        self._told_until = 0.0
        self._enough = 1

    @property
    def held(self) -> int:
        """How many polls are held now."""
        return len(self._held)

    @property
    def _is_closed(self) -> bool:
        return self._is_ending or wake.commits.is_closed

    def start(self) -> None:
        """Begin; whatever is committed is heard of."""
        wake.commits.listeners.append(self.changed)
        super().start()

    def stop(self) -> None:
        """End, once what has come is answered."""
        wake.commits.listeners.remove(self.changed)
        with self._condition:
            self._is_ending = True
            self._condition.notify()
        self.join()

    def changed(self) -> None:
        """Something may have been committed; from any thread."""
        with self._condition:
            self._has_changed = True
            self._condition.notify()

    def put(self, polls: Iterable[Poll]) -> None:
        """Answer these, now or when there is something new; from any thread."""
        with self._condition:
            self._come += polls
            if len(self._come) >= self._enough:
                self._condition.notify()

    def run(self) -> None:
        """Go round until stopped."""
        while True:
            come = self._next()
            if come is None:
                break
            try:
                self._round(come)
            except Exception as error:
                self._failed(come, error)
        connection.close()

    def _next(self) -> list[Poll] | None:
        """Wait until there is something to do; return what has come, at most one poll of each incarnation."""
        with self._condition:
            while not (self._come or self._has_changed or self._is_ending):
                self._acknowledged.settle(time.monotonic())
                left = self._pause()
                if left is not None and left <= 0:
                    break
                wake.release_connection()
                self._condition.wait(left)
            self._gather()
            if self._is_ending and not (self._come or self._held):
                return None
            self._has_changed = False
            taken: dict[Place, Poll] = {}
            later: list[Poll] = []
            for poll in self._come:
                is_next = poll.said.place not in taken and len(taken) < MOST_IN_A_ROUND
                if is_next:
                    taken[poll.said.place] = poll
                else:
                    later.append(poll)
            self._come = later
            return list(taken.values())

    def _gather(self) -> None:
        """Wait for those who were told of a change, while they keep coming; with the condition held."""
        now = time.monotonic()
        if now >= self._told_until:
            self._told = 0
        ends = min(now + GATHER_SECONDS, self._told_until)
        count = 0
        self._enough = self._told
        while (
            count < len(self._come) < self._told and now < ends and not (self._has_changed or self._is_ending)
        ):
            count = len(self._come)
            self._condition.wait(min(GAP_SECONDS, ends - now))
            now = time.monotonic()
        self._enough = 1
        self._told = max(self._told - len(self._come), 0)

    def _pause(self) -> float | None:
        ends = [poll.until for poll in self._held]
        due = self._acknowledged.due
        ends += [] if due is None else [due]
        return None if not ends else min(ends) - time.monotonic()

    def _failed(self, come: Sequence[Poll], error: Exception) -> None:
        """The database is away, or something is broken: each poll finds out by itself."""
        if not isinstance(error, DatabaseError):
            _log.exception("polls could not be answered together")
        connection.close()
        held, self._held = self._held, []
        self._held_of.clear()
        left = [poll for poll in (*come, *held) if poll.answer is None]
        self._deliver(left)

    def _round(self, come: list[Poll]) -> None:
        began = time.perf_counter()
        known = self._record(come) if come else {}
        for poll in come:
            poll.clock = known.get(poll.said.place, poll.clock)
        alone = [poll for poll in come if poll.said.place not in known]
        with reading():
            head = ledger.position()
            self._check(head)
            waiting = self._due(head)
            present = renewing.present([poll.said.place for poll in waiting])
            alone += [poll for poll in waiting if poll.said.place not in present or not poll.may()]
            alone += [poll for poll in come if poll.said.place in known and not poll.may()]
            left = set(map(id, alone))
            asked = [poll for poll in (*come, *waiting) if id(poll) not in left]
            answers = {kind: self._read(poll, head) for kind, poll in kinds(asked)}
        self._acknowledged.look(head, time.monotonic())
        self._answer(asked, answers, alone, began)

    def _record(self, come: Sequence[Poll]) -> dict[Place, Clock]:
        """Commit what these polls acknowledge; return those whose rows were written, as ``leases.record``."""
        with one_writer(first=True), relaxed():
            self._check(ledger.position())
            said = [poll.said for poll in come if poll.may()]
            known = renewing.record(said) if said else {}
        self._acknowledged.heard([each for each in said if each.place in known], time.monotonic())
        return known

    def _due(self, head: Position) -> list[Poll]:
        """Take the held polls that are answered now: all if something is new, or their time is over."""
        now = time.monotonic()
        news = News(head)
        due = [
            poll
            for poll in self._held
            if self._is_closed or poll.until <= now or poll.request.applied in news or not poll.may()
        ]
        taken = set(map(id, due))
        self._held = [poll for poll in self._held if id(poll) not in taken]
        for poll in due:
            self._held_of[poll.said.node] -= 1
        return due

    def _read(self, poll: Poll, head: Position) -> PollAnswer | None:
        answer = feed.at_head(poll.request, head)
        return None if answer is None else feed.granted(answer, poll.clock)

    def _answer(
        self,
        asked: Sequence[Poll],
        answers: dict[Like, PollAnswer | None],
        alone: list[Poll],
        began: float,
    ) -> None:
        """Give each poll its answer, or hold it; outside the read."""
        bodies: dict[Like, bytes] = {}
        told: Counter[str] = Counter()
        ready: list[Poll] = []
        for poll in asked:
            kind = like(poll)
            answer = answers[kind]
            if answer is None or _has_news(poll):
                alone.append(poll)
            elif not poll.until and self._hold(poll, answer):
                continue
            else:
                if kind not in bodies:
                    bodies[kind] = _body(answer, poll)
                poll.answer = _HEAD + poll.request.incarnation.encode() + bodies[kind]
                told[feed.result_of(answer)] += 1
                ready.append(poll)
        self._deliver([*ready, *alone])
        if ready:
            self._told += len(ready)
            self._told_until = time.monotonic() + RETURN_SECONDS
        for result, count in told.items():
            measures.answered((time.perf_counter() - began) / len(ready), result, count)

    def _hold(self, poll: Poll, answer: PollAnswer) -> bool:
        """Keep a poll until something is new, if it may wait and there is room."""
        seconds = hold_seconds(poll.request.wait, answer.lease_ms / 1_000)
        if seconds <= 0 or feed.is_news(answer, poll.request) or self._is_closed:
            return False
        node = poll.said.node
        if len(self._held) >= MOST_HELD or self._held_of[node] >= wake.MAX_HELD_EACH:
            return False
        poll.until = time.monotonic() + seconds * (1 - EARLY_SHARE)
        self._held.append(poll)
        self._held_of[node] += 1
        return True


def _has_news(poll: Poll) -> bool:
    """Tell whether the node's clock must come on record: that is an event, and no matter of a round."""
    return poll.clock.is_told != poll.clock.is_slow


def _body(answer: PollAnswer, poll: Poll) -> bytes:
    """Return the encoded answer without what stands before the incarnation, and without that itself."""
    canary = probing.canary_for(answer.changes)
    return _encode(msgspec.structs.replace(answer, canary=canary, renew=poll.renews))[_SKIPPED:]
