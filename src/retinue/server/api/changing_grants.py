"""Direct grants of a service account changed together: all of it, or nothing."""

from __future__ import annotations

from pydantic import Field

from retinue.server.access import actions, grant_actions, listing, selectors
from retinue.server.access.checks import is_over
from retinue.server.api import render_access, schemas
from retinue.server.api.accounts import ONE
from retinue.server.api.grants import TAG, Grant
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused

_MOST = 500


class ChangeGrants(schemas.WithReason):
    """Permissions or patterns, on all resources; what is so already is left alone."""

    grant: list[str] = Field([], max_length=_MOST, description="To grant, on all resources.")
    take: list[str] = Field(
        [], max_length=_MOST, description="To take away, where it is granted directly on all resources."
    )
    justification: str = ""


class ChangedGrants(schemas.Answer):
    """What was changed."""

    granted: list[Grant]
    taken: list[Grant]


@operation(
    "PATCH",
    f"{ONE}/grants",
    permission=("grant:create", "grant:delete"),
    response=ChangedGrants,
    tag=TAG,
    reduces=True,
)
def change_grants(call: Call, account_id: str, body: ChangeGrants) -> schemas.JSON:
    """Grant some permissions to a service account and take others away: all of it, or nothing."""
    account = directory.account(call.organization, account_id, lock=True)
    both = sorted(set(body.grant) & set(body.take))
    if both:
        raise Refused("invalid_value", f"both granted and taken away: {', '.join(both)}", field="take")
    whole = listing.grant_rows(call.organization, subject=account.id).filter(resource=selectors.ALL.text)
    held = {each.permission: each for each in whole if not is_over(each.expires_at, call.now)}
    taken = [
        grant_actions.delete_grant(call.tx, call.organization, held[name])
        for name in dict.fromkeys(body.take)
        if name in held
    ]
    granted = [
        actions.grant(call.tx, account, name, body.justification, field="grant")
        for name in dict.fromkeys(body.grant)
        if name not in held
    ]
    return {
        "granted": render_access.grants(granted, call.now),
        "taken": render_access.grants(taken, call.now),
    }
