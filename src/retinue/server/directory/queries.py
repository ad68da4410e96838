"""Reads of the directory. Every one is bound to an organization: objects of others do not exist here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from retinue.server.directory.models import (
    BrowserSession,
    Identity,
    Login,
    Organization,
    Ownership,
    Principal,
    SavedView,
)
from retinue.server.directory.rules import fold
from retinue.server.errors import NotFound, Refused
from retinue.server.policies import remembering
from retinue.server.prepared import Prepared

__all__ = [
    "CANARY",
    "CANARY_HANDLE",
    "BrowserSession",
    "Identity",
    "Login",
    "Organization",
    "Principal",
    "SavedView",
    "account",
    "accounts",
    "find_principal",
    "id_of",
    "installation",
    "is_canary",
    "organization",
    "owners_of",
    "principals",
    "user",
    "users",
]


CANARY_HANDLE = "retinue-canary"
#: The account that probes use is Retinue's own: no list, count, review or document has it.
CANARY = Q(handle=CANARY_HANDLE, organization__is_installation=True)
#: How ids of principals begin; who else acts (Retinue itself) is none.
PRINCIPAL_IDS = ("usr_", "sa_")


def is_canary(account: Principal) -> bool:
    """Tell whether an account is the one that probes use."""
    return account.handle == CANARY_HANDLE and account.organization.is_installation


def organization(organization_id: str) -> Organization:
    """Return an organization by id. Raises :class:`NotFound`."""
    found = Organization.objects.filter(id=organization_id).first()
    if found is None:
        raise NotFound("organization", organization_id)
    return found


def any_organization(text: str, *, lock: bool = False) -> Organization:
    """Return any organization by its id or handle, for operators. Raises :class:`NotFound`."""
    rows = Organization.objects.filter(Q(id=text) | Q(handle=fold(text)))
    found = (rows.select_for_update(no_key=True) if lock else rows).first()
    if found is None:
        raise NotFound("organization", text)
    return found


def exists(text: str) -> bool:
    """Tell whether there is an organization with this id or handle."""
    return Organization.objects.filter(Q(id=text) | Q(handle=fold(text))).exists()


def organizations(
    *, state: str | None = None, handle: str | None = None, search: str | None = None
) -> QuerySet[Organization]:
    """Return the organizations of the installation; deleted ones only if asked for by state."""
    rows = Organization.objects.all()
    rows = rows.exclude(state="deleted") if state is None else rows.filter(state=state)
    if handle is not None:
        rows = rows.filter(handle=fold(handle))
    return rows.filter(_search(search, "name", "handle", "id")) if search else rows


def installation() -> Organization | None:
    """Return the organization that ``init`` created, or ``None`` before it has."""
    return Organization.objects.filter(is_installation=True).first()


def account(organization_id: str, account_id: str, *, lock: bool = False) -> Principal:
    """Return a service account by id; ``lock`` holds its row until the commit. Raises :class:`NotFound`."""
    return _principal(organization_id, account_id, Principal.SERVICE_ACCOUNT, "service account", lock)


def user(organization_id: str, user_id: str, *, lock: bool = False) -> Principal:
    """Return a user by id; ``lock`` holds its row until the commit. Raises :class:`NotFound`."""
    return _principal(organization_id, user_id, Principal.USER, "user", lock)


def _principal(organization_id: str, ident: str, kind: str, noun: str, lock: bool) -> Principal:
    rows = Principal.objects.filter(organization_id=organization_id, kind=kind, id=ident)
    if lock:
        found = rows.select_for_update(no_key=True).first()
    else:
        found = principals([ident]).get(ident)
        found = found if found and (found.organization_id, found.kind) == (organization_id, kind) else None
    if found is None:
        raise NotFound(noun, ident)
    return found


_PRINCIPALS = Prepared(lambda *ids: Principal.objects.filter(id__in=ids))


def principals(ids: Iterable[str]) -> dict[str, Principal]:
    """Return principals by id, in one query; unknown ids are left out."""
    own = (each for each in ids if each.startswith(PRINCIPAL_IDS))
    return remembering.by_id("principals", own, _by_id)


def _by_id(ids: Iterable[str]) -> dict[str, Principal]:
    return {each.id: each for each in _PRINCIPALS.any_of(ids)}


def is_enabled(principal_id: str) -> bool:
    """Tell whether a principal and its organization are enabled now."""
    rows = Principal.objects.filter(id=principal_id, state="enabled", organization__state="enabled")
    return rows.exists()


def id_of(organization_id: str, text: str) -> str:
    """Return the id of the principal whose id, else whose handle is ``text``; ``text`` if there is none."""
    known = principals([text]).get(text)
    if known is not None and known.organization_id == organization_id:
        return known.id
    rows = Principal.objects.filter(organization_id=organization_id)
    found = rows.filter(Q(id=text) | Q(handle=fold(text))).values_list("id", flat=True)[:3]
    return found[0] if len(found) == 1 and text not in found else text


def find_principal(organization_id: str, text: str, kind: str, *, field: str) -> Principal:
    """Return the principal of ``kind`` whose id, else whose handle or e-mail address is ``text``.

    Raises :class:`Refused` (``not_found``) that names ``field``.
    """
    folded = fold(text)
    rows = Principal.objects.filter(organization_id=organization_id, kind=kind)
    rows = rows.exclude(state="deleted")
    found = list(rows.filter(id=text)) or list(
        rows.filter(Q(handle=folded) | Q(email=folded)).order_by("id")[:2]
    )
    if len(found) > 1:
        raise Refused("invalid_value", f"several are called {text!r}; give the id", field=field)
    if not found:
        raise Refused("not_found", f"there is no {kind.replace('_', ' ')} {text!r} here", field=field)
    return found[0]


def accounts(
    organization_id: str,
    *,
    state: str | None = None,
    handle: str | None = None,
    search: str | None = None,
    holders: QuerySet[Any] | None = None,
    owner: str | None = None,
    awaits_approval: bool | None = None,
    environment: str | None = None,
) -> QuerySet[Principal]:
    """Return the service accounts of an organization; deleted ones only if asked for by state or handle.

    The state ``any`` asks for all; the canary's only the handle.

    ``holders`` is a query of the ids among which they are.
    """
    rows = Principal.objects.filter(organization_id=organization_id, kind=Principal.SERVICE_ACCOUNT)
    if state is not None:
        rows = rows if state == "any" else rows.filter(state=state)
    elif handle is None and awaits_approval:
        rows = rows.filter(state="disabled")  # all who wait are; by an index
    elif handle is None:
        rows = rows.exclude(state="deleted")
    rows = rows.exclude(CANARY) if handle is None else rows.filter(handle=fold(handle))
    if search:
        rows = rows.filter(_search(search, "name", "handle", "id", "description", "purpose"))
    if holders is not None:
        rows = rows.filter(id__in=holders)
    if awaits_approval is not None:
        rows = rows.filter(awaits_approval=awaits_approval)
    if environment is not None:
        rows = rows.filter(environment=environment)
    if owner is not None:
        held = Ownership.objects.filter(owner_id=id_of(organization_id, owner))
        rows = rows.filter(id__in=held.values("account_id"))
    return rows


def users(
    organization_id: str,
    *,
    email: str | None = None,
    search: str | None = None,
    state: str | None = None,
    holders: QuerySet[Any] | None = None,
) -> QuerySet[Principal]:
    """Return the users of an organization; deleted ones only if asked for by state or address.

    ``holders`` is a query of the ids among which they are.
    """
    rows = Principal.objects.filter(organization_id=organization_id, kind=Principal.USER)
    if state is not None:
        rows = rows.filter(state=state)
    elif email is None:
        rows = rows.exclude(state="deleted")
    if email is not None:
        rows = rows.filter(email=fold(email))
    if search:
        rows = rows.filter(_search(search, "name", "email", "id"))
    if holders is not None:
        rows = rows.filter(id__in=holders)
    return rows


def people_and_accounts(
    organization_id: str,
    *,
    kind: str = "all",
    state: str | None = None,
    search: str | None = None,
) -> QuerySet[Principal]:
    """Return users, service accounts or both; deleted ones only if asked for by state, the canary's never."""
    rows = Principal.objects.filter(organization_id=organization_id).exclude(CANARY)
    if kind != "all":
        rows = rows.filter(kind=kind)
    rows = rows.exclude(state="deleted") if state is None else rows.filter(state=state)
    if search:
        rows = rows.filter(_search(search, "name", "handle", "email", "id"))
    return rows


def _search(text: str, *fields: str) -> Q:
    found = Q()
    for name in fields:
        found |= Q(**{f"{name}__icontains": text})
    return found


def owners_of(account_ids: Iterable[str]) -> dict[str, list[Principal]]:
    """Return the owners of each account, deleted users left out, in one query."""
    found: dict[str, list[Principal]] = {ident: [] for ident in account_ids}
    rows = Ownership.objects.filter(account_id__in=list(found)).exclude(owner__state="deleted")
    for held in rows.select_related("owner").order_by("id"):
        found[held.account_id].append(held.owner)
    remembering.learn("principals", {row.id: row for rows in found.values() for row in rows})
    return found


def owned(account_id: Any) -> QuerySet[Ownership]:
    """Return who owns an account, deleted users left out, for a query over accounts."""
    return Ownership.objects.filter(account_id=account_id).exclude(owner__state="deleted")


def owner_ids_of(account_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the ids of the owners of each account, deleted users left out; for many accounts at once."""
    found: dict[str, list[str]] = {ident: [] for ident in account_ids}
    rows = Ownership.objects.filter(account_id__in=list(found)).exclude(owner__state="deleted")
    for account, owner in rows.order_by("id").values_list("account_id", "owner_id"):
        found[account].append(owner)
    return found


def owned_by(user_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return (account, owner) of everything that these users own, in one query."""
    rows = Ownership.objects.filter(owner_id__in=list(user_ids))
    return list(rows.values_list("account_id", "owner_id"))


def last_owner_gone(account_ids: Iterable[str]) -> dict[str, datetime]:
    """Return when the last owner of each account was deleted, of those that ever had one."""
    rows = Ownership.objects.filter(account_id__in=list(account_ids)).values("account_id")
    found = rows.annotate(gone=Max("owner__deleted_at"))
    return {row["account_id"]: row["gone"] for row in found if row["gone"] is not None}


def with_login(user_ids: Iterable[str]) -> set[str]:
    """Return the ids of those users who can sign in to the console."""
    return set(Login.objects.filter(principal_id__in=list(user_ids)).values_list("principal_id", flat=True))
