"""How often what was decided: whole hours from the rollup, what is left at both ends from the records.

Each answer is one statement, so it never counts a record twice, or not, that is stored or deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from django.db import connection
from django.db.models import Count, F, IntegerField, Q, QuerySet, Sum, TextField, Value
from django.db.models.functions import Cast, Coalesce, Substr, TruncDay, TruncHour, TruncMinute

from retinue.server.traffic import rollup
from retinue.server.traffic.models import CredentialHour, OrganizationHour, Request
from retinue.server.traffic.queries import holder, holders, requests

Unit = Literal["minute", "hour", "day"]
By = Literal["account", "credential"]
#: So many characters of an instant, as SQLite has it, name its minute, hour or day.
_WRITTEN = {"minute": 16, "hour": 13, "day": 10}
_UNITS: dict[str, Any] = {"minute": TruncMinute, "hour": TruncHour, "day": TruncDay}
_Rows = QuerySet[Any, Any]
_Span = tuple[datetime, datetime | None]
_LAST = datetime.max.replace(tzinfo=UTC) - rollup.HOUR


def timeline(
    organization_id: str,
    since: datetime,
    until: datetime,
    unit: Unit,
    *,
    account: str | None = None,
    credential: str | None = None,
    decision: str | None = None,
    reason: str | None = None,
) -> dict[datetime, tuple[int, int]]:
    """Return (allowed, denied) of each minute, hour or day in which something was decided."""
    if account is None and credential is not None:
        account = holder(credential)
    whole, rest = _split(since, until)
    # Not known by hours: minutes, and the reasons of one account, which are few and have an index.
    if unit == "minute" or (reason is not None and account is not None):
        whole, rest = None, [(since, until)]
    narrowed: dict[str, Any] = {"account": account, "credential": credential}
    parts = [
        _counted(
            requests(organization_id, decision=decision, reason=reason, since=begin, until=end, **narrowed),
            unit,
        )
        for begin, end in rest
    ]
    if whole is not None and account is None:
        parts.append(_by_reason(_within(OrganizationHour, organization_id, whole), unit, decision, reason))
    elif whole is not None:
        hours = _within(CredentialHour, organization_id, whole).filter(account=account)
        hours = hours if credential is None else hours.filter(credential=credential)
        parts.append(_by_decision(hours, unit, decision))
    found: dict[datetime, tuple[int, int]] = {}
    for begin, allowed, denied in _together(parts):
        _add(found, begin, allowed, denied)
    return found


def spread(
    organization_id: str,
    idents: Sequence[str],
    since: datetime,
    until: datetime | None,
    unit: Unit,
    *,
    by: By,
    account: str | None = None,
) -> dict[str, dict[datetime, tuple[int, int]]]:
    """Return (allowed, denied) of each hour or day that has any, for each of some accounts or credentials.

    ``account`` is who holds all of the credentials, if one does.
    """
    whose = _whose(idents, by, account)
    whole, rest = _split(since, until)
    parts = [
        _counted(requests(organization_id, since=begin, until=end).filter(**whose), unit, by)
        for begin, end in rest
    ]
    if whole is not None:
        hours = _within(CredentialHour, organization_id, whole).filter(**whose)
        parts.append(_by_decision(hours, unit, None, by))
    found: dict[str, dict[datetime, tuple[int, int]]] = {ident: {} for ident in idents}
    for ident, begin, allowed, denied in _together(parts):
        _add(found[ident], begin, allowed, denied)
    return found


def decided(organization_id: str, since: datetime) -> dict[tuple[bool, str], int]:
    """Return how often was allowed and, for each reason, denied something since an instant."""
    whole, rest = _split(since, None)
    parts: list[_Rows] = [
        requests(organization_id, since=begin, until=end)
        .order_by()
        .values("allowed", "reason")
        .annotate(n=Count("id"))
        .values_list("allowed", "reason", "n")
        for begin, end in rest
    ]
    if whole is not None:
        hours = _within(OrganizationHour, organization_id, whole).values("allowed", "reason")
        parts.append(hours.annotate(n=Sum("count")).values_list("allowed", "reason", "n"))
    found: dict[tuple[bool, str], int] = {}
    for allowed, reason, count in _together(parts):
        found[bool(allowed), reason] = found.get((bool(allowed), reason), 0) + int(count)
    return found


def uses(
    organization_id: str, idents: Sequence[str], *, since: datetime, by: By, account: str | None = None
) -> dict[str, int]:
    """Return how often accounts or credentials were allowed something since an instant.

    ``account`` is who holds all of the credentials, if one does.
    """
    (found,) = _uses(organization_id, idents, (since,), by, account)
    return found


def uses_since(
    organization_id: str, ident: str, *instants: datetime, by: By, account: str | None = None
) -> list[int]:
    """Return how often an account or credential was allowed something since each instant."""
    return [each.get(ident, 0) for each in _uses(organization_id, [ident], instants, by, account)]


def _uses(
    organization_id: str, idents: Sequence[str], instants: Sequence[datetime], by: By, account: str | None
) -> list[dict[str, int]]:
    whose = _whose(idents, by, account)
    parts: list[_Rows] = []
    for place, since in enumerate(instants):
        which = Value(place, output_field=IntegerField())
        whole, rest = _split(since, None)
        for begin, end in rest:
            records = requests(organization_id, decision="allowed", since=begin, until=end)
            counted = records.filter(**whose).order_by().values(by).annotate(n=Count("id"), which=which)
            parts.append(counted.values_list("which", by, "n"))
        if whole is not None:
            hours = _within(CredentialHour, organization_id, whole).filter(**whose, allowed__gt=0)
            summed = hours.values(by).annotate(n=Sum("allowed"), which=which)
            parts.append(summed.values_list("which", by, "n"))
    found: list[dict[str, int]] = [{} for _ in instants]
    for place, ident, count in _together(parts):
        found[place][ident] = found[place].get(ident, 0) + int(count)
    return found


def _whose(idents: Sequence[str], by: By, account: str | None) -> dict[str, list[str]]:
    """Return the condition for records of these: always by accounts, which have an index."""
    if by == "account":
        return {"account__in": list(idents)}
    accounts = sorted(set(holders(idents).values())) if account is None else [account]
    return {"account__in": accounts, "credential__in": list(idents)}


def _split(since: datetime, until: datetime | None) -> tuple[_Span | None, list[_Span]]:
    """Return the whole hours between two instants, if any, and what is left before and after them."""
    if since > _LAST:
        return None, [(since, until)]
    first, last = rollup.end(since), None if until is None else rollup.begin(until)
    if last is not None and first >= last:
        return None, [(since, until)]
    rest: list[_Span] = [(since, first)] if since < first else []
    if last is not None and until is not None and last < until:
        rest.append((last, until))
    return (first, last), rest


def _within(model: type[OrganizationHour | CredentialHour], organization_id: str, whole: _Span) -> _Rows:
    first, last = whole
    hours: _Rows = model._default_manager.filter(organization=organization_id, hour__gte=first).order_by()
    return hours if last is None else hours.filter(hour__lt=last)


def _together(parts: Sequence[_Rows]) -> _Rows:
    """Return the rows of all parts, of one statement: they agree about what there is."""
    return parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]


def _counted(records: QuerySet[Request], unit: Unit, *by: str) -> _Rows:
    counted = records.order_by().annotate(begin=_beginning("at", unit)).values(*by, "begin")
    yes, no = Count("id", filter=Q(allowed=True)), Count("id", filter=Q(allowed=False))
    rows: _Rows = counted.annotate(yes=yes, no=no).values_list(*by, "begin", "yes", "no")
    return rows


def _by_reason(hours: _Rows, unit: Unit, decision: str | None, reason: str | None) -> _Rows:
    if decision is not None:
        hours = hours.filter(allowed=decision == "allowed")
    if reason is not None:
        hours = hours.filter(allowed=False, reason=reason)
    counted = hours.order_by().annotate(begin=_beginning("hour", unit)).values("begin")
    yes = Coalesce(Sum("count", filter=Q(allowed=True)), 0)
    no = Coalesce(Sum("count", filter=Q(allowed=False)), 0)
    rows: _Rows = counted.annotate(yes=yes, no=no).values_list("begin", "yes", "no")
    return rows


def _by_decision(hours: _Rows, unit: Unit, decision: str | None, *by: str) -> _Rows:
    counted = hours.order_by().annotate(begin=_beginning("hour", unit)).values(*by, "begin")
    nothing = Value(0)
    yes = Sum(nothing if decision == "denied" else F("allowed"))
    no = Sum(nothing if decision == "allowed" else F("denied"))
    rows: _Rows = counted.annotate(yes=yes, no=no).values_list(*by, "begin", "yes", "no")
    return rows


def _beginning(column: str, unit: Unit) -> Any:
    if connection.vendor == "sqlite":  # instants are texts; a function of Python for each would take seconds
        return Substr(Cast(column, TextField()), 1, _WRITTEN[unit])
    return _UNITS[unit](column)


def _add(found: dict[datetime, tuple[int, int]], begin: datetime | str, allowed: int, denied: int) -> None:
    if allowed or denied:
        at = _begin(begin)
        before = found.get(at, (0, 0))
        found[at] = (before[0] + int(allowed), before[1] + int(denied))


def _begin(found: datetime | str) -> datetime:
    if isinstance(found, datetime):
        return found
    text = found + (":00" if len(found) == _WRITTEN["hour"] else "")
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
