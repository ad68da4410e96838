"""Findings about credentials. Each function yields what it finds in the order of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.db.models import F, Q

from retinue.server.credentials import queries as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.credentials.rules import bounds
from retinue.server.governance import leaks
from retinue.server.governance.looking import AT_ONCE, Look
from retinue.server.governance.rules import (
    AUTOMATED_USES,
    BROWSER,
    DAY,
    DENIALS,
    OUT_OF_PLACE,
    RECENT,
    SHARED_NETWORKS,
    STALLED_SHARE,
    Found,
)
from retinue.server.traffic import queries as traffic
from retinue.token import Kind

#: The policy key behind a bound.
BOUND_BY = {
    "maximum": "expiry.max_days",
    "environment": "expiry.by_environment",
    "personal_maximum": "pat.max_days",
}


def _environment(row: Credential) -> str:
    return row.principal.environment if row.principal is not None else ""


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def idle_credential(look: Look) -> Iterator[Found]:
    """Usable credentials that were used, but not for the days of the policy."""
    long_ago = look.ago(lambda policy: [policy.idle_days])
    for rows in look.usable(Q(id__in=traffic.used_before(long_ago))):
        used = traffic.usage(row.id for row in rows)
        for row in rows:
            days = look.policy(_environment(row)).idle_days
            if days is None or row.id not in used:
                continue
            since = used[row.id].last_used_at + timedelta(days=days)
            if since <= look.now:
                evidence = {"last_used_at": _text(used[row.id].last_used_at), "uses": used[row.id].count}
                yield Found("idle_credential", row.id, since, evidence)


def never_used(look: Look) -> Iterator[Found]:
    """Usable credentials that were never used, though issued long ago."""
    long_ago = look.ago(lambda policy: [policy.idle_days])
    for rows in look.usable(Q(issued_at__lte=long_ago) & ~Q(id__in=traffic.used_credentials())):
        used = traffic.usage(row.id for row in rows)
        for row in rows:
            days = look.policy(_environment(row)).idle_days
            if days is None or row.id in used:
                continue
            since = row.issued_at + timedelta(days=days)
            if since <= look.now:
                yield Found("never_used", row.id, since, {"issued_at": _text(row.issued_at)})


def no_expiry(look: Look) -> Iterator[Found]:
    """Usable credentials without an end, where the policy asks for one."""
    for rows in look.usable(Q(expires_at__isnull=True)):
        for row in rows:
            if row.expires_at is None and look.policy(_environment(row)).expiry_required:
                yield Found("no_expiry", row.id, row.issued_at)


def _lasting(look: Look) -> Q:
    """Return the condition of what may live longer than the policy of any environment allows."""
    found = Q(expires_at__isnull=True)
    for policy in look.policies():
        bounds = [(Q(), policy.expiry_max_days), (Q(kind=Kind.PERSONAL.value), policy.pat_max_days)]
        bounds += [(Q(principal__environment=of), days) for of, days in policy.expiry_by_environment.items()]
        for whose, days in bounds:
            if days is not None:
                found |= whose & Q(expires_at__gt=F("issued_at") + timedelta(days=days))
    return found


def policy_violation(look: Look) -> Iterator[Found]:
    """Usable credentials that live longer than the policy allows to those issued now."""
    for rows in look.usable(_lasting(look)):
        for row in rows:
            environment = _environment(row)
            bound = bounds(look.policy(environment), Kind(row.kind), environment)
            if bound.most is None or (row.expires_at is None and bound.may_never_end):
                continue
            latest = row.issued_at + timedelta(days=bound.most)
            if row.expires_at is None or row.expires_at > latest:
                evidence = {
                    "key": BOUND_BY[bound.because],
                    "allows": bound.most,
                    "expires_at": _text(row.expires_at),
                }
                yield Found("policy_violation", row.id, row.issued_at, evidence)


def expires_soon(look: Look) -> Iterator[Found]:
    """Credentials in use that end within the first warning and have no successor."""
    horizon = look.now + timedelta(days=max(look.days(lambda policy: policy.expiry_warn_days), default=0))
    for rows in look.usable(Q(expires_at__lte=horizon)):
        used = traffic.usage(row.id for row in rows)
        for row in rows:
            ends, warn = row.expires_at, look.policy(_environment(row)).expiry_warn_days
            if ends is None or row.rotated_to or row.id not in used or not warn:
                continue
            since = max(ends - timedelta(days=max(warn)), row.issued_at)
            if since <= look.now:
                evidence = {
                    "expires_at": _text(ends),
                    "last_used_at": _text(used[row.id].last_used_at),
                }
                yield Found("expires_soon", row.id, since, evidence)


def rotation_due(look: Look) -> Iterator[Found]:
    """Credentials whose time to be rotated has come, and that were not."""
    for rows in look.usable(Q(rotate_by__lte=look.now)):
        for row in rows:
            if row.rotate_by is not None and row.rotate_by <= look.now and not row.rotated_to:
                yield Found("rotation_due", row.id, row.rotate_by, {"expires_at": _text(row.expires_at)})


def rotation_stalled(look: Look) -> Iterator[Found]:
    """Retiring credentials whose successor is not used although most of the overlap is over."""
    for rows in look.usable(Q(retires_at__isnull=False)):
        retiring = [row for row in rows if row.retires_at is not None and row.rotated_to]
        successors = credentials.by_ids(row.rotated_to for row in retiring)
        used = traffic.usage(successors)
        for row in retiring:
            successor, retires = successors.get(row.rotated_to), row.retires_at
            if successor is None or retires is None or successor.id in used:
                continue
            since = successor.issued_at + (retires - successor.issued_at) * STALLED_SHARE
            if since <= look.now:
                evidence = {"retires_at": _text(retires), "successor": successor.id}
                yield Found("rotation_stalled", row.id, since, evidence)


def expired_in_use(look: Look) -> Iterator[Found]:
    """Expired credentials that somebody still presents."""
    return _denied(look, "expired_in_use", {"credential_expired"}, look.now - RECENT, 1)


def repeated_denials(look: Look) -> Iterator[Found]:
    """Credentials whose calls are denied again and again, for whatever reason."""
    return _denied(look, "repeated_denials", None, look.now - DAY, DENIALS)


def unexpected_use(look: Look) -> Iterator[Found]:
    """Credentials that were tried where they are refused, and keys that a browser used last."""
    since = look.now - RECENT
    denied = look.denials(OUT_OF_PLACE, since=since, by="credential")
    rows = Credential.objects.filter(
        organization_id=look.organization,
        kind=Kind.API_KEY.value,
        state="active",
        id__in=traffic.used_by(BROWSER, since),
    )
    used = traffic.usage(look.held(rows).values_list("id", flat=True))
    for subject in look.of_these(denied.keys() | used.keys()):
        begun = [denied[subject].first] if subject in denied else []
        evidence = denied[subject].evidence() if subject in denied else {}
        if subject in used:
            begun.append(used[subject].last_used_at)
            evidence["client"] = used[subject].last_client
        yield Found("unexpected_use", subject, min(begun), evidence)


def leaked(look: Look) -> Iterator[Found]:
    """Credentials whose token was found and reported, until they are deleted."""
    reported = look.of_these(leaks.leaked(look.organization))
    since, reasons = look.now - RECENT, {"credential_revoked"}
    denied = look.denials(reasons, since=since, by="credential") if reported else {}
    for start in range(0, len(reported), AT_ONCE):
        some = reported[start : start + AT_ONCE]
        reports, held = leaks.of(look.organization, some), credentials.by_ids(some)
        for subject in some:
            if held[subject].state == "deleted":
                continue
            first, last = reports[subject][0], reports[subject][-1]
            evidence = {"reports": len(reports[subject]), "source": last.source, "url": last.url}
            if subject in denied:
                evidence |= denied[subject].evidence()
            yield Found("leaked", subject, first.reported_at, evidence)


def _denied(
    look: Look, kind: str, reasons: Collection[str] | None, since: datetime, least: int
) -> Iterator[Found]:
    denied = look.denials(reasons, since=since, by="credential")
    for subject in look.of_these(denied):
        if denied[subject].count >= least:
            yield Found(kind, subject, denied[subject].first, denied[subject].evidence())


def shared_token(look: Look) -> Iterator[Found]:
    """Credentials that several networks used within a day: one token, several callers."""
    for rows in look.usable(Q(id__in=traffic.seen_after(look.now - DAY, networks=SHARED_NETWORKS))):
        origins = traffic.origins(row.id for row in rows)
        for row in rows:
            recent = [each for each in origins[row.id] if each.last_used_at > look.now - DAY]
            if len(recent) >= SHARED_NETWORKS:
                since = sorted(each.last_used_at for each in recent)[SHARED_NETWORKS - 1]
                networks = {"networks": [each.network for each in recent]}
                yield Found("shared_token", row.id, since, networks)


def new_network(look: Look) -> Iterator[Found]:
    """Credentials with a history that a network used for the first time in the last days."""
    for rows in look.usable(Q(id__in=traffic.first_seen_after(look.now - RECENT))):
        origins = traffic.origins(row.id for row in rows)
        for row in rows:
            fresh = [each for each in origins[row.id] if each.first_used_at > look.now - RECENT]
            if fresh and len(fresh) < len(origins[row.id]):
                since = min(each.first_used_at for each in fresh)
                yield Found("new_network", row.id, since, {"networks": [each.network for each in fresh]})


def pat_in_production(look: Look) -> Iterator[Found]:
    """Personal access tokens that a program uses, by how often; where the policy warns of them."""
    if not look.policy().pat_production_warning:
        return
    for rows in look.usable(Q(kind=Kind.PERSONAL.value)):
        personal = [row for row in rows if row.kind == Kind.PERSONAL.value]
        used = traffic.usage(row.id for row in personal)
        for row in personal:
            use = used.get(row.id)
            if use is not None and use.count >= AUTOMATED_USES and use.last_used_at > look.now - RECENT:
                evidence = {"uses": use.count, "last_used_at": _text(use.last_used_at)}
                yield Found("pat_in_production", row.id, use.first_used_at, evidence)
