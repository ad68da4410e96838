"""What a stricter policy would break in an organization, key by key.

A dry run. Only the keys that a change touches are asked about; nothing is written.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from retinue.server.access import queries as access
from retinue.server.credentials import rules as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.directory.rules import fold
from retinue.server.governance.stock import FINDING, REFUSED, SHORTENED, Broken, Stock
from retinue.server.policies import rules
from retinue.server.policies.keys import KEYS
from retinue.server.policies.policy import Policy
from retinue.server.policies.rules import Compiled
from retinue.token import Kind
from retinue.verifier import PAT_ISSUE

#: Permissions that are named of those that an account loses.
NAMED = 10


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


def _names(stock: Stock) -> Iterator[Broken]:
    pattern = stock.after.policy.accounts_name_pattern
    for row in stock.accounts:
        if pattern is not None and not re.fullmatch(pattern, row.name):
            yield stock.account(row, "accounts.name_pattern", FINDING, f"its name does not match {pattern}")


def _most_accounts(stock: Stock) -> Iterator[Broken]:
    most = stock.after.policy.accounts_max
    if most is not None and len(stock.accounts) > most:
        why = f"{len(stock.accounts)} service accounts, {most} allowed: no further one can be created"
        yield stock.whole("accounts.max", FINDING, why)


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
        why = _too_long(row, stock.after_for(row.principal))
        if why is not None and row.id not in stock.shortened:
            yield stock.credential(row, why[0], FINDING, why[1])


def _too_long(row: Credential, policy: Policy) -> tuple[str, str] | None:
    environment = "" if row.principal is None else row.principal.environment
    if row.expires_at is None:
        may = credentials.bounds(policy, Kind(row.kind), environment).may_never_end
        return None if may else ("expiry.required", "never expires")
    ends = [policy.expiry_max_days, policy.expiry_by_environment.get(environment) if environment else None]
    most = min((each for each in ends if each is not None), default=None)
    life = row.expires_at - row.issued_at
    if most is None or life <= timedelta(days=most):
        return None
    return "expiry.max_days", f"issued for {life.days} days, {most} allowed"


def _shortened(stock: Stock) -> Iterator[Broken]:
    for row in stock.credentials:
        at = stock.shortened.get(row.id)
        if at is not None:
            yield stock.credential(row, "expiry.enforce", SHORTENED, f"will end at {at:%Y-%m-%d} by itself")


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
    policy = replace(stock.before.policy, grants_sources=stock.after.policy.grants_sources)
    yield from _losses(stock, "grants.sources", policy)


def _forbidden(stock: Stock) -> Iterator[Broken]:
    policy = replace(stock.before.policy, forbidden_for_service=stock.after.policy.forbidden_for_service)
    yield from _losses(stock, "forbidden_for_service", policy)


def _losses(stock: Stock, key: str, policy: Policy) -> Iterator[Broken]:
    """Yield the accounts that would hold less, by whichever path they hold it now."""
    for row, (old, new) in access.holdings_under(stock.accounts, stock.before.policy, policy):
        lost = sorted((old.names - new.names) | (old.anywhere - new.anywhere))
        if lost:
            more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
            yield stock.account(row, key, REFUSED, f"loses {', '.join(lost[:NAMED])}{more}")


def _role_counts(stock: Stock) -> Iterator[Broken]:
    allowed = stock.after.policy.grants_roles_per_account
    for row in stock.accounts:
        held = len(stock.roles[row.id])
        if held < allowed.min or (allowed.max is not None and held > allowed.max):
            most = "any number" if allowed.max is None else allowed.max
            why = f"holds {held} roles, {allowed.min} to {most} allowed"
            yield stock.account(row, "grants.roles_per_account", FINDING, why)


def _personal(stock: Stock) -> Iterator[Broken]:
    if not stock.after.policy.pat_enabled:
        for row in stock.personal():
            yield stock.credential(row, "pat.enabled", REFUSED, "personal access tokens are switched off")


def _issuing(stock: Stock) -> Iterator[Broken]:
    if stock.after.policy.pat_on_permission_loss != "suspend":
        return
    own = [row for row in stock.personal() if row.issued_by == row.principal_id and row.principal is not None]
    held = access.holdings([row.principal for row in own if row.principal is not None])
    for row in own:
        if PAT_ISSUE not in held[row.principal_id or ""].names:
            yield stock.credential(row, "pat.on_permission_loss", REFUSED, f"its user lacks {PAT_ISSUE}")


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


def _places(stock: Stock) -> Iterator[Broken]:
    gone = sorted(set(stock.before.policy.ingest_presentation) - set(stock.after.policy.ingest_presentation))
    for row in stock.credentials if gone else ():
        if row.kind == Kind.INGEST.value and row.id in stock.usage:
            why = f"is in use, and refused where it is presented as {', '.join(gone)}"
            yield stock.credential(row, "ingest.presentation", REFUSED, why)


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
#: What decides when a credential that is there already has to end.
_ENDS = (
    *("expiry.enforce", "expiry.required", "expiry.max_days", "expiry.default_days"),
    *("expiry.by_environment", "pat.max_days"),
)
_CHECKS: tuple[tuple[tuple[str, ...], _Check], ...] = (
    (("accounts.required",), _required),
    (("accounts.unique",), _unique_names),
    (("accounts.name_pattern",), _names),
    (("accounts.max",), _most_accounts),
    (("credentials.max_usable",), _most_keys),
    (("credentials.name",), _unnamed),
    (("expiry.required", "expiry.max_days", "expiry.by_environment"), _lifetimes),
    (_ENDS, _shortened),
    (("rotation.every_days",), _rhythm),
    (("idle.days", "idle.action"), _idle),
    (("grants.sources",), _sources),
    (("grants.roles_per_account",), _role_counts),
    (("forbidden_for_service",), _forbidden),
    (("pat.enabled",), _personal),
    (("pat.max_usable", "pat.max_days"), _most_personal),
    (("pat.on_permission_loss",), _issuing),
    (("ingest.enabled",), _ingest),
    (("ingest.presentation",), _places),
    (("credentials.schemes",), _schemes),
    (("network",), _network),
)
