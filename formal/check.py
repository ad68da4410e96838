"""Check the models of leases and of epochs: they hold, and every mistake that is built in is found.

``python formal/check.py`` runs all checks, two at a time, and prints a table; the exit code is 0 if all end
as expected. ``python formal/check.py 5`` runs one and tells its shortest counterexample. Needs spin and gcc.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).parent
LEASE, RELAY, EPOCH = "lease.pml", "relay.pml", "epoch.pml"
AT_ONCE = 2
MEMORY_MB = 2_000
#: The shortest counterexample may cost more than one.
MEMORY_TELLING_MB = 6_000
#: A step more than any path is long; a longer one makes a check "not complete", never "holds".
DEPTH = 10_000
TIMEOUT_SECONDS = 900.0
HOLDS, NOT_COMPLETE = "holds", "not complete"
#: What stands in the assertion that failed, and the property that it states.
_PROPERTIES = {
    "began_after_receipt": "P1 fails",
    "(receipt==3)&&": "P1 fails",
    "rows_read_at": "P2 fails",
    "is_known": "P4 fails",
    "!(promised_2)": "P5 fails",
    "": "P3 fails",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A form of the model, given by ``defines``, and how its check must end.

    ``is_broad``: states near the start first, for a form that is too big to search any deeper.
    """

    name: str
    what: str
    expected: str
    defines: tuple[str, ...] = ()
    is_broad: bool = False
    model: str = LEASE


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended; ``seconds`` includes building it, ``story`` is told by the counterexample."""

    found: str
    states: int
    seconds: float
    story: str = ""


def _mistake(name: str, what: str, *defines: str, number: str = "", expected: str = "P1 fails") -> Check:
    two_nodes = "NODES=2" in defines
    return Check(name, what, expected, (f"MISTAKE={number or name}", *defines), is_broad=two_nodes)


def _relay(name: str, what: str, expected: str = "P1 fails", *defines: str) -> Check:
    """A check of the model of a relay; breadth first, a mistake is found in few steps."""
    is_broad = any(each.startswith("MISTAKE") for each in defines)
    return Check(f"relay {name}".strip(), what, expected, defines, is_broad, RELAY)


def _epoch(name: str, what: str, expected: str = "P4 fails", *defines: str) -> Check:
    return Check(f"epoch {name}", what, expected, defines or (f"MISTAKE={name}",), model=EPOCH)


CHECKS = (
    Check("protocol", "P1 and P2, all states", HOLDS),
    Check("power cut", "P1 and P2, with a power cut at the database, to time 4", HOLDS,
          ("POWER_CUTS=1", "CRASHES=0", "TIME=4")),
    Check("before", "no acceptance before the revoke", "P3 fails", ("DENY=1",)),
    Check("older", "no acceptance after the receipt by an older verification", "P3 fails", ("DENY=2",)),
    Check("confirmed", "no receipt by confirmation", "P3 fails", ("DENY=3",)),
    Check("lease ended", "no receipt by the end of a lease", "P3 fails", ("DENY=4",)),
    _mistake("1", "no margin for slow clocks"),
    _mistake("2", "the head is read before the row is committed"),
    _mistake("3", "answers are not bound to the incarnation"),
    _mistake("4a", "the lease is taken before the changes are applied", number="41"),
    _mistake("4b", "the lease is taken with a truncated answer", number="42"),
    _mistake("5", "the lease counts from the receipt of the answer"),
    _mistake("6", "the lease is a flag that a timer clears"),
    _mistake("7", "acknowledged before it is applied"),
    _mistake("8a", "the lease survives a crash, the changes do not", number="81"),
    _mistake("8b", "the lease survives a boot, which sets the clock to zero", number="82"),
    _mistake("9", "push without a barrier"),
    _mistake("10", "the lease is given and not recorded"),
    _mistake("11", "the rows are read before the revoke is committed"),
    _mistake("12", "the verifier remembers the record"),
    _mistake("13a", "two followers share a row", "NODES=2", "CRASHES=0", number="131"),
    _mistake("13b", "a copied replica retires the row of another", "NODES=2", "CRASHES=0", number="132"),
    _mistake("14", "the barrier reads renewed rows again", expected="P2 fails"),
    _mistake("15", "a retired row counts as settled"),
    _mistake("16", "an answer to a poll that was given up is taken"),
    _mistake("17", "a receipt soon after the database lost its lease rows", "POWER_CUTS=1"),
    _relay("", "P1 behind a relay, all states", HOLDS),
    _relay("before", "no acceptance behind it before the revoke", "P3 fails", "DENY=1"),
    _relay("applied", "none when the relay has applied the revoke", "P3 fails", "DENY=2"),
    _relay("confirmed", "no receipt by confirmation of both", "P3 fails", "DENY=3"),
    _relay("lent", "no receipt by the end of what was lent", "P3 fails", "DENY=4"),
    _relay("ended", "no receipt by the end of the relay's lease", "P3 fails", "DENY=5"),
    _relay("1", "acknowledged before its child has applied", "P1 fails", "MISTAKE=1"),
    _relay("2", "the child's lease is not bounded by the relay's", "P1 fails", "MISTAKE=2"),
    _relay("3", "a restart forgets the children", "P1 fails", "MISTAKE=3"),
    _relay("4", "no further margin for a further clock", "P1 fails", "MISTAKE=4"),
    _relay("5", "the replica is read before it is lent from", "P1 fails", "MISTAKE=5"),
    _relay("6", "lent and not noted", "P1 fails", "MISTAKE=6"),
    _relay("7", "another boot acknowledges for the one before", "P1 fails", "MISTAKE=7"),
    _epoch("0", "P4 and P5, all states to time 4", HOLDS),
    _epoch("comes back", "no acceptance after the restore", "P3 fails", "DENY=1"),
    _epoch("again", "no decision after a node was noticed", "P3 fails", "DENY=2"),
    _epoch("goes on", "no decision after a receipt of the new epoch", "P3 fails", "DENY=3"),
    _epoch("1", "revisions are known by their number, without a mark"),
    _epoch("2", "a lease is given while the history is in doubt"),
    _epoch("3", "the epoch opens before the journals are in"),
    _epoch("4", "the epoch opens before the leases of the history before have ended", "P5 fails"),
    _epoch("5", "the epoch opens before what was lost is done again"),
    _epoch("6", "a node loads the snapshot before it hands its journal over"),
    _epoch("7", "a receipt is completed while the history is in doubt", "P5 fails"),
)  # fmt: skip


def run(check: Check, *, tell: bool = False) -> Outcome:
    """Build and run ``check`` in a folder of its own; ``tell`` searches for the shortest counterexample.

    Raises ``CalledProcessError`` if the model cannot be built or pan cannot run.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="retinue-formal-") as name:
        folder = Path(name)
        shutil.copy(FOLDER / check.model, folder)
        _build(check, folder, tell=tell)
        options = [f"-m{DEPTH}", "-w24" if check.expected == HOLDS else "-w22"]
        try:
            said = _call(["./pan", *options], folder, TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return Outcome(NOT_COMPLETE, 0, time.monotonic() - began)
        found, states = read(said)
        story = _story(check, folder) if tell and found.endswith("fails") else ""
    return Outcome(found, states, time.monotonic() - began, story)


def read(said: str) -> tuple[str, int]:
    """Return what pan's report says was found, and the number of states."""
    stored = re.search(r"^\s*(\S+) states, stored", said, re.MULTILINE)
    states = 0 if stored is None else int(float(stored[1]))
    failed = re.search(r"assertion violated (.*)", said)
    if failed is not None:
        return next(found for part, found in _PROPERTIES.items() if part in failed[1]), states
    is_complete = "errors: 0" in said and "not completed" not in said and "too small" not in said
    return (HOLDS if is_complete else NOT_COMPLETE), states


def _defines(check: Check) -> list[str]:
    return [f"-D{each}" for each in check.defines]


def _build(check: Check, folder: Path, *, tell: bool) -> None:
    _call(["spin", *_defines(check), "-a", check.model], folder)
    options = ["-DSAFETY", f"-DMEMLIM={MEMORY_TELLING_MB if tell else MEMORY_MB}"]
    if check.is_broad or (tell and check.expected != HOLDS):
        options.append("-DBFS")
    # Most mistakes are found before a compiler that tries harder would be done.
    speed = "-O2" if check.expected == HOLDS else "-O1"
    _call(["gcc", speed, "-w", *options, "-o", "pan", "pan.c"], folder)


def _story(check: Check, folder: Path) -> str:
    """Return the steps of the counterexample, one a line, as the model prints them."""
    told = _call(["spin", *_defines(check), "-t", "-T", check.model], folder)
    lines = (line.strip() for line in told.splitlines())
    return "\n".join(line for line in lines if re.match(r"\d+: |[a-z][^=]*$", line) and ":\tproc" not in line)


def _call(command: list[str], folder: Path, timeout: float | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode != 0:
        print(done.stdout, done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def _row(check: Check, outcome: Outcome) -> str:
    mark = "" if outcome.found == check.expected else "  <- NOT AS EXPECTED"
    numbers = f"{outcome.states:>10,} {outcome.seconds:>6.1f}"
    return f"{check.name:12} {check.expected:9} {outcome.found:13} {numbers}  {check.what}{mark}"


def main(names: list[str]) -> int:
    """Run the checks with these names, or all. Returns the exit code: 1 if one is not as expected."""
    missing = [each for each in ("spin", "gcc") if shutil.which(each) is None]
    if missing:
        print(
            f"missing: {', '.join(missing)}; on Debian and Ubuntu: apt-get install spin gcc", file=sys.stderr
        )
        return 2
    unknown = set(names) - {check.name for check in CHECKS}
    if unknown:
        print(f"no such check: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    checks = [check for check in CHECKS if not names or check.name in names]
    began, failed = time.monotonic(), 0
    print(f"{'check':12} {'expected':9} {'found':13} {'states':>10} {'s':>6}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for check, outcome in zip(checks, pool.map(partial(run, tell=bool(names)), checks), strict=True):
            print(_row(check, outcome), flush=True)
            failed += outcome.found != check.expected
            if outcome.story:
                print(outcome.story)
    seconds = time.monotonic() - began
    print(f"{len(checks)} checks, {failed} not as expected, {seconds:.0f} s, {os.cpu_count()} cores")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
