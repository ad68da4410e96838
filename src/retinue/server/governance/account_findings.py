"""Findings about service accounts. Each function yields what it finds in the order of ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from retinue.server.access import queries as access
from retinue.server.access.paths import is_running
from retinue.server.access.rules import names_of
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal
from retinue.server.governance.looking import Look
from retinue.server.governance.rules import RECENT, USE_WINDOW_DAYS, Found
from retinue.server.traffic import queries as traffic

#: Names in the evidence of one finding.
LISTED = 100


def ownerless(look: Look) -> Iterator[Found]:
    """Accounts whose owners are all gone, or that never had one."""
    for rows in look.accounts(Q(~Exists(directory.owned(OuterRef("pk"))))):
        owners = directory.owners_of(row.id for row in rows)
        gone = directory.last_owner_gone([row.id for row in rows if not owners[row.id]])
        for row in rows:
            if not owners[row.id]:
                yield Found("ownerless", row.id, gone.get(row.id, row.created_at))


def undocumented(look: Look) -> Iterator[Found]:
    """Accounts of which nobody can tell what they are for, or that do not state what the policy requires."""
    required = set(look.policy().accounts_required)
    lacking = Q(purpose__regex=r"^\s*$") | Q(documentation="", systems=[])
    for name, empty in (("systems", []), ("description", ""), ("environment", "")):
        if name in required:
            lacking |= Q(**{name: empty})
    for rows in look.accounts(lacking):
        for row in rows:
            missing = [] if row.purpose.strip() else ["purpose"]
            if not row.systems and not row.documentation:
                missing += ["systems", "documentation"]
            stated = {"systems": row.systems, "description": row.description, "environment": row.environment}
            missing += [each for each in stated if each in required and not (stated[each] or each in missing)]
            if missing:
                yield Found("undocumented", row.id, row.updated_at, {"missing": missing})


def naming(look: Look) -> Iterator[Found]:
    """Accounts whose name breaks the convention of the policy."""
    pattern = look.policy().accounts_name_pattern
    if pattern is None:
        return
    for rows in look.accounts():
        for row in rows:
            if not re.fullmatch(pattern, row.name):
                yield Found("naming", row.id, row.updated_at, {"name": row.name, "pattern": pattern})


def idle_account(look: Look) -> Iterator[Found]:
    """Enabled accounts that were not used for the days of the policy."""
    long_ago = look.ago(lambda policy: [policy.idle_days])
    unused = Q(state="enabled", created_at__lte=long_ago) & ~Q(id__in=traffic.accounts_used_after(long_ago))
    for rows in look.accounts(unused):
        used = traffic.last_used_by_account(row.id for row in rows)
        for row in rows:
            since = _idle_since(look, row, used.get(row.id))
            if since is not None:
                last = used.get(row.id)
                yield Found(
                    "idle_account", row.id, since, {"last_used_at": last.isoformat() if last else None}
                )


def _idle_since(look: Look, row: Principal, used: datetime | None) -> datetime | None:
    days = look.policy(row.environment).idle_days
    if days is None or row.state != "enabled":
        return None
    since = (used or row.created_at) + timedelta(days=days)
    return since if since <= look.now else None


def over_permitted(look: Look) -> Iterator[Found]:
    """Enabled accounts that hold what they did not use within the window: the idle days of the policy.

    Younger accounts are left alone: they had no time to use what they hold.
    """
    since = look.ago(lambda policy: [policy.idle_days or USE_WINDOW_DAYS])
    for rows in look.accounts(Q(state="enabled", created_at__lte=since)):
        windows = {row.id: _window(look, row) for row in rows}
        old = [row for row in rows if row.state == "enabled" and row.created_at <= windows[row.id]]
        used = traffic.exercised(row.id for row in old)
        for row, held in zip(old, access.holdings(old).values(), strict=True) if old else ():
            recent = {name for name, last in used[row.id].items() if last >= windows[row.id]}
            names = held.names
            unused = sorted(names - recent)
            if unused:
                evidence = {
                    "held": len(names),
                    "used": len(names) - len(unused),
                    "unused": unused[:LISTED],
                    "unused_count": len(unused),
                }
                # Of the day: the window moves on all the time.
                day = windows[row.id].replace(hour=0, minute=0, second=0, microsecond=0)
                yield Found("over_permitted", row.id, day, evidence)


def _window(look: Look, row: Principal) -> datetime:
    return look.now - timedelta(days=look.policy(row.environment).idle_days or USE_WINDOW_DAYS)


def elevated_unjustified(look: Look) -> Iterator[Found]:
    """Accounts that hold something elevated by a path on which nobody gave a reason."""
    elevated, now = set(look.policy().elevated.permissions), access.now_ms()
    policies, names = {look.organization: look.policy()}, access.catalogue()
    for rows in look.accounts():
        for row, parts in access.paths_of(rows, policies):
            bare = [
                part
                for part in parts
                if is_running(part, now) and not any(link.justification.strip() for link in part.links)
            ]
            found = {name for part in bare for name in names_of(part, names) & elevated}
            if found - set(look.policy().forbidden_for_service.permissions):
                since = min((link.granted_ms for part in bare for link in part.links), default=0)
                at = datetime.fromtimestamp(since / 1000, UTC) if since else row.created_at
                yield Found("elevated_unjustified", row.id, at, {"permissions": sorted(found)})


def disabled_in_use(look: Look) -> Iterator[Found]:
    """Disabled accounts whose keys are still presented."""
    denied = look.denials({"account_disabled"}, since=look.now - RECENT, by="account")
    for rows in look.accounts(Q(state="disabled")):
        for row in rows:
            if row.state == "disabled" and row.id in denied:
                yield Found("disabled_in_use", row.id, denied[row.id].first, denied[row.id].evidence())
