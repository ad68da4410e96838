"""Counts the instructions of the hot path, and refuses that they grow without a reason: ``--check``.

Seconds differ from run to run, instructions hardly (a tenth of a percent): valgrind's callgrind counts them
in user space. ``instructions.json`` keeps them, with a reason for each entry; ``--record REASON`` adds one.
They depend on the build of the interpreter, so on a build that has no entry both sources are counted in this
run: the present one, and that of the commit which last recorded a reason. Without a history of commits what
is held against the file is the ratio to a loop of plain Python, and more has to be allowed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import replica  # noqa: E402
from bench.hot import MEASURES  # noqa: E402

FILE = ROOT / "bench" / "instructions.json"
#: By so much a measure may grow without a reason; and where only the ratio to plain Python is known.
LIMIT, COARSE_LIMIT = 0.03, 0.15
#: The same build counts the loop of plain Python alike; one that does not is another build.
SAME_BUILD = 0.005
KEYS = 1_000
FEW, MANY = 50, 250
REFERENCE = "reference"
Figures = Mapping[str, float]
#: Nothing may depend on the hash seed, or on what this processor has beyond the others.
_SAME_EVERYWHERE = {
    "PYTHONHASHSEED": "0",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM",
    "OPENSSL_ia32cap": ":~0x20000020",
}


class CannotCount(Exception):
    """This machine cannot count; the message says why."""


def build() -> str:
    """Return what the figures depend on: interpreter, compiler, machine."""
    parts = (platform.python_implementation(), platform.python_version(), platform.python_compiler())
    return " ".join((*parts, platform.machine()))


def count(source: Path = ROOT / "src") -> dict[str, float]:
    """Return instructions a turn, by measure, of the package in ``source``. Raises :class:`CannotCount`."""
    if shutil.which("valgrind") is None:
        raise CannotCount("valgrind is missing (Debian: apt-get install valgrind)")
    with tempfile.TemporaryDirectory(prefix="retinue-count-") as name:
        home = replica.make(Path(name) / "home", KEYS)
        tokens = home.folder / "tokens"
        tokens.touch(mode=0o600)
        tokens.write_text("\n".join(token.reveal() for token in home.tokens))
        turns = [f"{measure}={number}" for measure in MEASURES for number in (FEW, MANY)]
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        ran = subprocess.run(
            [*command, sys.executable, "-m", "bench.hot", str(home.folder), *turns],
            cwd=ROOT,
            env={**os.environ, **_SAME_EVERYWHERE, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise CannotCount(f"the run under valgrind failed:\n{ran.stderr[-2000:]}")
    return _figures(ran.stdout, ran.stderr)


def _figures(told: str, counted: str) -> dict[str, float]:
    """Return instructions a turn: of each measure what many turns take beyond few."""
    names = dict(re.findall(r"^(\d+) (.+=\d+)$", told, re.MULTILINE))
    counts = dict(re.findall(r"^==(\d+)== Collected : (\d+)", counted, re.MULTILINE))
    totals = {name: int(counts[pid]) for pid, name in names.items()}
    return {each: (totals[f"{each}={MANY}"] - totals[f"{each}={FEW}"]) / (MANY - FEW) for each in MEASURES}


def entries() -> list[dict[str, Any]]:
    """Return what is recorded, the oldest first."""
    read: list[dict[str, Any]] = json.loads(FILE.read_text())["entries"]
    return read


def recorded(figures: Figures, known: list[dict[str, Any]]) -> Figures | None:
    """Return what was last recorded of this very build; ``None`` if nothing was."""
    for each in reversed(known):
        if each["build"] == build():
            before: Figures = each["figures"]
            is_same = abs(figures[REFERENCE] / before[REFERENCE] - 1) <= SAME_BUILD
            return before if is_same else None
    return None


def grown(now: Figures, before: Figures, limit: float = LIMIT) -> list[str]:
    """Return the measures that cost more than before by more than ``limit``, in words."""
    return [
        f"{name}: {number:,.0f} instructions, {before[name]:,.0f} before ({number / before[name] - 1:+.1%})"
        for name, number in now.items()
        if name != REFERENCE and name in before and number > before[name] * (1 + limit)
    ]


def check(figures: Figures) -> tuple[list[str], str]:
    """Return what has grown without a reason, and against what the figures were held."""
    known = entries()
    before = recorded(figures, known)
    if before is not None:
        return grown(figures, before), f"what is recorded of this build ({build()})"
    commit = _last_recorded()
    if commit is not None:
        with tempfile.TemporaryDirectory(prefix="retinue-count-") as name:
            return grown(
                figures, count(_source(commit, Path(name)))
            ), f"the source of {commit[:12]}, counted now"
    last = known[-1]["figures"]
    ratio = figures[REFERENCE] / last[REFERENCE]
    expected = {name: number * ratio for name, number in last.items()}
    return grown(figures, expected, COARSE_LIMIT), "another build's entry, by the ratio to plain Python"


def _git(*words: str) -> str | None:
    try:
        ran = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def _last_recorded() -> str | None:
    """Return the commit that recorded last; ``None`` without a history, or if it was cut off."""
    if _git("rev-parse", "--is-shallow-repository") != "false":
        return None
    if _git("status", "--porcelain", str(FILE)):
        return None  # an entry that is not committed yet belongs to no source
    return _git("log", "-1", "--format=%H", "--", str(FILE)) or None


def _source(commit: str, folder: Path) -> Path:
    """Return the package as it was at a commit."""
    archive = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "src"


def record(figures: Figures, reason: str) -> None:
    """Keep the figures of this build, and why they are what they are."""
    document = json.loads(FILE.read_text()) if FILE.exists() else {"entries": []}
    entry = {
        "date": datetime.now(UTC).date().isoformat(),
        "build": build(),
        "figures": {name: round(number) for name, number in figures.items()},
        "reason": reason,
    }
    document["entries"].append(entry)
    FILE.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def main() -> int:
    """Count, print, and check or record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a measure has grown without a reason")
    parser.add_argument("--record", metavar="REASON", help="keep these figures, and why they are so")
    options = parser.parse_args()
    try:
        figures = count()
    except CannotCount as error:
        print(f"instructions: not counted: {error}")
        return 1 if options.check else 0
    print(f"{'user-space instructions a turn':44} {'now':>8}  {build()}")
    for name, number in figures.items():
        print(f"{name:44} {number:8,.0f}")
    if options.record:
        record(figures, options.record)
    if not options.check:
        return 0
    worse, against = check(figures)
    print(f"held against {against}: {'; '.join(worse) or 'nothing has grown'}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
