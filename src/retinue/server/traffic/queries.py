"""Reads of traffic: the request log, and when credentials were last used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import Count, Max, Min, QuerySet, Sum

from retinue.server.credentials.queries import by_ids
from retinue.server.policies import remembering
from retinue.server.prepared import Prepared
from retinue.server.traffic.models import Exercise, Origin, Request, SpoolProgress, Usage

__all__ = [
    "Denials",
    "Exercise",
    "Origin",
    "Request",
    "Usage",
    "denials",
    "exercised",
    "holder",
    "holders",
    "last_used_by_account",
    "missing",
    "origins",
    "requests",
    "usage",
    "used_by",
    "used_credentials",
]


#: Ids in one statement: SQLite takes a limited number.
_AT_ONCE = 10_000
#: An account with more credentials than these, revoked ones included, is asked about in another way.
_FEW = 500


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
        account = holder(credential)
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


def holder(credential: str) -> str:
    """Return the account of a credential, as records tell it; empty for one that is not known.

    By the index of accounts a credential's records are found: one of its own every record would pay for.
    """
    return holders([credential]).get(credential, "")


def holders(credentials: Sequence[str]) -> dict[str, str]:
    """Return the account of each credential that is known, as records tell it."""
    held = by_ids(credentials)
    return {ident: each.principal_id or each.organization_id for ident, each in held.items()}


_USAGE = Prepared(lambda *ids: Usage.objects.filter(credential__in=ids))


def usage(credential_ids: Iterable[str], holders: Iterable[str] = ()) -> dict[str, Usage]:
    """Return the counters of those credentials that were used, in one query.

    ``holders`` are all who hold them: where this read knows every use of theirs, there is no query.
    """
    holders = set(holders)
    if holders and _read_whole().issuperset(holders):
        return remembering.by_id("usage", credential_ids, lambda _unused: {})
    return remembering.by_id("usage", credential_ids, _counters)


def _counters(credential_ids: Iterable[str]) -> dict[str, Usage]:
    return {each.credential: each for each in _USAGE.any_of(credential_ids)}


def used_by(client: str, since: datetime) -> QuerySet[Usage, Any]:
    """Return the ids of credentials last used since then, by a client whose name begins so; for a query."""
    return Usage.objects.filter(last_client__startswith=client, last_used_at__gt=since).values("credential")


def accounts_used_after(since: datetime) -> QuerySet[Usage, Any]:
    """Return the ids of the accounts that were used since then, for a query over accounts."""
    return Usage.objects.filter(last_used_at__gt=since).values("account")


def used_before(since: datetime) -> QuerySet[Usage, Any]:
    """Return the ids of the credentials last used before then, for a query over credentials."""
    return Usage.objects.filter(last_used_at__lte=since).values("credential")


def seen_after(since: datetime, networks: int) -> QuerySet[Origin, Any]:
    """Return the ids of the credentials that so many networks used since then, for a query over those."""
    counted = (
        Origin.objects.filter(last_used_at__gt=since).values("credential").annotate(seen=Count("network"))
    )
    return counted.filter(seen__gte=networks).values("credential")


def first_seen_after(since: datetime) -> QuerySet[Origin, Any]:
    """Return the ids of the credentials that a network used first since then, for a query over those."""
    return Origin.objects.filter(first_used_at__gt=since, last_used_at__gt=since).values("credential")


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
    ids = list(set(account_ids))
    if len(ids) == 1 and (used := _whole(ids[0])) is not None:
        return {ids[0]: max(row.last_used_at for row in used)} if used else {}
    rows = Usage.objects.filter(account__in=ids).values("account")
    return {row["account"]: row["last"] for row in rows.annotate(last=Max("last_used_at"))}


def _read_whole() -> set[str]:
    """Return the accounts of which the present read knows the use of every credential."""
    return remembering.once("usage by account", set)


def _whole(account_id: str) -> list[Usage] | None:
    """Return the use of every credential of an account, and remember it; ``None`` for too many."""
    found = list(Usage.objects.filter(account=account_id)[: _FEW + 1])
    if len(found) > _FEW:
        return None
    remembering.learn("usage", {row.credential: row for row in found})
    _read_whole().add(account_id)
    return found


def exercised(account_ids: Iterable[str]) -> dict[str, dict[str, datetime]]:
    """Return when each account last used each permission that it ever used, in one query."""
    found: dict[str, dict[str, datetime]] = {ident: {} for ident in account_ids}
    rows = Exercise.objects.filter(account__in=list(found))
    for account, permission, last in rows.values_list("account", "permission", "last_used_at"):
        found[account][permission] = last
    return found


def origins(credential_ids: Iterable[str]) -> dict[str, list[Origin]]:
    """Return the networks that each credential was used from, the latest first, in one query."""
    return remembering.by_id("origins", credential_ids, _origins)


def _origins(credential_ids: list[str]) -> dict[str, list[Origin]]:
    found: dict[str, list[Origin]] = {ident: [] for ident in credential_ids}
    for row in Origin.objects.filter(credential__in=list(found)).order_by("-last_used_at", "network"):
        found[row.credential].append(row)
    return found


@dataclass(frozen=True, slots=True)
class Denials:
    """How often calls were denied, first and last."""

    count: int
    first: datetime
    last: datetime

    def beside(self, other: Denials) -> Denials:
        """Return both together."""
        return Denials(self.count + other.count, min(self.first, other.first), max(self.last, other.last))

    def evidence(self) -> dict[str, Any]:
        """Return what a finding says about them."""
        return {"denied": self.count, "last_denied_at": self.last.isoformat()}


def denials(
    organization_id: str,
    reasons: Collection[str] | None,
    *,
    since: datetime,
    by: Literal["account", "credential"],
    accounts: frozenset[str] | None = None,
) -> dict[str, Denials]:
    """Return the denials since an instant by account or credential, for some reasons or any."""
    rows = requests(organization_id, decision="denied", since=since)
    if accounts is not None:
        rows = rows.filter(account__in=accounts)
    counted = rows.values("account", "credential", "reason").order_by()
    counted = counted.annotate(count=Count("id"), first=Min("at"), last=Max("at"))
    found: dict[str, Denials] = {}
    for row in remembering.once(("denials", organization_id, since, accounts), lambda: list(counted)):
        if row[by] and (reasons is None or row["reason"] in reasons):
            other = Denials(row["count"], row["first"], row["last"])
            found[row[by]] = found[row[by]].beside(other) if row[by] in found else other
    return dict(sorted(found.items()))
