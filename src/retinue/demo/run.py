"""One demo from its start to Ctrl-C."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from retinue.client import Client, ClientError, credential_operations
from retinue.client import operations as ops
from retinue.client.models import Key
from retinue.demo import story as stories
from retinue.demo.aging import age
from retinue.demo.checklist import STEPS, Watch
from retinue.demo.files import private, temporary
from retinue.demo.processes import DemoError, Processes
from retinue.demo.samples import ACME, ADMIN

FIRST_PORT = 8470
PAUSE_SECONDS = 0.5
LOOK_SECONDS = 3.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a demo is: its folder and its three addresses."""

    folder: Path
    ports: tuple[int, int, int]
    host: str = "127.0.0.1"

    @property
    def urls(self) -> tuple[str, str, str]:
        """Control plane, node, protected application: as this host reaches them."""
        control, node, sample = (f"http://127.0.0.1:{port}" for port in self.ports)
        return control, node, sample

    @property
    def environment(self) -> dict[str, str]:
        """What its processes get: nothing that was set for another installation."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RETINUE_")}
        return {**kept, "RETINUE_HOME": str(self.folder / "home"), "RETINUE_WORKERS": "1"}


def run(port: int | None, host: str, *, opens_browser: bool) -> int:
    """Make it, tell where it is, wait for Ctrl-C, and take everything away. Raises :class:`DemoError`."""
    with _interrupted_by_signals(), suppress(KeyboardInterrupt), temporary() as folder:
        held = _held(port, host)
        place = Place(folder, _ports_of(held), host)
        processes = Processes(place.environment, folder / "demo.log")
        try:
            _run(place, processes, held, opens_browser)
        finally:
            with _undisturbed():
                for each in held:
                    each.close()
                processes.stop()
    return 0


def _run(place: Place, processes: Processes, held: list[socket.socket], opens_browser: bool) -> None:
    began = time.monotonic()
    folder, (control, node, sample) = place.folder, place.urls
    password = private(folder / "admin-password", secrets.token_urlsafe(12) + "\n")
    token = folder / "admin-token"
    processes.finish(
        *("retinue.server", "init", "--no-input", "--organization", ACME, "--admin-email", ADMIN),
        *("--admin-name", "Demo Administrator"),
        *("--admin-password-file", str(password), "--token-file", str(token)),
    )
    for each in held:
        each.close()
    ports = ("--port", str(place.ports[0]), "--node-port", str(place.ports[1]))
    # The node stays on loopback: nobody but the demo asks it.
    serving = processes.start("retinue.cli", "serve", *ports, "--host", place.host)
    app = processes.start("retinue.demo.host", "--port", str(place.ports[2]), "--host", place.host)
    processes.wait_for(f"{control}/readyz", serving)
    _tell_console(place, opens_browser)
    try:
        story = stories.make(control, token.read_text().strip(), folder / "callers")
    except ClientError as error:
        raise DemoError(f"the sample could not be made: {error}") from error
    age(folder / "home" / "retinue.db", stories.AGED, stories.AGE_DAYS)
    processes.wait_for(f"{node}/readyz", serving)
    processes.wait_for(f"{sample}/healthz", app)
    processes.start(
        "retinue.demo.callers", "--folder", str(folder / "callers"), "--port", str(place.ports[2])
    )
    header = stories.header(folder, story.token)
    since = datetime.now(UTC).isoformat()
    client = Client(control, token.read_text().strip())
    environment = _environment_file(place, client)
    _tell(place, client, story, header, environment, time.monotonic() - began)
    others = frozenset(issued.key.id for name, issued in story.issued.items() if name != "demo-etl/main")
    _wait(processes, Watch(client, since, others))


def _wait(processes: Processes, watch: Watch) -> None:
    """Wait for Ctrl-C. On a terminal the checklist ticks meanwhile."""
    look_at = time.monotonic() + LOOK_SECONDS
    while True:
        time.sleep(PAUSE_SECONDS)
        if processes.ended():
            raise DemoError(f"a process of the demo has ended: {processes.said()}")
        if sys.stdout.isatty() and time.monotonic() >= look_at:
            look_at = time.monotonic() + LOOK_SECONDS
            with suppress(ClientError):  # looked at again
                for line in watch.look():
                    print(line, flush=True)


def _held(port: int | None, host: str) -> list[socket.socket]:
    """Take three ports: those asked for, or the usual ones, or a free one for each that is taken.

    They listen until what needs them starts, so that two demos that start at once have ports of their own.
    Raises :class:`DemoError` if one was asked for and is taken.
    """
    held = []
    for wanted in range(port or FIRST_PORT, (port or FIRST_PORT) + 3):
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.append(taken)
        try:
            taken.bind((host, wanted))
            taken.listen()
        except OSError as error:
            if port is not None:
                for each in held:
                    each.close()
                raise DemoError(f"port {wanted}: {error.strerror}") from None
            taken.bind((host, 0))
            taken.listen()
            print(f"  port {wanted} is in use; {taken.getsockname()[1]} is used instead", flush=True)
    return held


def _ports_of(held: list[socket.socket]) -> tuple[int, int, int]:
    control, node, sample = (each.getsockname()[1] for each in held)
    return control, node, sample


def _environment_file(place: Place, client: Client) -> Path:
    """Write what a second terminal sources, with a token of its own, and return where it is."""
    issued = client.call(credential_operations.MINE.issue, body={"name": "terminal", "expires": "90d"})
    if issued.token is None:
        raise DemoError("a token was issued without its text")
    token = private(place.folder / "terminal-token", issued.token.reveal() + "\n")
    settings = {
        "RETINUE_URL": place.urls[0],
        "RETINUE_NODE_URL": place.urls[1],
        "RETINUE_TOKEN_FILE": str(token),
    }
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    return private(place.folder / "env", text)


def _counted(client: Client, story: stories.Story) -> str:
    """Say how much there is: what the API lists here, and what was made in the other organization."""
    accounts = sum(len(page.items) for page in client.pages(ops.LIST_ACCOUNTS)) + story.orbit_accounts
    keys: list[Key] = [key for page in client.pages(ops.LIST_KEYS) for key in page.items]
    return (
        f"2 organizations, {accounts} service accounts, {len(keys) + story.orbit_keys} keys, "
        f"30 days of requests ({story.requests:,})"
    )


def _tell_console(place: Place, opens_browser: bool) -> None:
    """Say where the console is, as soon as it is there: the sample is made meanwhile."""
    password = place.folder / "admin-password"
    # Where the output is kept (a log, a pipe) the password is not.
    shown = password.read_text().strip() if sys.stdout.isatty() else f"in {password}"
    print(f"\n✓ console   {place.urls[0]}   sign in as {ADMIN}, password {shown}", flush=True)
    if opens_browser:
        # Beside the rest: one of a terminal stays until it is left.
        threading.Thread(target=webbrowser.open, args=(place.urls[0],), daemon=True).start()


def _tell(
    place: Place, client: Client, story: stories.Story, header: Path, environment: Path, seconds: float
) -> None:
    beside = Path(sys.executable).with_name("retinue")
    program = "retinue" if shutil.which("retinue") == str(beside) else shlex.quote(str(beside))
    print(
        f"""✓ sample    {_counted(client, story)}
✓ other     Orbit, preset planhat: choose a password at {story.invitation}
✓ try it    curl -H @{shlex.quote(str(header))} {place.urls[2]}/reports
  next      . {shlex.quote(str(environment))}; {program} key revoke demo-etl/main --yes
            and run the curl again: 401

  Ready after {seconds:.1f} s. Ctrl-C ends it and takes everything away: {place.folder}
  To do yourself, in the console or with `{program}`:""",
        flush=True,
    )
    for number, step in enumerate(STEPS, 1):
        print(f"    {number}  {step}", flush=True)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt."""
    # SIGINT too: a shell starts background jobs with it ignored.
    before = {number: signal.signal(number, _interrupt) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore further signals while everything is taken away."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
