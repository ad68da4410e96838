"""``retinue verify`` with the command framework: for help, for mistakes, and for the rarer forms."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import verification
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import Format

app = App(
    name="verify",
    help_epilogue="Exit code 0: allowed, 7: denied. The node is RETINUE_NODE_URL. The token comes from a "
    "file or from standard input, never from an argument.",
)


@app.default
def verify(
    stdin: Annotated[str | None, Parameter(name="-", help="- reads the token from standard input.")] = None,
    /,
    *,
    file: Annotated[str | None, Parameter(help="File that holds the token.")] = None,
    need: Annotated[tuple[str, ...], Parameter(help="Permission to ask for.", negative="")] = (),
    organization: Annotated[str | None, Parameter(help="Accept tokens of this organization only.")] = None,
    address: Annotated[str | None, Parameter(help="Network address that the call came from.")] = None,
    method: Annotated[str | None, Parameter(help="HTTP method of the call.")] = None,
    path: Annotated[str | None, Parameter(help="Path of the call.")] = None,
    offline: Annotated[
        bool, Parameter(help="Ask the replica of this host, not a node. [env: RETINUE_REPLICA]", negative="")
    ] = False,
    output: Annotated[Format | None, Parameter(name=["--output", "-o"], help="Form of the answer.")] = None,
) -> int:
    """Ask a node whether a token is allowed, now: exit 0 if it is, 7 if it is denied."""
    if stdin not in (None, "-"):
        raise CommandError(
            "verify takes no argument but -", "give --file FILE, or - for standard input", Exit.USAGE
        )
    token = verification.token_from(stdin == "-", file)
    question = verification.Question(need, organization, address, method, path)
    answer = verification.decision(token, question, offline=offline)
    if output in ("name", "id"):
        print((answer.get("account") or {}).get(output, ""))
    elif output in ("yaml", "csv"):
        _show_rarely(answer, output)
    else:
        verification.show(answer, output)
    return verification.exit_code(answer)


def _show_rarely(answer: dict[str, object], form: str) -> None:
    import sys

    if form == "yaml":
        import yaml

        sys.stdout.write(yaml.safe_dump(answer, sort_keys=False, allow_unicode=True))
        return
    import csv

    names, values = zip(*verification.facts(answer), strict=True)
    csv.writer(sys.stdout, lineterminator="\n").writerows([names, values])
