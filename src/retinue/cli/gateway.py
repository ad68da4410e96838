"""``retinue gateway``: configurations of gateways, and probes of one that runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue import gateways
from retinue.cli.exits import CommandError, Exit
from retinue.gateways import Address, Parameters, ParametersError, Rule

app = App(
    name="gateway",
    help="Gateways that ask a node about every request: nginx, Caddy, Traefik, Envoy, HAProxy.",
)
app.command("retinue.cli.gateway_probes:test_app", name="test", help="Probe a gateway from outside.")
app.command(
    "retinue.cli.gateway_probes:echo_app", name="echo", help="An application that shows what reaches it."
)

Form = Literal["nginx", "caddy", "traefik", "envoy", "haproxy"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What differs from one gateway to the next."""

    rule: Annotated[
        tuple[str, ...],
        Parameter(help="METHODS PATH=PERMISSION: 'GET /reports/*=report:read'.", metavar="RULE", negative=""),
    ] = ()
    node: Annotated[str, Parameter(help="The node.", metavar="HOST:PORT")] = "127.0.0.1:8471"
    application: Annotated[str, Parameter(help="Your application.", metavar="HOST:PORT")] = "127.0.0.1:8000"
    listen: Annotated[str, Parameter(help="Where the gateway listens.", metavar="HOST:PORT")] = (
        "127.0.0.1:8080"
    )
    organization: Annotated[str | None, Parameter(help="Accept tokens of this organization only.")] = None
    token_header: Annotated[
        tuple[str, ...],
        Parameter(
            help="A field in which tokens may stand, if the organization accepts that.",
            metavar="NAME",
            negative="",
        ),
    ] = ()
    caller: Annotated[
        bool,
        Parameter(
            negative="",
            help="The node is on another host: the gateway identifies itself by RETINUE_CALLER_TOKEN.",
        ),
    ] = False
    tls_certificate: Annotated[
        str | None,
        Parameter(
            help="The gateway speaks TLS: its certificate and the chain, in PEM; for HAProxy the key, too.",
            metavar="FILE",
        ),
    ] = None
    tls_key: Annotated[str | None, Parameter(help="The key of the certificate.", metavar="FILE")] = None
    http2: Annotated[
        bool, Parameter(negative="", help="Ask the application by HTTP/2 without TLS, as gRPC needs it.")
    ] = False
    pages: Annotated[str, Parameter(help="Where people read about a problem.", metavar="URL")] = (
        "http://127.0.0.1:8470/docs/errors"
    )

    def read(self) -> Parameters:
        """Return the parameters. Raises ``ParametersError`` for what cannot stand in a configuration."""
        return Parameters(
            tuple(map(Rule.read, self.rule)),
            node=Address.read(self.node, "--node"),
            application=Address.read(self.application, "--application"),
            listen=Address.read(self.listen, "--listen"),
            organization=self.organization,
            token_headers=tuple(name.lower() for name in self.token_header),
            asks_caller=self.caller,
            pages=self.pages,
            certificate=self.tls_certificate,
            key=self.tls_key,
            asks_http2=self.http2,
        )


@app.command
def config(
    form: Form,
    /,
    *,
    wanted: Wanted = Wanted(),
    out: Annotated[
        str | None, Parameter(help="Folder for the files; none is overwritten.", metavar="FOLDER")
    ] = None,
) -> None:
    """Print the configuration of a gateway, as it was tested. What has no rule is refused.

    A rule names methods (or none: all), a path, and the permission that is needed there. An asterisk at the
    end of the path is anything, {id} a part. The most exact rule that fits is taken. GET is HEAD, too.
    """
    try:
        files = gateways.render(form, wanted.read())
    except ParametersError as error:
        raise CommandError(str(error), "retinue gateway config --help", Exit.USAGE) from None
    if out is None:
        _print(files)
    else:
        _write(files, Path(out))


def _print(files: dict[str, str]) -> None:
    for number, (name, text) in enumerate(files.items()):
        if len(files) > 1:
            mark = "--" if name.endswith(".lua") else "#"
            sys.stdout.write(("\n" if number else "") + f"{mark} --- {name}\n")
        sys.stdout.write(text)


def _write(files: dict[str, str], folder: Path) -> None:
    """Write the files, all or none of them."""
    there = [str(folder / name) for name in files if (folder / name).exists()]
    if there:
        raise CommandError(f"{there[0]} exists", "name another folder with --out", Exit.CONFLICT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}", "name another folder with --out") from None
    sys.stderr.write(f"wrote {', '.join(str(folder / name) for name in files)}\n")
