"""``retinue init``: the control plane's own program asks what no flag answers, and creates it all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import confirm, extras, settings
from retinue.cli.exits import CommandError, Exit

app = App(
    name="init",
    help_epilogue="Asks for what no flag answers. Running it again changes nothing and says so; with "
    "--no-admin, while there is no administrator, it prints another setup code and the one before ends.",
)


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
        Parameter(
            help="File for the administrator's token, or for the setup code (mode 0600, never overwritten)."
        ),
    ] = None,
    no_admin: Annotated[
        bool,
        Parameter(
            negative="",
            help="Print a setup code, with which the console's page /setup makes the administrator.",
        ),
    ] = False,
    no_input: Annotated[bool, Parameter(negative="", help="Never ask. [env: RETINUE_NO_INPUT]")] = False,
) -> int:
    """Create an installation on this host: database, keys, the organization, its first administrator."""
    extras.require_server()
    if no_admin and token_file is None and settings.flag("CI"):
        raise CommandError(
            "CI is set, and a setup code on standard output would end in the log; nothing was created",
            "add --token-file FILE",
            Exit.USAGE,
        )
    flags = {
        "--organization": organization,
        "--admin-email": admin_email,
        "--admin-name": admin_name,
        "--admin-password-file": admin_password_file,
        "--token-file": token_file,
    }
    argv = [sys.executable, "-m", "retinue.server", "init"]
    argv += [f"{flag}={value}" for flag, value in flags.items() if value is not None]
    argv += ["--no-admin"] if no_admin else []
    ask = confirm.may_ask(no_input)
    argv += [] if ask else ["--no-input"]
    env = {**os.environ, "RETINUE_HOME": str((folder or settings.home()).absolute())}
    # Our own program, with flags that hold names and paths and no secret.
    return subprocess.run(argv, env=env, stdin=None if ask else subprocess.DEVNULL, check=False).returncode
