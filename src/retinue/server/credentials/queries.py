"""Reads of credentials. Every one is bound to an organization."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import GreaterThan, IsNull, LessThanOrEqual

from retinue.server.access import queries as access
from retinue.server.credentials.models import Credential, DeviceSignIn, ImportScheme
from retinue.server.directory.queries import CANARY, Principal, principals
from retinue.server.directory.rules import fold
from retinue.server.errors import NotFound
from retinue.server.policies.environments import warned_days, where
from retinue.server.policies.queries import policy_of
from retinue.server.policies.rules import Compiled
from retinue.server.prepared import Prepared
from retinue.token import Kind
from retinue.verifier import PAT_ISSUE

__all__ = [
    "Credential",
    "DeviceSignIn",
    "ImportScheme",
    "credential",
    "credentials",
    "key",
    "keys",
    "names",
    "node_credential",
    "personal_token",
    "personal_tokens",
]


def key(organization_id: str, ident: str, *, lock: bool = False) -> Credential:
    """Return an API key by its id or its key id. Raises :class:`NotFound`."""
    if lock:
        return _one(_keys(organization_id, ident), "key", ident, lock)
    found = _KEY.first(organization_id, ident)
    if found is None:
        raise NotFound("key", ident)
    return found


def _keys(organization_id: str, ident: str) -> QuerySet[Credential]:
    rows = Credential.objects.filter(organization_id=organization_id, kind=Kind.API_KEY.value)
    return rows.filter(Q(id=ident) | Q(kid=ident))


_KEY = Prepared(lambda *given: _keys(*given).select_related("principal", "organization").order_by("id")[:1])


def keys(
    organization_id: str,
    *,
    account: str | None = None,
    state: str | None = None,
    name: str | None = None,
    search: str | None = None,
) -> QuerySet[Credential]:
    """Return API keys; deleted ones only if asked for by state, those of probes only by their account."""
    rows = Credential.objects.filter(organization_id=organization_id, kind=Kind.API_KEY.value)
    rows = rows.exclude(state="deleted") if state is None else rows.filter(state=state)
    rows = _not_canaries(rows) if account is None else rows.filter(principal_id=account)
    if name is not None:
        rows = rows.filter(name_folded=fold(name))
    if search:
        rows = rows.filter(
            Q(name__icontains=search) | Q(kid__icontains=search) | Q(principal__handle__icontains=search)
        )
    return rows


def _not_canaries(rows: QuerySet[Credential]) -> QuerySet[Credential]:
    return rows.exclude(principal__in=Principal.objects.filter(CANARY).values("id"))


#: Where a credential's row has its environment.
_ENVIRONMENT = "principal__environment"


def with_status(
    rows: QuerySet[Credential],
    status: str,
    now: datetime,
    *,
    used: QuerySet[Any, Any],
    policy: Compiled,
    lacking: Collection[str] = (),
) -> QuerySet[Credential]:
    """Narrow keys to one status, as ``status.credential`` gives it, or to ``usable``: not ended or retired.

    ``used`` gives the uses of the credentials that were used; ``lacking`` are users whose own tokens are
    suspended, as :func:`lacking_users` gives them. Keys are gone through in their own order, and
    what else must be known of each is looked up: a join would have the database begin elsewhere, and sort.
    """
    # An ingest token has no account that could be anything but enabled.
    enabled = ~Exists(Principal.objects.filter(id=OuterRef("principal_id")).exclude(state="enabled"))
    lost = Q(principal_id__in=lacking, kind=Kind.PERSONAL.value, issued_by=F("principal_id"))
    was_used = Exists(used.filter(credential=OuterRef("id")))

    def used_within(days: int | None) -> Q:
        lately = used if days is None else used.filter(last_used_at__gt=now - timedelta(days=days))
        return Q(Exists(lately.filter(credential=OuterRef("id"))))

    was_used_lately = where(policy, _ENVIRONMENT, lambda each: each.idle_days, used_within)
    retired, expired = Q(retires_at__lte=now), Q(expires_at__lte=now)
    usable = rows.filter(state="active").exclude(retired).exclude(expired)
    usable = usable.exclude(lost) if lacking else usable
    live = usable.filter(enabled, retires_at__isnull=True)
    soon = where(
        policy, _ENVIRONMENT, warned_days, lambda days: Q(expires_at__lte=now + timedelta(days=days))
    )
    match status:
        case "usable":
            return usable
        case "revoked":
            return rows.filter(Q(state="revoked") | retired).exclude(state="deleted")
        case "expired":
            return rows.filter(expired, state__in=["active", "suspended"]).exclude(retired)
        case "suspended":
            held = Q(state="suspended") | (Q(state="active") & lost) if lacking else Q(state="suspended")
            return rows.filter(held).exclude(retired).exclude(expired)
        case "blocked":
            return usable.filter(~enabled)
        case "retiring":
            return usable.filter(enabled, retires_at__gt=now)
        case "expiring":
            return live.filter(soon, expires_at__gt=now)
        case "never_used":
            return live.exclude(soon).filter(~was_used)
        case "idle":
            return live.exclude(soon).filter(was_used).exclude(was_used_lately)
        case "active":
            return live.exclude(soon).filter(was_used_lately)
        case _:
            return rows.filter(state=status)


def credentials(
    organization_id: str,
    kinds: Iterable[Kind],
    *,
    account: str | None = None,
    state: str | None = None,
    format: str | None = None,
    name: str | None = None,
    search: str | None = None,
) -> QuerySet[Credential]:
    """Return credentials of these kinds; deleted ones only if asked for by state, and probes' by account."""
    rows = Credential.objects.filter(organization_id=organization_id, kind__in=[kind.value for kind in kinds])
    rows = rows.exclude(state="deleted") if state is None else rows.filter(state=state)
    rows = _not_canaries(rows) if account is None else rows.filter(principal_id=account)
    if format is not None:
        rows = rows.filter(format=format)
    if name is not None:
        rows = rows.filter(name_folded=fold(name))
    if search:
        rows = rows.filter(
            Q(name__icontains=search) | Q(kid__icontains=search) | Q(principal__handle__icontains=search)
        )
    return rows


def within_days(
    rows: QuerySet[Credential],
    now: datetime,
    *,
    used_within: int | None,
    unused_for: int | None,
    expires_within: int | None,
    last_used: QuerySet[Any, Any],
) -> QuerySet[Credential]:
    """Narrow credentials by days; ``last_used`` gives the last use of those that were used.

    Unused for so many days is what was issued before them and not used in them. What has ended ends no more.
    """
    # Looked up for each row that is gone through: an index of uses by time would be paid for by every use.
    last: Any = Subquery(last_used.filter(credential=OuterRef("id"))[:1])
    if used_within is not None:
        rows = rows.filter(GreaterThan(last, now - timedelta(days=used_within)))
    if unused_for is not None:
        since = now - timedelta(days=unused_for)
        rows = rows.filter(IsNull(last, True) | LessThanOrEqual(last, since), issued_at__lte=since)
    if expires_within is not None:
        rows = rows.filter(
            state="active", expires_at__gt=now, expires_at__lte=now + timedelta(days=expires_within)
        )
    return rows


def credential(organization_id: str, ident: str, kind: Kind, noun: str) -> Credential:
    """Return one credential of a kind, by its id or key id. Raises :class:`NotFound`."""
    rows = Credential.objects.filter(organization_id=organization_id, kind=kind.value)
    return _one(rows.filter(Q(id=ident) | Q(kid=ident)), noun, ident, False)


def without_permission(rows: Iterable[Credential]) -> set[str]:
    """Return those of these personal access tokens that are suspended, as their user may hold none now.

    Only such as their user issued, where the policy says so (``pat.on_permission_loss``); in a few queries.
    """
    bound = [row for row in rows if row.kind == Kind.PERSONAL and row.issued_by == row.principal_id]
    policies = {ident: policy_of(ident) for ident in {row.organization_id for row in bound}}
    bound = [row for row in bound if policies[row.organization_id].pat_on_permission_loss == "suspend"]
    users = principals(row.principal_id for row in bound if row.principal_id)
    held = access.holdings(list(users.values())) if bound else {}
    return {row.id for row in bound if PAT_ISSUE not in held[row.principal_id or ""].names}


def lacking_users(organization_id: str) -> set[str]:
    """Return the users whose personal access tokens are suspended, as they may hold none now."""
    if policy_of(organization_id).pat_on_permission_loss != "suspend":
        return set()
    own = Credential.objects.filter(
        organization_id=organization_id,
        kind=Kind.PERSONAL.value,
        state="active",
        issued_by=F("principal_id"),
    )
    users = list(Principal.objects.filter(id__in=own.values("principal_id")))
    held = access.holdings(users) if users else {}
    return {user.id for user in users if PAT_ISSUE not in held[user.id].names}


def personal_tokens(principal_id: str) -> QuerySet[Credential]:
    """Return the personal access tokens of a user, deleted ones left out."""
    rows = Credential.objects.filter(principal_id=principal_id, kind=Kind.PERSONAL.value)
    return rows.exclude(state="deleted")


def usable_tokens(user_ids: Iterable[str], now: datetime) -> dict[str, int]:
    """Return how many personal access tokens of each user have not ended, in one query; no entry is none."""
    rows = Credential.objects.filter(
        principal_id__in=list(user_ids), kind=Kind.PERSONAL.value, state="active"
    )
    for end in ("expires_at", "retires_at"):
        rows = rows.filter(Q(**{f"{end}__isnull": True}) | Q(**{f"{end}__gt": now}))
    return dict(rows.order_by().values_list("principal_id").annotate(Count("id")))


def personal_token(principal_id: str, ident: str, *, lock: bool = False) -> Credential:
    """Return one personal access token of a user. Raises :class:`NotFound`."""
    rows = personal_tokens(principal_id).filter(Q(id=ident) | Q(kid=ident))
    return _one(rows, "personal access token", ident, lock)


def node_credential(ident: str) -> Credential:
    """Return the credential of a node. Raises :class:`NotFound`."""
    return _one(Credential.objects.filter(kind=Kind.NODE.value, id=ident), "node credential", ident, False)


def by_ids(ids: Iterable[str]) -> dict[str, Credential]:
    """Return credentials by id, in one query."""
    return Credential.objects.in_bulk(list(set(ids)))


def ids_of_principal(organization_id: str, principal: str) -> QuerySet[Credential, Any]:
    """Return the ids of all credentials of a principal, ended and deleted ones too, as rows of one."""
    rows = Credential.objects.filter(organization_id=organization_id, principal_id=principal)
    return rows.order_by().values_list("id")


def known_kids(kids: Iterable[str]) -> set[str]:
    """Return those key ids that belong to a credential, in one query."""
    return set(Credential.objects.filter(kid__in=list(kids)).values_list("kid", flat=True))


def of_accounts(account_ids: Iterable[str]) -> dict[str, list[Credential]]:
    """Return the API keys of each account, deleted ones left out, the oldest first, in one query."""
    found: dict[str, list[Credential]] = {ident: [] for ident in account_ids}
    rows = Credential.objects.filter(principal_id__in=list(found)).exclude(state="deleted")
    for row in rows.order_by("issued_at", "id"):
        found[row.principal_id or ""].append(row)
    return found


def names(organization_id: str, ids: Iterable[str]) -> dict[str, str]:
    """Return the names of credentials of an organization by id, in one query; unknown ids are left out."""
    rows = Credential.objects.filter(organization_id=organization_id, id__in=set(ids))
    return dict(rows.values_list("id", "name"))


def _one(rows: QuerySet[Credential], noun: str, ident: str, lock: bool) -> Credential:
    if lock:
        found = rows.select_related(None).select_for_update(no_key=True).first()
    else:
        found = rows.select_related("principal", "organization").first()
    if found is None:
        raise NotFound(noun, ident)
    return found
