"""``retinue version`` and ``retinue whoami``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue import __version__
from retinue.cli import output, settings
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.api import Client
from retinue.client.models import Me

ME = Shape[Me](
    columns=(
        Column("name", "principal.name"),
        Column("kind", "principal.kind"),
        Column("id", "principal.id"),
        Column("organization", "organization.handle"),
        Column("credential", "credential.name"),
        Column("credential_id", "credential.id"),
        Column("expires_at", "credential.expires_at"),
        Column("operator", "operator"),
        Column("permissions", "permissions"),
    ),
    name=lambda me: me.principal.name,
    id=lambda me: me.principal.id,
)


version_app = App(name="version")
whoami_app = App(name="whoami")


@version_app.default
def version() -> None:
    """Print the version."""
    print(f"retinue {__version__}")


@whoami_app.default
def whoami(
    stdin: Annotated[
        str | None, Parameter(name="-", help="- reads another token from standard input.")
    ] = None,
    /,
    *,
    options: Options = DEFAULTS,
) -> None:
    """Who I am, where, with which permissions, until when."""
    session = Session(options, ops.GET_ME)
    if stdin is None or options.print_curl:
        me = session.perform(ops.GET_ME)
    elif stdin == "-":
        import sys

        token = settings.single_token(sys.stdin.buffer.read(8192), "standard input")
        me = Client(settings.url(), token, None, settings.timeout(), settings.ca_file()).call(ops.GET_ME)
    else:
        raise CommandError("whoami takes no argument but -", "", Exit.USAGE)
    output.show_one(me, ME, options)
