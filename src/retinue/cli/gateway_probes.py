"""``retinue gateway test`` and ``retinue gateway echo``: is a running gateway as closed as it should be?"""

from __future__ import annotations

import http.client
import os
import sys
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from retinue.cli import output, verification
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import Format, Options
from retinue.cli.probing import FAILED, SKIPPED, Gateway, Probe, Tokens, probe_all
from retinue.client.models import Page
from retinue.gateways.parameters import Address, ParametersError

test_app = App(name="test")
echo_app = App(name="echo")

SHAPE: Shape[Probe] = Shape(
    (
        Column("PROBE", "probe"),
        Column("RESULT", "result"),
        Column("EXPECTED", "expected"),
        Column("SEEN", "seen"),
    ),
    lambda probe: probe.probe,
    lambda probe: probe.probe,
)


@test_app.default
def probe(
    url: str,
    /,
    *,
    path: Annotated[str, Parameter(help="A path with a rule for GET.", metavar="PATH")],
    token_file: Annotated[str, Parameter(help="File with a token that may use it.")],
    without_file: Annotated[
        str | None, Parameter(help="File with a genuine token that may not.", metavar="FILE")
    ] = None,
    narrowed_file: Annotated[
        str | None,
        Parameter(
            help="File with a token for GET and this path alone (key issue --method --endpoint).",
            metavar="FILE",
        ),
    ] = None,
    node: Annotated[
        str | None,
        Parameter(help="The node, if it can be reached from here. [env: RETINUE_NODE_URL]", metavar="URL"),
    ] = None,
    form: Annotated[Format | None, Parameter(name=["--output", "-o"], help="Form of the answer.")] = None,
) -> int:
    """Probe a gateway from outside. Exit 0: closed, 7: a probe failed, 9: it does not answer.

    What reaches the application is seen if `retinue gateway echo` stands in its place for once. Without that,
    and without the further tokens, some things are not probed, and the answer says which.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise CommandError(f"{url}: the base URL of a gateway", "such as http://127.0.0.1:8080", Exit.USAGE)
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or " " in path:
        raise CommandError(f"--path {path}: a path, such as /reports/1", "", Exit.USAGE)
    tokens = Tokens(
        verification.token_from(False, token_file),
        None if without_file is None else verification.token_from(False, without_file),
        None if narrowed_file is None else verification.token_from(False, narrowed_file),
    )
    gateway = Gateway(url.rstrip("/"), path, tokens, node or os.environ.get("RETINUE_NODE_URL") or None)
    try:
        probes = probe_all(gateway)
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"{url} does not answer: {error}", "", Exit.UNREACHABLE) from None
    output.show_list([Page(probes)], SHAPE, Options(output=form))
    skipped = [each.probe for each in probes if each.result == SKIPPED]
    if skipped:
        sys.stderr.write(f"not probed: {', '.join(skipped)}\n")
    return Exit.NEGATIVE if any(each.result == FAILED for each in probes) else Exit.DONE


@echo_app.default
def echo(
    *,
    listen: Annotated[str, Parameter(help="Where to listen.", metavar="HOST:PORT")] = "127.0.0.1:8000",
) -> None:
    """Stand in the place of an application and show, as JSON, each request that comes through the gateway.

    For `retinue gateway test`. Whoever reaches it sees what the gateway sends, so keep it on the loopback.
    """
    from retinue.cli.echoing import serve

    try:
        address = Address.read(listen, "--listen")
        serve(address.bare, address.port)
    except ParametersError as error:
        raise CommandError(str(error), "", Exit.USAGE) from None
    except OSError as error:
        raise CommandError(f"{listen}: {error.strerror}", "name another address with --listen") from None
