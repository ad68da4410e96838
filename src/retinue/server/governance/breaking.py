"""What a stricter policy would break in an organization, key by key.

A dry run. Only the keys that a change touches are asked about; nothing is written.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from retinue.server.access import queries as access
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.directory.rules import fold
from retinue.server.governance.stock import FINDING, REFUSED, Broken, Stock
from retinue.server.policies import rules
from retinue.server.policies.keys import KEYS
from retinue.server.policies.rules import Compiled
from retinue.token import Kind


def broken(organization: str, before: Compiled, after: Compiled, now: datetime) -> list[Broken]:
    """Return what a change from ``before`` to ``after`` would break, key by key."""
    changed = {name if name in KEYS else name.split(".", 2)[2] for name in rules.changed(before, after)}
    stock = Stock(organization, before, after, now)
    found = [each for keys, check in _CHECKS if changed.intersection(keys) for each in check(stock)]
    return list(dict.fromkeys(found))


def _required(stock: Stock) -> Iterator[Broken]:
    wanted = set(stock.after.policy.accounts_required) - set(stock.before.policy.accounts_required)
    owners = directory.owners_of(row.id for row in stock.accounts) if "owner" in wanted else {}
    for row in stock.accounts:
        stated = {
            "owner": bool(owners.get(row.id)),
            "role": bool(stock.roles[row.id]),
            "systems": bool(row.systems),
            **{each: bool(getattr(row, each).strip()) for each in ("purpose", "description", "environment")},
        }
        missing = sorted(each for each in wanted if not stated.get(each, True))
        if missing:
            yield stock.account(row, "accounts.required", FINDING, f"states no {', '.join(missing)}")


def _unique_names(stock: Stock) -> Iterator[Broken]:
    if stock.after.policy.accounts_unique != "name":
        return
    taken = Counter(fold(row.name) for row in stock.accounts)
    for row in stock.accounts:
        if taken[fold(row.name)] > 1:
            yield stock.account(row, "accounts.unique", FINDING, "another account has the same name")


def _most_accounts(stock: Stock) -> Iterator[Broken]:
    most = stock.after.policy.accounts_max
    if most is not None and len(stock.accounts) > most:
        why = f"{len(stock.accounts)} service accounts, {most} allowed: no further one can be created"
        yield Broken("accounts.max", "organization", stock.organization, "", FINDING, why)


def _most_keys(stock: Stock) -> Iterator[Broken]:
    most = stock.after.policy.credentials_max_usable
    held = Counter(row.principal_id for row in stock.api_keys())
    for row in stock.accounts:
        if most is not None and held[row.id] > most:
            why = f"{held[row.id]} usable keys, {most} allowed: no further one can be issued"
            yield stock.account(row, "credentials.max_usable", FINDING, why)


def _unnamed(stock: Stock) -> Iterator[Broken]:
    if not stock.after.policy.credentials_name.required:
        return
    for row in stock.api_keys():
        if not row.name.strip():
            yield stock.credential(row, "credentials.name", FINDING, "has no name")


def _lifetimes(stock: Stock) -> Iterator[Broken]:
    for row in stock.credentials:
        policy = stock.after_for(row.principal)
        ends = [policy.expiry_max_days]
        if row.principal is not None and row.principal.environment:
            ends.append(policy.expiry_by_environment.get(row.principal.environment))
        most = min((each for each in ends if each is not None), default=None)
        if row.expires_at is None and (policy.expiry_required or most is not None):
            yield stock.credential(row, "expiry.required", FINDING, "never expires")
        elif row.expires_at is not None and most is not None:
            life = row.expires_at - row.issued_at
            if life > timedelta(days=most):
                why = f"issued for {life.days} days, {most} allowed"
                yield stock.credential(row, "expiry.max_days", FINDING, why)


def _rhythm(stock: Stock) -> Iterator[Broken]:
    for row in stock.api_keys():
        every = stock.after_for(row.principal).rotation_every_days
        if every is not None and stock.now - row.issued_at > timedelta(days=every):
            yield stock.credential(row, "rotation.every_days", FINDING, f"older than {every} days")


def _idle(stock: Stock) -> Iterator[Broken]:
    for row in stock.accounts:
        policy = stock.after_for(row)
        if policy.idle_action != "disable" or policy.idle_days is None or row.state != "enabled":
            continue
        used = stock.used_by_account.get(row.id, row.created_at)
        if stock.now - used > timedelta(days=policy.idle_days):
            yield stock.account(row, "idle.action", REFUSED, f"unused for more than {policy.idle_days} days")


def _sources(stock: Stock) -> Iterator[Broken]:
    gone = set(stock.before.policy.grants_sources) - set(stock.after.policy.grants_sources)
    grants = access.granted([row.id for row in stock.accounts]) if "direct" in gone else {}
    for row in stock.accounts:
        if grants.get(row.id):
            why = f"{len(grants[row.id])} direct grants have no effect any more"
            yield stock.account(row, "grants.sources", REFUSED, why)
        if "role" in gone and stock.roles[row.id]:
            why = f"roles have no effect any more: {', '.join(stock.roles[row.id])}"
            yield stock.account(row, "grants.sources", REFUSED, why)


def _role_counts(stock: Stock) -> Iterator[Broken]:
    allowed = stock.after.policy.grants_roles_per_account
    for row in stock.accounts:
        held = len(stock.roles[row.id])
        if held < allowed.min or (allowed.max is not None and held > allowed.max):
            most = "any number" if allowed.max is None else allowed.max
            why = f"holds {held} roles, {allowed.min} to {most} allowed"
            yield stock.account(row, "grants.roles_per_account", FINDING, why)


def _forbidden(stock: Stock) -> Iterator[Broken]:
    old, new = stock.before.policy.forbidden_for_service, stock.after.policy.forbidden_for_service
    banned = set(new.permissions) - set(old.permissions)
    held = access.holdings(stock.accounts) if banned else {}
    for row in stock.accounts:
        lost = sorted(held[row.id].names & banned) if held else []
        if lost:
            yield stock.account(row, "forbidden_for_service", REFUSED, f"loses {', '.join(lost)}")
        roles = sorted(set(stock.roles[row.id]) & (set(new.roles) - set(old.roles)))
        if roles:
            yield stock.account(row, "forbidden_for_service", REFUSED, f"loses the role {', '.join(roles)}")


def _personal(stock: Stock) -> Iterator[Broken]:
    if not stock.after.policy.pat_enabled:
        for row in stock.personal():
            yield stock.credential(row, "pat.enabled", REFUSED, "personal access tokens are switched off")


def _most_personal(stock: Stock) -> Iterator[Broken]:
    most, days = stock.after.policy.pat_max_usable, stock.after.policy.pat_max_days
    by_user: dict[str, list[Credential]] = defaultdict(list)
    for row in stock.personal():
        by_user[row.principal_id or ""].append(row)
        if days is not None and (
            row.expires_at is None or row.expires_at - row.issued_at > timedelta(days=days)
        ):
            yield stock.credential(row, "pat.max_days", FINDING, f"lives longer than {days} days")
    for rows in by_user.values():
        if most is not None and len(rows) > most and rows[0].principal is not None:
            why = f"{len(rows)} usable tokens, {most} allowed: no further one can be issued"
            yield stock.account(rows[0].principal, "pat.max_usable", FINDING, why)


def _ingest(stock: Stock) -> Iterator[Broken]:
    if not stock.after.policy.ingest_enabled:
        for row in stock.credentials:
            if row.kind == Kind.INGEST.value:
                yield stock.credential(row, "ingest.enabled", REFUSED, "ingest tokens are switched off")


def _schemes(stock: Stock) -> Iterator[Broken]:
    gone = sorted(set(stock.before.policy.credentials_schemes) - set(stock.after.policy.credentials_schemes))
    for row in stock.credentials if gone else ():
        if row.id in stock.usage:
            why = f"is in use, and refused where it is presented as {', '.join(gone)}"
            yield stock.credential(row, "credentials.schemes", REFUSED, why)


def _network(stock: Stock) -> Iterator[Broken]:
    for row in stock.credentials:
        used = stock.usage.get(row.id)
        if used is None or not used.last_address:
            continue
        network = stock.after_for(row.principal).network
        inside = not network.allow or _within(used.last_address, network.allow)
        if not inside or _within(used.last_address, network.deny):
            why = f"was last used from {used.last_address}, which is not allowed"
            yield stock.credential(row, "network", REFUSED, why)


def _within(address: str, networks: Iterable[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(each) for each in networks)


_Check = Callable[[Stock], Iterable[Broken]]
_CHECKS: tuple[tuple[tuple[str, ...], _Check], ...] = (
    (("accounts.required",), _required),
    (("accounts.unique",), _unique_names),
    (("accounts.max",), _most_accounts),
    (("credentials.max_usable",), _most_keys),
    (("credentials.name",), _unnamed),
    (("expiry.required", "expiry.max_days", "expiry.by_environment"), _lifetimes),
    (("rotation.every_days",), _rhythm),
    (("idle.days", "idle.action"), _idle),
    (("grants.sources",), _sources),
    (("grants.roles_per_account",), _role_counts),
    (("forbidden_for_service",), _forbidden),
    (("pat.enabled",), _personal),
    (("pat.max_usable", "pat.max_days"), _most_personal),
    (("ingest.enabled",), _ingest),
    (("credentials.schemes",), _schemes),
    (("network",), _network),
)
