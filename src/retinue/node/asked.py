"""Requests to verify that are as the last one was, but for their token: answered without being read again.

What stands before and behind the token is compared byte by byte with a request whose meaning is known. What
is left in between is a token if it is recalled as one; a request with anything else there is read as a whole.
"""

from __future__ import annotations

import logging
from time import perf_counter_ns
from typing import TYPE_CHECKING

import msgspec

from retinue.kept import Known
from retinue.node.answer import answer_for
from retinue.node.entries import entry_for
from retinue.node.metrics import Metrics
from retinue.node.questions import OPENING
from retinue.node.responses import Responses, decided
from retinue.prepared_entries import LONGEST_US, NOTHING, START, plain
from retinue.question import Question
from retinue.usage import Spool

if TYPE_CHECKING:
    from retinue.node.decisions import Decisions
    from retinue.node.exchange import Head

log = logging.getLogger("retinue.node")
_encode = msgspec.json.Encoder().encode


class Telling:
    """Tells what is known: the answer, the count, the entry in the request log."""

    def __init__(self, spool: Spool, metrics: Metrics, responses: Responses) -> None:
        self._append = spool.append_encoded
        self._metrics = metrics
        self._count = metrics.allowed
        self._responses = responses

    def tell(self, known: Known, question: Question, started: int) -> bytes:
        """Answer, count and log what is known; ``question`` says nothing but what is asked.

        ``started`` is the performance counter when the request began.
        """
        pack = known.pack
        if pack is None:
            made = entry_for(known.decision, question, None, 0, None)
            assert made is not None  # noqa: S101  (for the type checker)
            pack, known.facts = plain(made)
            known.pack, known.told = pack, decided(_encode(answer_for(known.decision, question)))
        at_ms, known.at_ns = known.at_ns // 1_000_000, 0
        nanoseconds = perf_counter_ns() - started
        self._count(nanoseconds)
        try:
            # As `packed` does it; a call of it would be felt here.
            took = nanoseconds // 1000
            entry = pack(START, at_ms, known.facts, took if took < LONGEST_US else LONGEST_US, NOTHING)
            logged = self._append(entry, True)
        except (OSError, ValueError):
            # Verification goes on when the disk does not; the loss is counted.
            log.exception("the request log could not be written")
            logged = False
        if not logged:
            self._metrics.dropped()
        return self._responses.start + known.told


class AskedAgain:
    """The requests with one header block that ask the same: see :attr:`Head.again`.

    If the last text that came so was no token, the next one is read first, and else looked for at once.
    """

    __slots__ = ("_begin", "_decisions", "_doubts", "_end", "_length", "_question", "_token")

    def __init__(
        self, head: Head, question: Question, rest: bytes, decisions: Decisions, *, doubts: bool
    ) -> None:
        self._begin = head.block + b"\r\n\r\n" + OPENING
        self._end = b'"' + rest
        self._length = len(head.block) + 4 + head.length
        self._token = slice(len(self._begin), -len(self._end))
        self._question = question
        self._decisions = decisions
        self._doubts = doubts

    def answer(self, data: bytes) -> bytes | None:
        """Return the answer to a request about a token that is known, or about what is none."""
        if len(data) != self._length or not (data.startswith(self._begin) and data.endswith(self._end)):
            return None
        started = perf_counter_ns()
        presented, question, decisions = data[self._token], self._question, self._decisions
        if self._doubts:
            if decisions.verifier.read_bytes(presented) is None:
                return decisions.mistyped(presented, question, started)
            self._doubts = False
        known = decisions.verifier.recall(presented, question)
        return None if known is None else decisions.tell(known, question, started)
