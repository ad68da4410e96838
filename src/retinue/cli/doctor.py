"""``retinue doctor``: what can be wrong between this command, servers and host; each with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import examining, output, profiles
from retinue.cli.cells import Column, Shape
from retinue.cli.examining import Check
from retinue.cli.exits import Exit
from retinue.cli.options import FORM_DEFAULTS, FormOptions
from retinue.cli.report import talk
from retinue.client.models import Page

app = App(
    name="doctor", help_epilogue="Exit code 7 if something is wrong; what only deserves a look is none."
)
_SHAPE = Shape[Check](
    columns=(
        Column("check", "check"),
        Column("state", "state"),
        Column("finding", "finding"),
        Column("fix", "fix"),
    ),
    name=lambda check: check.check,
    id=lambda check: check.check,
)
State = Literal["ok", "look", "wrong"]


@app.default
def doctor(
    *,
    fix: Annotated[
        bool, Parameter(negative="", help="Mend what is safe to mend: the modes of files that hold secrets.")
    ] = False,
    options: FormOptions = FORM_DEFAULTS,
) -> int:
    """Check configuration, servers, clocks, sign-in, nodes, and the installation on this host."""
    profiles.choose(options.profile)
    found: list[Check] = []

    def pages() -> Iterator[Page[Check]]:
        for check in examining.all_checks(fix=fix):
            found.append(check)
            yield Page([check])

    output.show_list(pages(), _SHAPE, options)
    wrong = [check for check in found if check.state == "wrong"]
    looks = sum(check.state == "look" for check in found)
    talk(options, f"{len(found)} checks, {len(wrong)} wrong, {looks} to look at")
    return Exit.NEGATIVE if wrong else Exit.DONE
