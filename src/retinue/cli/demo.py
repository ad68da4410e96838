"""``retinue demo``: a whole Retinue with sample data, until Ctrl-C; nothing of it stays."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import extras
from retinue.cli.exits import CommandError

app = App(
    name="demo",
    help_epilogue="Everything stands in a temporary folder, listens on loopback only, and is gone after "
    "Ctrl-C; no request leaves this host.",
)


@app.default
def demo(
    *,
    port: Annotated[
        int | None,
        Parameter(
            help="Port of the control plane; node and application take the next two. [default: 8470, or a "
            "free one]"
        ),
    ] = None,
    host: Annotated[
        str,
        Parameter(help="Address of console and application; in a container 0.0.0.0. [default: 127.0.0.1]"),
    ] = "127.0.0.1",
    open_browser: Annotated[
        bool, Parameter(name="--open", negative="", help="Open the console in the browser.")
    ] = False,
) -> int:
    """Start Retinue with sample organizations and traffic; print a URL, a sign-in and a curl that works."""
    extras.require_all()
    from retinue.demo.processes import DemoError
    from retinue.demo.run import run

    try:
        return run(port, host, opens_browser=open_browser)
    except DemoError as error:
        raise CommandError(str(error)) from None
