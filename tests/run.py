"""``python -m tests.run``: all tests, in parts, of which two at most run side by side.

A part is one suite, on one kind of database if it needs one: a run of pytest in a process of its own, because what
one suite leaves in a database would make the next one slower and slower. What starts processes and mostly waits for
them runs beside what computes. Last and alone comes what needs the machine for itself, because it stops processes
and looks at the clock. What a part wrote is printed when it has ended. Arguments are passed on to pytest.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tests.server_support.django_setup import KINDS, VARIABLE

ROOT = Path(__file__).parent
#: In one process, on each kind of database; the longest first.
ON_DATABASES = ("api", "storage", "authorization", "console", "invariants", "machine")
#: They compute, and nothing that they start is waited for long.
COMPUTING = ("conformance", "cli", "property", "unit", "guard", "gateway", "init", "architecture")
#: They need both cores.
ALONE = ("cluster", "formal")
#: pytest found nothing to run.
EMPTY = 5

_printing = Lock()


@dataclass(frozen=True, slots=True)
class Part:
    """One suite, on the kind of database named, or on what it chooses itself."""

    suite: str
    database: str | None = None

    @property
    def name(self) -> str:
        """What the part is called where its result is printed."""
        return f"{self.suite} on {self.database}" if self.database else self.suite


@dataclass(frozen=True, slots=True)
class Result:
    """How a part ended."""

    part: Part
    seconds: float
    passed: int
    failed: int


def suites() -> set[str]:
    """Return the folders that hold tests."""
    return {each.relative_to(ROOT).parts[0] for each in ROOT.rglob("test_*.py")}


def run(part: Part, arguments: Sequence[str]) -> Result:
    """Run a part to its end, print what it wrote, and return how it ended."""
    began = time.monotonic()
    chosen = {VARIABLE: part.database} if part.database else {}
    # What a part compiles is kept, whatever the machine says: the parts, and what they start, are of the same files.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # What needs no database is run beside those on SQLite.
    only = ["--only-on-database"] if part.database == "postgresql" else []
    with tempfile.TemporaryFile("w+") as output:
        code = subprocess.call(
            [sys.executable, "-m", "pytest", str(ROOT / part.suite), *only, *arguments],
            env={**kept, **chosen},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT.parent,
        )
        output.seek(0)
        text = output.read()
    seconds = time.monotonic() - began
    with _printing:
        print(f"--- {part.name}: {seconds:.0f} s\n{text}", flush=True)
    last = text.rstrip().rpartition("\n")[2]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", last)}
    failed = sum(number for word, number in counts.items() if word != "passed")
    return Result(part, seconds, counts.get("passed", 0), failed or int(code not in (0, EMPTY)))


def drain(queues: Sequence[deque[Part]], arguments: Sequence[str]) -> list[Result]:
    """Run what stands in the queues, the first queue to its end, then the next."""
    results = []
    for queue in queues:
        while True:
            try:
                part = queue.popleft()
            except IndexError:
                break
            results.append(run(part, arguments))
    return results


def main(arguments: Sequence[str]) -> int:
    """Run everything; return 0 if all passed."""
    # A shell starts what runs in its background deaf to Ctrl-C; the tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    waiting = deque(Part(each) for each in sorted(suites() - {*ON_DATABASES, *COMPUTING, *ALONE}))
    computing = deque(Part(each, kind) for each in ON_DATABASES for kind in reversed(KINDS))
    computing.extend(Part(each) for each in COMPUTING)
    with ThreadPoolExecutor(2) as lanes:
        # Of the suites that wait there is never more than one at a time: the second lane leaves them to the first.
        begun = [lanes.submit(drain, queues, arguments) for queues in ((waiting, computing), (computing,))]
        results = [result for lane in begun for result in lane.result()]
    results += drain([deque(map(Part, ALONE))], arguments)
    for each in sorted(results, key=lambda result: -result.seconds):
        print(f"{each.part.name}: {each.seconds:.0f} s, {each.passed} passed, {each.failed} not")
    passed, failed = sum(each.passed for each in results), sum(each.failed for each in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
