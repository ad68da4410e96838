"""Processes that belong together: start them, restart what dies, stop them in order.

Standard library only. Each child leads its own process group, so that Ctrl-C on a terminal reaches the
supervisor alone, which then stops the children in order, and so that what a child started can be ended with
it. A child that calls :func:`die_with_parent` does not outlive a supervisor that is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

#: Set for each child; tells it to call :func:`die_with_parent`.
SUPERVISED = "RETINUE_SUPERVISED"
SUPERVISOR_PID = "RETINUE_SUPERVISOR_PID"
#: Set for a child that ran before: it is in operation, and does not refuse what it can do without.
RESTARTED = "RETINUE_RESTARTED"
GRACE_SECONDS = 20.0
#: What those that stop later have at least, after others have used up the grace.
LATER_GRACE_SECONDS = 2.0
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MAX_SECONDS = 5.0
#: A child that lived this long starts again without waiting longer than the first time.
STABLE_SECONDS = 10.0
#: A child that ends with this code must not run as things are: a person has to change something (EX_CONFIG).
REFUSES = 78
_PR_SET_PDEATHSIG = 1
_SO_ATTACH_FILTER = 26
_BPF_RETURN = 0x06


def die_with_parent() -> None:
    """Ask the kernel to send this process SIGTERM when its parent ends; no-op outside a supervisor.

    The parent may have ended before the kernel was asked: then this process already has another parent,
    and ends at once with code 1.
    """
    if os.environ.get(SUPERVISED) != "1":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    parent = os.environ.get(SUPERVISOR_PID)
    if parent is not None and os.getppid() != int(parent):
        raise SystemExit(1)


class _Program(ctypes.Structure):
    """``struct sock_fprog`` of Linux: a filter of packets."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse_connections(descriptor: int) -> None:
    """Let no further connection reach a listening socket, so that it can be emptied and closed.

    To close it with connections in its queue would break them off. A filter drops the packets of new ones;
    their callers try again after a second, and find whoever listens then, or nobody.
    """
    drop_all = _Program(1, struct.pack("=HBBI", _BPF_RETURN, 0, 0, 0))
    with socket.socket(fileno=os.dup(descriptor)) as listening, contextlib.suppress(OSError):
        # Where the kernel knows no filters, the socket is closed as it is.
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(drop_all))


@dataclass(frozen=True)
class Child:
    """A process to keep running. Those with a lower ``stop_order`` have ended before others are told to.

    ``descriptors`` are sockets that listen, handed to each process anew: while none runs, callers wait. They
    take no more connections when the child is told to stop for good.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_order: int = 0
    descriptors: Sequence[int] = ()


class _Running:
    """A child and its process, if it has one now."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.started_at = 0.0
        self.start_at = 0.0
        self.backoff = BACKOFF_FIRST_SECONDS

    def start(self) -> None:
        env = {**os.environ, **self.child.env, SUPERVISED: "1", SUPERVISOR_PID: str(os.getpid())}
        env.pop(RESTARTED, None)
        if self.starts:
            env[RESTARTED] = "1"
        self.starts += 1
        self.started_at = time.monotonic()
        # The arguments come from this program's own table of children and hold no secret.
        self.process = subprocess.Popen(
            list(self.child.argv),
            env=env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=tuple(self.child.descriptors),
        )

    def stop(self) -> None:
        for descriptor in self.child.descriptors:
            refuse_connections(descriptor)
            os.close(descriptor)
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def kill_group(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def ended(self) -> int | None:
        """Return the exit code of a process that has ended since the last call, else ``None``."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is not None:
            # What the child started must not live on beside its successor.
            self.kill_group()
            self.process = None
        return code


class Supervisor:
    """Runs ``children`` until SIGTERM or SIGINT. ``tell`` gets one line an event that a person should know.

    ``grace`` is the time in seconds that all children together have to end before they are killed; a child
    that does not end cannot take all of it from those that stop after it.
    """

    def __init__(
        self,
        children: Sequence[Child],
        grace: float = GRACE_SECONDS,
        tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        self._running = [_Running(child) for child in children]
        self._grace = grace
        self._tell = tell
        self._signals: list[int] = []
        self._is_refused = False
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> int:
        """Start the children, keep them running; return the exit code.

        It is 0 after a signal, 130 if a second one killed, 1 if a child refused its first start: then nothing
        is served. One that refuses later is started again and again, and the others go on meanwhile.

        Must be called in the main thread: it installs signal handlers, and puts back those it found.
        """
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        before = {
            each: signal.signal(each, self._note) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        }
        descriptor = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            self._keep()
            return self._stop() or int(self._is_refused)
        finally:
            for running in self._running:
                running.kill_group()
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wake_read)
            os.close(self._wake_write)

    def pids(self) -> dict[str, int]:
        """Return the process ids of the children that run now, by name."""
        return {each.child.name: each.process.pid for each in self._running if each.process is not None}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _keep(self) -> None:
        while not (self._signals or self._is_refused):
            now = time.monotonic()
            for running in self._running:
                self._look_after(running, now)
            waiting = [each.start_at - now for each in self._running if each.process is None]
            self._wait(max(min(waiting, default=1.0), 0.0))

    def _look_after(self, running: _Running, now: float) -> None:
        code = running.ended()
        if code == REFUSES and running.starts == 1:
            self._tell(f"{running.child.name} refuses to start; stopping")
            self._is_refused = True
            return
        if code is not None:
            if now - running.started_at >= STABLE_SECONDS:
                running.backoff = BACKOFF_FIRST_SECONDS
            running.start_at = now + running.backoff
            self._tell(
                f"{running.child.name} ended ({_ending(code)}); starting it again in {running.backoff:.1f} s"
            )
            running.backoff = min(running.backoff * 2, BACKOFF_MAX_SECONDS)
        if running.process is None and running.start_at <= now:
            running.start()

    def _stop(self) -> int:
        deadline = time.monotonic() + self._grace
        told = len(self._signals)
        for order in sorted({each.child.stop_order for each in self._running}):
            group = [each for each in self._running if each.child.stop_order == order]
            deadline = max(deadline, time.monotonic() + min(self._grace, LATER_GRACE_SECONDS))
            for running in group:
                running.stop()
            while any(each.process is not None for each in group):
                for running in group:
                    running.ended()
                if len(self._signals) > told:
                    self._tell("stopping at once")
                    return self._kill(self._running, 128 + signal.SIGINT)
                left = deadline - time.monotonic()
                if left <= 0:
                    self._tell(f"killing what did not end in time: {_names(group)}")
                    self._kill(group, 0)
                elif any(each.process is not None for each in group):
                    self._wait(min(left, 1.0))
        return 0

    def _kill(self, group: list[_Running], code: int) -> int:
        for running in group:
            running.kill_group()
        for running in group:
            if running.process is not None:
                running.process.wait()
                running.process = None
        return code

    def _wait(self, seconds: float) -> None:
        # A signal writes a byte into the pipe, so one that comes just before the wait is not slept over.
        select.select([self._wake_read], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 512)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _names(group: list[_Running]) -> str:
    return ", ".join(each.child.name for each in group if each.process is not None)
