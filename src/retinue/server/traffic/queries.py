"""Reads of traffic: the request log, and when credentials were last used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import Count, Max, Min, QuerySet, Sum

from retinue.server.credentials.queries import by_ids
from retinue.server.traffic.models import Exercise, Origin, Request, SpoolProgress, Usage

__all__ = [
    "Denials",
    "Exercise",
    "Origin",
    "Request",
    "Usage",
    "denials",
    "exercised",
    "last_used_by_account",
    "missing",
    "origins",
    "requests",
    "usage",
    "used_credentials",
    "uses",
]


#: Ids in one statement: SQLite takes a limited number.
_AT_ONCE = 10_000


def requests(
    organization_id: str,
    *,
    account: str | None = None,
    credential: str | None = None,
    decision: str | None = None,
    reason: str | None = None,
    request_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Request]:
    """Return the decisions of an organization; the caller orders them by ``(-at, -id)``."""
    rows = Request.objects.filter(organization=organization_id)
    if account is None and credential is not None:
        # By the index of its account: there is none of credentials, which every record would pay for.
        held = by_ids([credential]).get(credential)
        account = "" if held is None else held.principal_id or held.organization_id
    if account is not None:
        rows = rows.filter(account=account)
    if credential is not None:
        rows = rows.filter(credential=credential)
    if decision is not None:
        rows = rows.filter(allowed=decision == "allowed")
    if reason is not None:
        rows = rows.filter(reason=reason, allowed=False)
    if request_id is not None:
        rows = rows.filter(request_id=request_id)
    if since is not None:
        rows = rows.filter(at__gte=since)
    if until is not None:
        rows = rows.filter(at__lt=until)
    return rows


def usage(credential_ids: Iterable[str]) -> dict[str, Usage]:
    """Return the counters of those credentials that were used, in one query."""
    return Usage.objects.in_bulk(list(set(credential_ids)))


def used_credentials() -> QuerySet[Usage, Any]:
    """Return the ids of the credentials that were used, for a query over credentials."""
    return Usage.objects.values("credential")


def last_used() -> QuerySet[Usage, Any]:
    """Return the last use of each credential that was used, for a query over credentials."""
    return Usage.objects.values("last_used_at")


def used_within(credential_ids: Sequence[str], since: datetime) -> int:
    """Return how many of these credentials were used since an instant."""
    used = 0
    for start in range(0, len(credential_ids), _AT_ONCE):
        part = credential_ids[start : start + _AT_ONCE]
        used += Usage.objects.filter(credential__in=part, last_used_at__gt=since).count()
    return used


def missing(nodes: Iterable[str]) -> dict[str, int]:
    """Return how many entries of the request log of each node never arrived, if any, in one query."""
    rows = SpoolProgress.objects.filter(node__in=list(nodes), missing__gt=0).values("node")
    return {row["node"]: row["lost"] for row in rows.annotate(lost=Sum("missing"))}


def last_used_by_account(account_ids: Iterable[str]) -> dict[str, datetime]:
    """Return the last allowed use of each account that was used, in one query."""
    rows = Usage.objects.filter(account__in=list(set(account_ids))).values("account")
    return {row["account"]: row["last"] for row in rows.annotate(last=Max("last_used_at"))}


def exercised(account_ids: Iterable[str]) -> dict[str, dict[str, datetime]]:
    """Return when each account last used each permission that it ever used, in one query."""
    found: dict[str, dict[str, datetime]] = {ident: {} for ident in account_ids}
    rows = Exercise.objects.filter(account__in=list(found))
    for account, permission, last in rows.values_list("account", "permission", "last_used_at"):
        found[account][permission] = last
    return found


def origins(credential_ids: Iterable[str]) -> dict[str, list[Origin]]:
    """Return the networks that each credential was used from, the latest first, in one query."""
    found: dict[str, list[Origin]] = {ident: [] for ident in credential_ids}
    for row in Origin.objects.filter(credential__in=list(found)).order_by("-last_used_at", "network"):
        found[row.credential].append(row)
    return found


def uses(
    organization_id: str, idents: Sequence[str], *, since: datetime, by: Literal["account", "credential"]
) -> dict[str, int]:
    """Return how often accounts or credentials were allowed something since an instant, in one query."""
    rows = requests(organization_id, decision="allowed", since=since).filter(**{f"{by}__in": list(idents)})
    return {row[by]: row["count"] for row in rows.values(by).annotate(count=Count("id"))}


@dataclass(frozen=True, slots=True)
class Denials:
    """How often calls were denied, first and last."""

    count: int
    first: datetime
    last: datetime

    def evidence(self) -> dict[str, Any]:
        """Return what a finding says about them."""
        return {"denied": self.count, "last_denied_at": self.last.isoformat()}


def denials(
    organization_id: str, reason: str | None, *, since: datetime, by: Literal["account", "credential"]
) -> dict[str, Denials]:
    """Return the denials since an instant by account or credential, for one reason or (``None``) any."""
    rows = requests(organization_id, decision="denied", since=since).exclude(**{by: ""})
    if reason is not None:
        rows = rows.filter(reason=reason)
    counted = rows.values(by).annotate(count=Count("id"), first=Min("at"), last=Max("at")).order_by(by)
    return {row[by]: Denials(row["count"], row["first"], row["last"]) for row in counted}
