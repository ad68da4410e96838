"""Saved views: filters, sort and columns of a list under a name, of one principal or for the organization."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from django.db.models import Q, QuerySet

from retinue.server.directory import rules
from retinue.server.directory.models import Organization, Principal, SavedView
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction

NAME_MAX, TEXT_MAX = 100, 512
#: So many views a principal has at most.
MOST = 100


@dataclass(frozen=True, slots=True)
class View:
    """What a view shows. ``density`` is ``comfortable``, ``compact`` or nothing: as the viewer likes it."""

    name: str
    filters: dict[str, str] = field(default_factory=dict)
    sort: str = ""
    columns: tuple[str, ...] = ()
    density: str = ""
    is_shared: bool = False


def visible(organization_id: str, principal_id: str) -> QuerySet[SavedView]:
    """Return the views that a principal sees: its own, and those that are shared in its organization."""
    own = Q(owner_id=principal_id) | Q(is_shared=True)
    return SavedView.objects.filter(own, organization_id=organization_id).prefetch_related("owner")


def find(organization_id: str, principal_id: str, view_id: str, *, lock: bool = False) -> SavedView:
    """Return a view that a principal sees; ``lock`` holds it. Raises :class:`NotFound`."""
    rows = visible(organization_id, principal_id).filter(id=view_id)
    found = (rows.select_for_update(of=("self",), no_key=True) if lock else rows).first()
    if found is None:
        raise NotFound("saved view", view_id)
    return found


def create(tx: Transaction, owner: Principal, of_list: str, view: View) -> SavedView:
    """Save a view. Refuses a name that is taken, and one view too many."""
    Organization.objects.select_for_update(no_key=True).get(id=owner.organization_id)
    if SavedView.objects.filter(owner=owner).count() >= MOST:
        raise Refused("state_conflict", f"at most {MOST} saved views")
    made = SavedView(
        id=new_id("view"),
        organization_id=owner.organization_id,
        owner=owner,
        list=of_list,
        created_at=tx.now,
        updated_at=tx.now,
    )
    _put(made, view)
    made.save(force_insert=True)
    _say(tx, made, "created", {}, _stated(made))
    return made


def update(tx: Transaction, row: SavedView, view: View, owner: Principal) -> SavedView:
    """Change a view, which the caller has locked, or hand it over. Says nothing where nothing changes."""
    Organization.objects.select_for_update(no_key=True).get(id=row.organization_id)
    before = _stated(row)
    row.owner = owner
    _put(row, view)
    after = _stated(row)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return row
    row.updated_at = tx.now
    row.save()
    _say(tx, row, "updated", *({name: told[name] for name in changed} for told in (before, after)))
    return row


def delete(tx: Transaction, row: SavedView) -> None:
    """Delete a view for everybody."""
    _say(tx, row, "deleted", _stated(row), {})
    row.delete()


def forget_private(owner: Principal) -> None:
    """Delete what only a user who goes has seen; what is shared stays. In the user's own transaction."""
    SavedView.objects.filter(owner=owner, is_shared=False).delete()


def view_of(row: SavedView) -> View:
    """Return what a stored view shows."""
    return View(row.name, dict(row.filters), row.sort, tuple(row.columns), row.density, row.is_shared)


def changed(view: View, given: dict[str, object]) -> View:
    """Return a view with other values, by the names of :class:`View`."""
    return replace(view, **given)  # type: ignore[arg-type]


def _put(row: SavedView, view: View) -> None:
    row.name = rules.check_name(view.name, most=NAME_MAX)
    row.name_folded = rules.fold(row.name)[: 2 * NAME_MAX]
    for name, value in view.filters.items():
        if len(value) > TEXT_MAX:
            raise Refused("invalid_value", f"at most {TEXT_MAX} characters", field=f"filters.{name}")
        rules.check_line(value, f"filters.{name}")
    row.filters, row.sort, row.columns = dict(view.filters), view.sort, list(view.columns)
    row.density, row.is_shared = view.density, view.is_shared
    _check_name_free(row)


def _check_name_free(row: SavedView) -> None:
    same = SavedView.objects.filter(
        organization_id=row.organization_id, list=row.list, name_folded=row.name_folded
    ).exclude(id=row.id)
    shared = Q(is_shared=True) if row.is_shared else Q(pk__in=())
    if same.filter(Q(owner_id=row.owner_id) | shared).exists():
        raise Refused("duplicate_name", f"there is a view {row.name!r} of this list", field="name")


def _stated(row: SavedView) -> dict[str, object]:
    told = asdict(view_of(row))
    return {**told, "columns": list(row.columns), "list": row.list, "owner": row.owner_id}


def _say(
    tx: Transaction, row: SavedView, verb: str, before: dict[str, object], after: dict[str, object]
) -> None:
    tx.record(
        f"saved_view.{verb}",
        row.id,
        name=row.name,
        organization=row.organization_id,
        before=before,
        after=after,
    )
