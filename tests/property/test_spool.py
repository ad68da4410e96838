"""The request log's spool in any order of writing, reading, shipping and starting again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from retinue.usage import SpoolTail
from tests.unit.spool import append, entry, numbers, opened


class SpoolMachine(RuleBasedStateMachine):
    """One writer, and one reader that ships what it reads; either may be replaced at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="retinue-spool-"))
        self.spool = opened(self.folder)
        self.tail = SpoolTail(self.spool.path)
        self.appended = 0
        self.read = 0
        self.shipped = 0
        self.writes = True

    def teardown(self) -> None:
        """Let go of the files."""
        self.tail.close()
        if self.writes:
            self.spool.close()
        shutil.rmtree(self.folder)

    @precondition(lambda self: self.writes)
    @rule(lengths=st.lists(st.integers(0, 600), min_size=1, max_size=60))
    def append(self, lengths: list[int]) -> None:
        """Append entries of these lengths, over the ends of segments."""
        for length in lengths:
            assert append(self.spool, entry(self.appended, path="/" + "p" * length))
            self.appended += 1

    @rule(limit=st.integers(1, 90))
    def take(self, limit: int) -> None:
        """Read a batch: it begins where the last one ended, without a gap."""
        first, found = self.tail.read(limit)

        assert self.read == first
        assert list(range(first, first + len(found))) == numbers(found)
        assert min(limit, self.appended - self.read) == len(found)
        self.read += len(found)

    @rule(part=st.floats(0, 1))
    def ship(self, part: float) -> None:
        """A part of what was read is acknowledged, and may be deleted."""
        self.shipped += int((self.read - self.shipped) * part)
        self.tail.release(self.shipped)

    @rule()
    def read_again(self) -> None:
        """Another reader goes on at what was acknowledged."""
        self.tail.close()
        self.tail = SpoolTail(self.spool.path)
        self.tail.seek(self.shipped)
        self.read = self.shipped

    @precondition(lambda self: self.writes)
    @rule()
    def end(self) -> None:
        """The writer ends; what it wrote stays."""
        self.spool.close()
        self.writes = False

    @invariant()
    def nothing_is_lost(self) -> None:
        """No reader ever tells of a gap, and the writer counts what it wrote."""
        assert 0 == self.tail.lost
        assert self.appended == self.spool.sequence
        assert 0 == self.spool.dropped_allowed + self.spool.dropped_denied


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
