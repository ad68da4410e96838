"""``python -m tests.run``: all tests, in parts, of which two at most run side by side.

What runs in one process comes first, on both databases at once; then what starts processes; last and alone what
needs the machine for itself, because it stops processes and looks at the clock. Each part is a run of pytest, and
what it wrote is printed when it has ended. Arguments are passed on to pytest.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.server_support.django_setup import KINDS, VARIABLE

ROOT = Path(__file__).parent
#: In one process, on each kind of database.
ON_DATABASES = ("api", "authorization", "console", "invariants", "machine", "storage")
#: Without a database, and without processes that anything waits for.
LIGHT = ("architecture", "cli", "property", "unit")
#: They start processes, and compute a lot themselves; beside them runs what mostly waits.
BUSY = ("conformance", "gateway", "guard", "init")
#: They need both cores.
ALONE = ("cluster", "formal")
#: pytest found nothing to run.
EMPTY = 5


class Part:
    """One run of pytest, begun when it is made."""

    def __init__(
        self, name: str, folders: Sequence[str], arguments: Sequence[str], **environment: str
    ) -> None:
        self.name = name
        self.began = time.monotonic()
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open until it is printed)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *(str(ROOT / each) for each in folders), *arguments],
            env={**os.environ, **environment},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            cwd=ROOT.parent,
        )

    def end(self) -> tuple[int, int]:
        """Wait for the end, print what was written, and return how many tests passed and how many did not."""
        code = self.process.wait()
        self.output.seek(0)
        text = self.output.read()
        print(f"--- {self.name}: {time.monotonic() - self.began:.0f} s\n{text}", flush=True)
        last = text.rstrip().rpartition("\n")[2]
        counts: Mapping[str, int] = {
            word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", last)
        }
        failed = sum(number for word, number in counts.items() if word != "passed")
        return counts.get("passed", 0), failed or int(code not in (0, EMPTY))


def suites() -> set[str]:
    """Return the folders that hold tests."""
    return {each.relative_to(ROOT).parts[0] for each in ROOT.rglob("test_*.py")}


def main(arguments: Sequence[str]) -> int:
    """Run everything; return 0 if all passed."""
    processes = sorted(suites() - {*ON_DATABASES, *LIGHT, *BUSY, *ALONE})
    sqlite, postgresql = KINDS
    beside = Part(f"on {postgresql}", ON_DATABASES, arguments, **{VARIABLE: postgresql})
    results = [
        Part(f"on {sqlite}", ON_DATABASES, arguments, **{VARIABLE: sqlite}).end(),
        Part(", ".join(LIGHT), LIGHT, arguments).end(),
        beside.end(),
    ]
    beside = Part(", ".join(BUSY), BUSY, arguments)
    results += [Part(", ".join(processes), processes, arguments).end(), beside.end()]
    results += [Part(", ".join(ALONE), ALONE, arguments).end()]
    passed, failed = (sum(column) for column in zip(*results, strict=True))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
