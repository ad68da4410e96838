"""What is decided inside the transaction that writes: free names and handles, and room for one more."""

from __future__ import annotations

from django.db.models import QuerySet

from retinue.server.directory.models import Organization, Principal
from retinue.server.directory.rules import fold
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy


def lock(organization_id: str) -> None:
    """Let one creator or renamer at a time into an organization, until the commit."""
    Organization.objects.select_for_update(no_key=True).get(id=organization_id)


def check_room(organization_id: str, policy: Policy) -> None:
    """Refuse one service account too many; call it with the organization locked."""
    most = policy.accounts_max
    rows = Principal.objects.filter(organization_id=organization_id, kind=Principal.SERVICE_ACCOUNT)
    if most is not None and rows.exclude(state="deleted").count() >= most:
        raise Refused("state_conflict", f"the organization has {most} service accounts, as many as it may")


def check_free(
    organization_id: str,
    policy: Policy,
    handle: str,
    name: str,
    field: str,
    *,
    but: Principal | None = None,
) -> None:
    """Refuse a handle or name that is taken, whichever the policy wants unique; ``but`` has it itself."""
    rows = Principal.objects.filter(organization_id=organization_id)
    if but is not None:
        rows = rows.exclude(id=but.id)
    if policy.accounts_unique == "handle":
        taken = rows.filter(handle=handle).first()
        what = f"the handle {handle!r}"
    elif policy.accounts_unique == "name":
        taken = _named(rows.filter(kind=Principal.SERVICE_ACCOUNT), fold(name))
        what, field = f"the name {name!r}", "name"
    else:
        return
    if taken is not None:
        ended = " (deleted; it stays reserved)" if taken.state == "deleted" else ""
        raise Refused("duplicate_name", f"{what} is taken by {taken.id}{ended}", field=field)


def _named(rows: QuerySet[Principal], folded: str) -> Principal | None:
    """Return who has a name: by its key, or read one by one where the policy wanted another one then."""
    found = rows.filter(unique_key=f"n:{folded}").first()
    if found is not None:
        return found
    others = rows.exclude(unique_key__startswith="n:") | rows.filter(unique_key__isnull=True)
    return next((row for row in others if fold(row.name) == folded), None)
