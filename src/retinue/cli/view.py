"""``retinue view``: saved views of lists, one's own and shared ones."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.client import saved_views as ops
from retinue.client.saved_views import SavedView

app = App(name="view", help="Saved views: filters, sort and columns of a list under a name.")

VIEW = Shape[SavedView](
    columns=(
        Column("name", "name"),
        Column("list", "list"),
        Column("filters", "filters"),
        Column("sort", "sort"),
        Column("columns", "columns"),
        Column("shared", "shared"),
        Column("owner", "owner.handle"),
        Column("stale", "stale"),
        Column("id", "id"),
    ),
    name=lambda view: view.name,
    id=lambda view: view.id,
)
Of = Literal["service-accounts", "credentials", "requests", "audit-events"]
Filters = Annotated[
    tuple[str, ...],
    Parameter(name="--filter", help="FIELD=VALUE, as the list takes it; several must all fit.", negative=""),
]
Columns = Annotated[tuple[str, ...], Parameter(name="--column", help="A column of the table.", negative="")]
Sort = Annotated[
    str | None, Parameter(help="As the list is sorted, such as -created_at.", allow_leading_hyphen=True)
]
Share = Annotated[
    bool | None, Parameter(help="The organization sees it, or you alone.", negative="--no-share")
]


def find(session: Session, text: str) -> SavedView:
    """Return the view with this id, or the only one with this name."""
    known = session.look_all(ops.LIST)
    found = [each for each in known if text in (each.id, each.name)]
    if not found:
        raise lookup.missing("view", text, [each.name for each in known])
    if len(found) > 1:
        ids = ", ".join(f"{each.id} ({each.list})" for each in found)
        raise CommandError(f"several views are called {text}", f"name one by its id: {ids}", Exit.USAGE)
    return found[0]


def _filters(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise CommandError(f"--filter {text}: not FIELD=VALUE", "such as status=idle", Exit.USAGE)
        found[name] = value
    return found


@app.command(name="list")
def list_(
    *,
    of: Annotated[Of | None, Parameter(name="--list", help="Views of this list.")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List your own views and those that are shared."""
    session = Session(options, ops.LIST)
    output.show_list(session.pages(ops.LIST, None, {"list": of}, limit), VIEW, options)


@app.command
def get(view: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one."""
    session = Session(options, ops.GET, ops.LIST)
    output.show_one(session.perform(ops.GET, {"id": find(session, view).id}), VIEW, options)


@app.command
def create(
    name: str,
    /,
    *,
    of: Annotated[Of, Parameter(name="--list", help="Of which list.")],
    filter: Filters = (),
    sort: Sort = None,
    column: Columns = (),
    share: Share = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Save a view of a list. It is yours alone unless it is shared."""
    session = Session(options, ops.CREATE)
    body = {
        "list": of,
        "name": name,
        "filters": _filters(filter),
        "sort": sort or "",
        "columns": list(column),
        "shared": bool(share),
    }
    _done(session, session.perform(ops.CREATE, None, body), "saved")


@app.command
def edit(
    view: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="Another name.")] = None,
    filter: Filters = (),
    sort: Sort = None,
    column: Columns = (),
    share: Share = None,
    owner: Annotated[str | None, Parameter(help="Hand a shared view over to this user.")] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Change a view; filters and columns that are given take the place of all it had."""
    session = Session(options, ops.EDIT, ops.LIST)
    given = {"name": name, "filters": _filters(filter) or None, "sort": sort, "columns": list(column) or None,
             "shared": share, "owner": owner}  # fmt: skip
    body = {field: value for field, value in given.items() if value is not None}
    if not body:
        raise CommandError("nothing to change", "see: retinue view edit --help", Exit.USAGE)
    _done(session, session.perform(ops.EDIT, {"id": find(session, view).id}, body), "changed")


@app.command
def delete(view: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Delete a view; a shared one for everybody."""
    session = Session(options, ops.DELETE, ops.LIST)
    found = find(session, view)
    shown = f"{found.name} ({found.id}) of {found.list}" + (", shared" if found.shared else "")
    confirm.one("delete", view, [shown], options)
    _done(session, session.perform(ops.DELETE, {"id": found.id}), "deleted")


def _done(session: Session, view: SavedView, done: str) -> None:
    session.say(f"{done} view {view.name} ({view.id}) of {view.list}")
    session.show_change([view], VIEW)
