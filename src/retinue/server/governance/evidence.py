"""What a reviewer is shown of an account, frozen when the review is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from retinue.server.access import queries as access
from retinue.server.credentials import queries as credentials
from retinue.server.credentials.rules import is_usable
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal
from retinue.server.governance.rules import USE_WINDOW_DAYS
from retinue.server.ledger import queries as ledger
from retinue.server.policies.queries import policy_of
from retinue.server.traffic import queries as traffic

#: Permissions and keys that are listed by name; beside them stands how many there are.
LISTED = 200


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one account: to be shown, and whether it takes a reason to keep it."""

    shown: dict[str, Any]
    owners: tuple[str, ...]
    needs_reason: bool


def gather(rows: Sequence[Principal], now: datetime, since: datetime | None) -> dict[str, Evidence]:
    """Return the evidence of accounts of one organization by id; ``since`` is when the last review was."""
    ids = [row.id for row in rows]
    owners = directory.owners_of(ids)
    held = access.holdings(rows)
    exercised = traffic.exercised(ids)
    used = traffic.last_used_by_account(ids)
    keys = credentials.of_accounts(ids)
    changed = ledger.counts_by_subject([row.organization_id for row in rows], ids, since)
    found: dict[str, Evidence] = {}
    for row in rows:
        policy = policy_of(row.organization_id, row.environment)
        idle = timedelta(days=policy.idle_days or USE_WINDOW_DAYS)
        names = sorted(held[row.id].names)
        last = used.get(row.id)
        elevated = sorted(held[row.id].names & set(policy.elevated.permissions))
        shown = {
            "name": row.name,
            "purpose": row.purpose,
            "state": row.state,
            "owners": [{"id": owner.id, "name": owner.name} for owner in owners[row.id]],
            "permissions_held": names[:LISTED],
            "permissions_held_count": len(names),
            "permissions_used": {
                name: at.isoformat() for name, at in sorted(exercised[row.id].items())[:LISTED]
            },
            "elevated": elevated,
            "last_used_at": None if last is None else last.isoformat(),
            "keys": [
                {
                    "id": key.id,
                    "name": key.name,
                    "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
                }
                for key in keys.get(row.id, [])
                if is_usable(key.state, key.expires_at, key.retires_at, now)
            ][:LISTED],
            "changes_since_last_review": changed.get(row.id, 0),
        }
        unused = (last or row.created_at) + idle <= now
        found[row.id] = Evidence(shown, tuple(each.id for each in owners[row.id]), unused or bool(elevated))
    return found
