"""Saved views of lists: one's own, and those that are shared with the organization."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from retinue.server.access.queries import roles
from retinue.server.api import reading, render, schemas
from retinue.server.api.account_schemas import AccountFilter
from retinue.server.api.answers import instant
from retinue.server.api.audit import EventFilter
from retinue.server.api.credentials import CredentialFilter
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Access, Call, operation
from retinue.server.api.requests import RequestFilter
from retinue.server.directory import queries, saved_views
from retinue.server.directory.queries import Principal, SavedView
from retinue.server.errors import Refused

TAG = "saved-views"
LIST, ONE = "/saved-views", "/saved-views/{view_id}"
SHARE = ("saved_view:share",)
ListName = Literal["service-accounts", "credentials", "requests", "audit-events"]
Names = list[str]
Density = Literal["comfortable", "compact"]
#: What each list is filtered by, and the columns that a table of it can have.
LISTS: dict[str, tuple[type[schemas.ListQuery], tuple[str, ...]]] = {
    "service-accounts": (
        AccountFilter,
        ("status", "owner", "access", "keys", "last_used", "created", "enabled", "environment",
         "systems", "groups", "teams", "created_by", "last_reviewed", "unused", "traffic"),
    ),
    "credentials": (
        CredentialFilter,
        ("status", "of", "kind", "issued", "last_used", "expires", "issued_by",
         "restrictions", "uses", "format", "rotate_by"),
    ),
    "requests": (
        RequestFilter,
        ("decision", "account", "request", "permission", "credential", "address", "node", "took", "client",
         "status", "route"),
    ),
    "audit-events": (EventFilter, ("who", "channel", "address", "reason", "changes", "id")),
}  # fmt: skip
_FILTERS = "Filters as the list takes them in its query, each a text."


class SavedViewAnswer(schemas.Answer):
    """A saved view."""

    id: str
    list: ListName
    name: str
    filters: dict[str, str]
    sort: str | None
    columns: Names = Field(description="In their order; none: those that the list has usually.")
    density: Density | None
    shared: bool
    owner: schemas.PrincipalRef
    owner_left: bool = Field(description="Its owner was deleted: somebody who may share can take it over.")
    stale: Names = Field(
        description="What it names and is there no more: `filters.role`, `sort`, `columns.x`."
    )
    created_at: str
    updated_at: str


class SavedViewList(schemas.Answer):
    """A page of saved views, by name."""

    items: list[SavedViewAnswer]
    next: str | None


class SavedViewFilter(schemas.ListQuery):
    """Filters of the list of saved views."""

    list: ListName | None = Field(None, description="Views of this list.")


class CreateSavedView(schemas.WithReason):
    """A view to save."""

    list: ListName
    name: str
    filters: dict[str, str] = Field({}, description=_FILTERS)
    sort: str = ""
    columns: Names = Field([], max_length=32)
    density: Density | None = None
    shared: bool = Field(
        False, description="Everybody in the organization sees it, and only who may share changes it."
    )


class UpdateSavedView(schemas.WithReason):
    """What is left out stays."""

    name: str = ""
    filters: dict[str, str] = Field({}, description=_FILTERS)
    sort: str = ""
    columns: Names = Field([], max_length=32)
    density: Density | None = None
    shared: bool = False
    owner: str = Field("", description="Hands a shared view over, to a user by id or e-mail address.")


@operation("GET", LIST, permission=Access.SELF, response=SavedViewList, tag=TAG)
def list_saved_views(call: Call, query: SavedViewFilter) -> schemas.JSON:
    """List the caller's own saved views and those that are shared with the organization."""
    filters = query.filters()
    rows = saved_views.visible(call.organization, call.actor.id)
    rows = rows if query.list is None else rows.filter(list=query.list)
    found, following = page(
        rows,
        Listing("saved-views", call.actor.id, filters, ("name_folded", "id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    known = set(roles(call.organization))
    return {"items": [_rendered(each, known) for each in found], "next": following}


@operation(
    "POST",
    LIST,
    permission=Access.SELF,
    also={"shared": SHARE},
    response=SavedViewAnswer,
    status=201,
    tag=TAG,
)
def create_saved_view(call: Call, body: CreateSavedView) -> schemas.JSON:
    """Save a view of a list."""
    view = saved_views.View(
        body.name, body.filters, body.sort, tuple(body.columns), body.density or "", body.shared
    )
    _check(body.list, view)
    return _one(call, saved_views.create(call.tx, call.own_principal, body.list, view))


@operation("GET", ONE, permission=Access.SELF, response=SavedViewAnswer, tag=TAG)
def get_saved_view(call: Call, view_id: str) -> schemas.JSON:
    """Get a saved view."""
    return _one(call, saved_views.find(call.organization, call.actor.id, view_id))


@operation(
    "PATCH",
    ONE,
    permission=Access.SELF,
    also={"shared": SHARE, "owner": SHARE},
    response=SavedViewAnswer,
    tag=TAG,
)
def update_saved_view(call: Call, view_id: str, body: UpdateSavedView) -> schemas.JSON:
    """Change a saved view, share it, or hand over a shared one; who may share changes any of those."""
    row = saved_views.find(call.organization, call.actor.id, view_id, lock=True)
    if row.is_shared:
        call.need(*SHARE)
    given: dict[str, Any] = body.model_dump(include=body.model_fields_set - {"reason", "owner"})
    renamed = {"shared": "is_shared"}
    given = {renamed.get(name, name): value for name, value in given.items()}
    if "columns" in given:
        given["columns"] = tuple(given["columns"])
    if "density" in given:
        given["density"] = given["density"] or ""
    view = saved_views.changed(saved_views.view_of(row), given)
    _check(row.list, view, set(given))
    owner = row.owner
    if "owner" in body.model_fields_set:
        owner = queries.find_principal(call.organization, body.owner, Principal.USER, field="owner")
        if owner.id != row.owner_id and not view.is_shared:
            raise Refused("state_conflict", "a view that is not shared is nobody else's", field="owner")
    if not view.is_shared and owner.id != call.actor.id:
        raise Refused("state_conflict", "it is another's: take it over, or delete it", field="shared")
    return _one(call, saved_views.update(call.tx, row, view, owner))


@operation("DELETE", ONE, permission=Access.SELF, response=SavedViewAnswer, tag=TAG)
def delete_saved_view(call: Call, view_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete one's own saved view; a shared one of somebody else needs what sharing needs."""
    row = saved_views.find(call.organization, call.actor.id, view_id, lock=True)
    if row.owner_id != call.actor.id:
        call.need(*SHARE)
    told = _one(call, row)
    saved_views.delete(call.tx, row)
    return told


def _check(of_list: str, view: saved_views.View, parts: set[str] | None = None) -> None:
    """Refuse filters, sort and columns that the list does not have; of a change only what it names."""
    for part, name, why in _wrong(of_list, view):
        if parts is None or part in parts:
            raise Refused("invalid_value", why, field=f"{part}.{name}" if name else part)


def _wrong(of_list: str, view: saved_views.View) -> list[tuple[str, str, str]]:
    """Return what a view names and its list does not have: the part, the name in it, and why."""
    model, columns = LISTS[of_list]
    known = set(model.model_fields) - {"limit", "cursor", "sort"}
    found = []
    for name, value in view.filters.items():
        if name not in known:
            found.append(("filters", name[:64], "this list has no such filter"))
        elif why := _refused(model, {name: value}):
            found.append(("filters", name, why))
    if view.sort and ("sort" not in model.model_fields or _refused(model, {"sort": view.sort})):
        found.append(("sort", "", "this list is not sorted so"))
    found += [
        ("columns", name[:64], "this list has no such column") for name in view.columns if name not in columns
    ]
    return found


def _refused(model: type[schemas.ListQuery], given: dict[str, str]) -> str:
    try:
        reading.validated(model, given, "query")
    except Refused as refused:
        return refused.detail or refused.code
    return ""


def _one(call: Call, row: SavedView) -> schemas.JSON:
    return _rendered(row, set(roles(call.organization)) if "role" in row.filters else set())


def _rendered(row: SavedView, known_roles: set[str]) -> schemas.JSON:
    view = saved_views.view_of(row)
    stale = [f"{part}.{name}" if name else part for part, name, _why in _wrong(row.list, view)]
    if "role" in view.filters and view.filters["role"] not in known_roles:
        stale.append("filters.role")
    return {
        "id": row.id,
        "list": row.list,
        "name": row.name,
        "filters": row.filters,
        "sort": row.sort or None,
        "columns": row.columns,
        "density": row.density or None,
        "shared": row.is_shared,
        "owner": render.ref(row.owner),
        "owner_left": row.owner.state == "deleted",
        "stale": stale,
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
    }
