"""``retinue init``: asks what is missing and lets the control plane's own program create the installation."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm, extras, settings
from retinue.cli.exits import CommandError, Exit

app = App(name="init")


@app.default
def init(
    folder: Annotated[
        Path | None, Parameter(name="DIR", help="Where. [env: RETINUE_HOME, default ./retinue-data]")
    ] = None,
    /,
    *,
    organization: Annotated[
        str | None, Parameter(help="Handle of the first organization, such as acme.")
    ] = None,
    admin_email: Annotated[str | None, Parameter(help="E-mail address of the first administrator.")] = None,
    admin_name: Annotated[str | None, Parameter(help="Name of the first administrator.")] = None,
    admin_password_file: Annotated[
        Path | None, Parameter(help="File that holds the administrator's password.")
    ] = None,
    token_file: Annotated[
        Path | None,
        Parameter(help="Where the administrator's token is written (mode 0600, never overwritten)."),
    ] = None,
    no_input: Annotated[bool, Parameter(negative="", help="Never ask. [env: RETINUE_NO_INPUT]")] = False,
) -> int:
    """Create an installation on this host: database, keys, the organization, its first administrator.

    Asks for what no flag answers. Running it again changes nothing and says so.
    """
    extras.require_server()
    home = (folder or settings.home()).absolute()
    ask = confirm.may_ask(no_input)
    organization = _answer(organization, "organization (handle, such as acme)", "--organization", ask)
    admin_email = _answer(admin_email, "e-mail address of the administrator", "--admin-email", ask)
    default = str(home / "admin-token")
    token = _answer(
        str(token_file) if token_file else None, "file for the token", "--token-file", ask, default
    )
    flags = ["--organization", organization, "--admin-email", admin_email, "--token-file", token]
    if admin_name is not None:
        flags += ["--admin-name", admin_name]
    if admin_password_file is not None:
        return _run(home, [*flags, "--admin-password-file", str(admin_password_file)])
    password = _password(ask)
    with tempfile.NamedTemporaryFile(
        "w", prefix="retinue-", suffix=".password"
    ) as file:  # made with mode 0600
        file.write(password)
        file.flush()
        return _run(home, [*flags, "--admin-password-file", file.name])


def _answer(given: str | None, question: str, flag: str, ask: bool, default: str | None = None) -> str:
    if given is not None:
        return given
    if not ask:
        raise CommandError(f"{flag}: needed", "give the flag; nobody can be asked here", Exit.USAGE)
    print(f"{question}{f' [{default}]' if default else ''}: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip() or default
    if not answer:
        raise CommandError(f"{flag}: no answer", "nothing was created", Exit.USAGE)
    return answer


def _password(ask: bool) -> str:
    if not ask:
        raise CommandError(
            "--admin-password-file: needed", "give the flag; nobody can be asked here", Exit.USAGE
        )
    password = getpass.getpass("password of the administrator: ")
    if password != getpass.getpass("once more: "):
        raise CommandError("the two passwords differ", "nothing was created", Exit.USAGE)
    return password


def _run(home: Path, flags: list[str]) -> int:
    argv = [sys.executable, "-m", "retinue.server", "init", "--no-input", *flags]
    env = {**os.environ, "RETINUE_HOME": str(home)}
    # Our own program, with flags that hold names and paths and no secret.
    return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, check=False).returncode
