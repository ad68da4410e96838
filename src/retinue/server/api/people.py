"""What hangs on a user."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from retinue.server.api import render
from retinue.server.api.operations import Refused
from retinue.server.credentials import queries as credentials
from retinue.server.credentials import rules as credential_rules
from retinue.server.directory import actions, queries
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction
from retinue.server.traffic import queries as traffic

#: Tokens that were used within so many days are integrations.
IN_USE = timedelta(days=30)


def impact(user: Principal, now: datetime) -> render.JSON:
    """Return the usable tokens of a user with their use, and the accounts that the user answers for."""
    tokens = [
        row
        for row in credentials.personal_tokens(user.id)
        if credential_rules.is_usable(row.state, row.expires_at, row.retires_at, now)
    ]
    used = traffic.usage(row.id for row in tokens)
    owned = owned_by(user)
    owners = queries.owners_of(row.id for row in owned)
    others = {row.id: [each for each in owners[row.id] if each.id != user.id] for row in owned}
    return {
        "tokens_usable": len(tokens),
        "tokens_used_last_30_days": sum(1 for each in used.values() if now - each.last_used_at <= IN_USE),
        "owned": [
            {
                "account": render.ref(row),
                "state": row.state,
                "other_owners": [render.ref(each) for each in others[row.id]],
            }
            for row in owned
        ],
        "ownerless_without": sum(1 for row in owned if not others[row.id]),
    }


def owned_by(user: Principal) -> list[Principal]:
    """Return the living service accounts that a user answers for, also after the user is deleted."""
    return list(queries.accounts(user.organization_id, owner=user.id).order_by("name", "id"))


def reassign(tx: Transaction, user: Principal, to: Principal, accounts: Sequence[str]) -> list[Principal]:
    """Put ``to`` in the place of ``user`` as an owner of accounts; of all of them if none is named."""
    owned = {row.id: row for row in owned_by(user)}
    for place, ident in enumerate(accounts):
        if ident not in owned:
            raise Refused("not_found", f"{user.email} owns no account {ident!r}", field=f"accounts.{place}")
    chosen = [owned[ident] for ident in dict.fromkeys(accounts)] or list(owned.values())
    for row in sorted(chosen, key=lambda each: each.id):  # in the order in which others lock them
        held = row.ownerships.order_by("id").values_list("owner_id", flat=True)
        owners = dict.fromkeys(to.id if ident == user.id else ident for ident in held)
        actions.update_account(tx, row, {"owners": tuple(owners)})
    return chosen
