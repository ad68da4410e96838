"""``retinue run -- CMD``: a program of its own gets a short-lived token, which ends with it."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from retinue.cli import durations, lookup
from retinue.cli.exits import CommandError, Exit
from retinue.cli.key_life import Endpoints, Methods, Networks, ReadOnly, Times, restrictions
from retinue.cli.options import CHANGE_DEFAULTS, ChangeOptions
from retinue.cli.report import tell
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.credential_operations import MINE
from retinue.client.errors import ClientError
from retinue.client.models import IssuedKey, Key
from retinue.client.operations import Operation

app = App(
    name="run",
    help_epilogue="The token is in the variable RETINUE_TOKEN of the child (--env), or in a file that "
    "RETINUE_TOKEN_FILE names (--file). It is revoked when the child ends, and expires by --ttl in any case. "
    "The exit code is that of the child; 128 and the number of the signal that ended it.",
)
#: As a shell ends for a program that is not there, or cannot be run.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
#: What a terminal sends to the child itself.
_OF_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@app.default
def run(
    *command: Annotated[
        str, Parameter(help="The program and its arguments, behind --.", allow_leading_hyphen=True)
    ],
    account: Annotated[
        str | None, Parameter(help="A key of this service account; without it, a token of your own.")
    ] = None,
    ttl: Annotated[str, Parameter(help="How long the token works at most.", metavar="DURATION")] = "15m",
    env: Annotated[
        str | None, Parameter(help="Variable that holds the token (default RETINUE_TOKEN).", metavar="NAME")
    ] = None,
    file: Annotated[
        bool, Parameter(help="Put it into a file instead, which RETINUE_TOKEN_FILE names.", negative="")
    ] = False,
    network: Networks = (),
    endpoint: Endpoints = (),
    method: Methods = (),
    read_only: ReadOnly = False,
    time: Times = (),
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:  # fmt: skip
    """Run a program with a token that is issued for it and ends with it."""
    if not command:
        raise CommandError("which program?", "retinue run [flags] -- PROGRAM ARGUMENTS", Exit.USAGE)
    if file and env is not None:
        raise CommandError("--env and --file both say where the token goes", "give one", Exit.USAGE)
    variable = "RETINUE_TOKEN_FILE" if file else env or "RETINUE_TOKEN"
    if not _VARIABLE.fullmatch(variable):
        raise CommandError(f"--env {env}: not the name of a variable", "write it as NAME", Exit.USAGE)
    issue, revoke = (ops.ISSUE_KEY, ops.REVOKE_KEY) if account else (MINE.issue, MINE.revoke)
    session = Session(options, issue, revoke)
    path = {"id": lookup.account_id(session, account)} if account else None
    body = {
        "name": f"run {Path(command[0]).name[:32]} {socket.gethostname()[:32]} {secrets.token_hex(3)}",
        "expires": durations.checked(ttl, "--ttl"),
        "restrictions": restrictions(network, endpoint, method, read_only, time),
    }
    # What asks this process to end waits from now on, until the child has ended and the token is revoked.
    with _signals() as child:
        made = session.perform(issue, path, body)
        if session.is_try:
            session.say(f"a token until {made.expiry.at} for {command[0]}")
            return Exit.DONE
        session.say(f"token {made.key.id} for {Path(command[0]).name}, until {made.expiry.at}")
        with _ending(session, revoke, made.key), _environment(made, variable, file) as environment:
            return _child(list(command), environment, child)


class _Child:
    """The running child, for what forwards signals; those that come before it starts are kept."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []

    def forward(self, number: int, _frame: Any) -> None:
        """Send a signal on to the child."""
        if self.process is None:
            self.early.append(number)
        elif self.process.poll() is None and not (number in _OF_TERMINAL and sys.stdin.isatty()):
            self.process.send_signal(number)


@contextmanager
def _signals() -> Iterator[_Child]:
    child = _Child()
    before = {number: signal.signal(number, child.forward) for number in (*_OF_TERMINAL, *_FORWARDED)}
    try:
        yield child
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ending(session: Session, revoke: Operation[Key], key: Key) -> Iterator[None]:
    """Revoke the token at the end, however it comes."""
    try:
        yield
    finally:
        try:
            session.client.close()  # the program may have run for longer than a connection is kept
            session.client.call(revoke, {"id": key.id}, body={"text": "the program has ended"})
        except ClientError as error:
            print(
                f"warning: token {key.id} could not be revoked and ends {key.expires_at}: {error}",
                file=sys.stderr,
            )


@contextmanager
def _environment(made: IssuedKey, variable: str, file: bool) -> Iterator[dict[str, str]]:
    """Give the child's environment; of this program's own tokens nothing stands in it."""
    if made.token is None:
        raise AssertionError("unreachable: a token was issued")
    own = ("RETINUE_TOKEN", "RETINUE_TOKEN_FILE")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    if not file:
        yield {**environment, variable: made.token.reveal()}
        return
    with tempfile.TemporaryDirectory(prefix="retinue-run-") as folder:
        path = Path(folder) / "token"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(made.token.reveal() + "\n")
        yield {**environment, variable: str(path)}


def _child(command: list[str], environment: dict[str, str], child: _Child) -> int:
    if child.early:
        return 128 + child.early[0]
    try:
        child.process = subprocess.Popen(command, env=environment)
    except FileNotFoundError:
        tell(CommandError(f"{command[0]}: no such program", "check its name"))
        return _NOT_FOUND
    except OSError as error:
        tell(CommandError(f"{command[0]}: {error.strerror}", "check its mode"))
        return _NOT_EXECUTABLE
    for number in child.early:
        child.process.send_signal(number)
    code = child.process.wait()
    return 128 - code if code < 0 else code
