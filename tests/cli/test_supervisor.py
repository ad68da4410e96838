"""The supervisor, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A child appends "<name> <what> <pid>" to the log; its behaviour on SIGTERM is its second argument.
_CHILD = """
import os, signal, sys, time
from retinue.supervisor import REFUSES, die_with_parent
name, behaviour, log = sys.argv[1:]
def note(what):
    with open(log, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")
def end(*_):
    note("stopping")
    if behaviour == "slow":
        time.sleep(0.3)
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "deaf" else end)
die_with_parent()
note("started")
if behaviour == "refusing":
    sys.exit(REFUSES)
if behaviour == "failing":
    sys.exit(3)
if behaviour == "changing":
    again = sum(line.startswith(f"{name} started ") for line in open(log)) > 1
    sys.exit(REFUSES if again else 3)
while True:
    # Short, because a signal that comes just before a sleep is handled only after it.
    time.sleep(0.05)
"""
_SUPERVISOR = """
import sys
from retinue.supervisor import Child, Supervisor
child, log, grace, *specs = sys.argv[1:]
children = []
for spec in specs:
    name, behaviour, order = spec.split(":")
    children.append(Child(name, [sys.executable, "-c", child, name, behaviour, log], {}, int(order)))
sys.exit(Supervisor(children, grace=float(grace)).run())
"""


class Run:
    """A supervisor in a process of its own."""

    def __init__(self, log: Path, grace: float, *specs: str) -> None:
        self.log = log
        log.touch()
        argv = [sys.executable, "-c", _SUPERVISOR, _CHILD, str(log), str(grace), *specs]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)

    def events(self) -> list[str]:
        """Return what the children noted so far, without process ids."""
        return [line.rpartition(" ")[0] for line in self.log.read_text().splitlines()]

    def pids(self, name: str) -> list[int]:
        """Return the process ids under which a child started, in order."""
        lines = self.log.read_text().splitlines()
        return [int(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} started ")]

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not in 60 s: {what}; {self.events()}")
            time.sleep(0.01)

    def started(self, *names: str) -> None:
        """Wait until these children have started."""
        self.wait_for(lambda: all(self.pids(name) for name in names), f"start of {names}")


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start supervisors, and make sure that nothing of them is left."""
    runs: list[Run] = []

    def begin(*specs: str, grace: float = 10.0) -> Run:
        runs.append(Run(tmp_path / f"log{len(runs)}", grace, *specs))
        return runs[-1]

    yield begin
    for each in runs:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        for line in each.log.read_text().splitlines():
            if " started " in line and alive(pid := int(line.rpartition(" ")[2])):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_killed_child_is_started_again(start: Start) -> None:
    """A child that is killed runs again under a new process id, and the others are left alone."""
    run = start("a:plain:0", "b:plain:0")
    run.started("a", "b")

    os.kill(run.pids("a")[0], signal.SIGKILL)
    run.wait_for(lambda: len(run.pids("a")) == 2, "second start of a")

    assert alive(run.pids("a")[1])
    assert alive(run.pids("b")[0])
    assert 1 == len(run.pids("b"))


def test_failing_child_waits_longer_each_time(start: Start) -> None:
    """A child that ends at once is started again with a pause that doubles."""
    run = start("a:failing:0")
    run.wait_for(lambda: len(run.pids("a")) == 3, "third start")
    run.process.terminate()
    _, talk = run.process.communicate(timeout=60)

    assert ["0.2 s", "0.4 s"] == [line.rpartition(" in ")[2] for line in talk.splitlines()[:2]]
    assert "a ended (exit 3)" in talk


def test_a_child_that_refuses_its_first_start_stops_everything(start: Start) -> None:
    """What must not be started as things are is told once, and nothing runs beside it."""
    run = start("a:plain:0", "b:refusing:1")
    _, talk = run.process.communicate(timeout=60)

    assert (1, "b refuses to start; stopping\n") == (run.process.returncode, talk)
    assert 1 == len(run.pids("b"))
    assert not any(alive(pid) for pid in run.pids("a"))


def test_a_child_that_refuses_later_is_tried_again(start: Start) -> None:
    """A setting that was weakened while everything ran stops its own child, not the others."""
    run = start("a:plain:0", "b:changing:1")
    run.started("a")
    run.wait_for(lambda: len(run.pids("b")) == 3, "third start of b")

    assert alive(run.pids("a")[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_children_stop_in_order(number: signal.Signals, start: Start) -> None:
    """A child with a higher stop order is told to stop only after those with a lower one have ended."""
    run = start("control:plain:2", "follower:slow:1", "worker:slow:0")
    run.started("control", "follower", "worker")

    run.process.send_signal(number)
    code = run.process.wait(60)

    order = ["worker", "follower", "control"]
    assert (0, [f"{name} {what}" for name in order for what in ("stopping", "stopped")]) == (
        code,
        run.events()[3:],
    )


def test_deaf_child_is_killed_after_the_grace(start: Start) -> None:
    """A child that ignores SIGTERM is killed when the grace is over; the others still end by themselves."""
    run = start("a:deaf:0", "b:plain:1", grace=2.5)
    run.started("a", "b")

    run.process.terminate()
    code = run.process.wait(60)

    assert (0, False, False) == (code, alive(run.pids("a")[0]), alive(run.pids("b")[0]))
    assert "b stopped" == run.events()[-1]


def test_second_signal_kills(start: Start) -> None:
    """Who sends a second SIGINT does not want to wait."""
    run = start("a:deaf:0", "b:plain:0", grace=600.0)
    run.started("a", "b")

    run.process.send_signal(signal.SIGINT)
    # Two equal signals at once would be one.
    run.wait_for(lambda: "b stopped" in run.events(), "the first signal")
    run.process.send_signal(signal.SIGINT)
    code = run.process.wait(60)

    assert (130, False) == (code, alive(run.pids("a")[0]))


def test_children_do_not_outlive_a_killed_supervisor(start: Start) -> None:
    """When the supervisor is killed, the kernel ends its children."""
    run = start("a:plain:0", "b:plain:1")
    run.started("a", "b")

    run.process.kill()
    run.process.wait()

    for name in ("a", "b"):
        run.wait_for(lambda name=name: not alive(run.pids(name)[0]), f"end of {name}")  # type: ignore[misc]


def test_orphan_ends_at_once() -> None:
    """A child whose supervisor ended before the kernel was asked does not live on."""
    program = "from retinue.supervisor import die_with_parent; die_with_parent(); print('alive')"
    env = {**os.environ, "RETINUE_SUPERVISED": "1", "RETINUE_SUPERVISOR_PID": "1"}

    process = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)

    assert (1, "") == (process.returncode, process.stdout)


def test_outside_a_supervisor_nothing_happens() -> None:
    """A program that was started by hand is not tied to its shell."""
    program = "from retinue.supervisor import die_with_parent; die_with_parent(); print('alive')"
    env = {name: value for name, value in os.environ.items() if name != "RETINUE_SUPERVISED"}

    process = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)

    assert (0, "alive\n") == (process.returncode, process.stdout)


def test_standard_library_only() -> None:
    """The supervisor loads nothing of the product but itself, and nothing from outside."""
    program = (
        "import sys; before = set(sys.modules); import retinue.supervisor;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - sys.stdlib_module_names - {'retinue'}),"
        "sorted(name for name in sys.modules if name.startswith('retinue')))"
    )

    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "[] ['retinue', 'retinue.supervisor']\n" == process.stdout
