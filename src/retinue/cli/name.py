"""``retinue name check``: could service accounts have these names?"""

from __future__ import annotations

import msgspec
from cyclopts import App

from retinue.cli import output
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.client.models import Page
from retinue.client.traffic import CHECK_NAMES, CheckedName

app = App(name="name", help="Names that service accounts could have.")
#: Names in one call of the API.
AT_ONCE = 100

NAME = Shape[CheckedName](
    columns=(Column("name", "name"), Column("handle", "handle"), Column("ok", "ok")),
    name=lambda checked: checked.name,
    id=lambda checked: checked.handle or "",
)


@app.command
def check(*names: str, options: Options = DEFAULTS) -> int:
    """Check names against the convention, and whether they are taken: exit 7 if one could not be had."""
    if not names:
        raise CommandError("which names?", "retinue name check NAME...", Exit.USAGE)
    if len(names) > AT_ONCE:
        raise CommandError(f"{len(names)} names: at most {AT_ONCE} at once", "", Exit.USAGE)
    session = Session(options, CHECK_NAMES)
    found = session.perform(CHECK_NAMES, None, {"names": list(names)})
    if options.output in ("json", "yaml"):
        output.show_object(msgspec.to_builtins(found), options)
    else:
        output.show_list([Page(found.items)], NAME, options)
    wrong = [each for each in found.items if not each.ok]
    for each in wrong:
        for problem in each.problems:
            session.say(f"{each.name}: {problem.detail}")
    return Exit.NEGATIVE if wrong else Exit.DONE
