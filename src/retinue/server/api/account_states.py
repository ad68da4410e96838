"""The states of service accounts: enable, approve, disable, restore.

Before an account is disabled every client can read what is asked of its person, and what uses it now.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.account_schemas import ServiceAccount
from retinue.server.api.accounts import ONE, TAG, one
from retinue.server.api.answers import instant
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import needing
from retinue.server.directory import actions, queries, rules
from retinue.server.directory.queries import Principal
from retinue.server.policies.queries import policy_of
from retinue.server.traffic import counts
from retinue.server.traffic import queries as traffic

USED_WITHIN = timedelta(hours=24)


class DisablePreview(schemas.Answer):
    """What would stop with an account, and what its organization asks of the person who disables it."""

    account: schemas.PrincipalRef
    state: Literal["enabled", "disabled", "deleted"]
    confirm: Literal["none", "dialog", "typed"] = Field(
        description="Ask nothing, ask once, or have `phrase` typed (`accounts.disable_confirm`)."
    )
    phrase: str | None = Field(description="What `confirm` of the call must be; null where it is not asked.")
    uses_24h: int = Field(description="Allowed uses within the last 24 hours.")
    last_used_at: str | None
    keys_usable: int


class DisableAccount(schemas.WithReason):
    """Why, and the account's handle where the policy wants it typed."""

    confirm: str | None = Field(
        None, max_length=255, description="The handle; needed where `accounts.disable_confirm` is typed."
    )


@operation("POST", f"{ONE}/enable", permission="service_account:enable", response=ServiceAccount, tag=TAG)
def enable_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Enable a disabled service account."""
    return one(call, actions.enable(call.tx, queries.account(call.organization, account_id, lock=True)))


@operation("POST", f"{ONE}/approve", permission="service_account:approve", response=ServiceAccount, tag=TAG)
def approve_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Approve a new service account that waits: not by who created it. It is enabled then."""
    return one(call, actions.approve(call.tx, queries.account(call.organization, account_id, lock=True)))


@operation("GET", f"{ONE}/disable", permission="service_account:read", response=DisablePreview, tag=TAG)
def preview_disable(call: Call, account_id: str) -> schemas.JSON:
    """Tell what uses a service account now, and what is asked of who disables it."""
    account = queries.account(call.organization, account_id)
    asked = policy_of(call.organization).accounts_disable_confirm
    return {
        "account": render.ref(account),
        "state": account.state,
        "confirm": asked,
        "phrase": account.handle if asked == "typed" else None,
        "uses_24h": _uses(call, account),
        "last_used_at": instant(traffic.last_used_by_account([account.id]).get(account.id)),
        "keys_usable": needing.counts([account.id], call.now, 0)[account.id].usable,
    }


@operation(
    "POST",
    f"{ONE}/disable",
    permission="service_account:disable",
    response=ServiceAccount,
    tag=TAG,
    reduces=True,
)
def disable_service_account(call: Call, account_id: str, body: DisableAccount) -> schemas.JSON:
    """Disable a service account; none of its keys work until it is enabled again."""
    account = queries.account(call.organization, account_id, lock=True)
    asked = policy_of(call.organization).accounts_disable_confirm
    uses = _uses(call, account) if asked == "typed" else 0
    rules.check_disable_confirmed(asked, account.handle, body.confirm, uses)
    return one(call, actions.disable(call.tx, account, body.reason))


@operation("POST", f"{ONE}/restore", permission="service_account:delete", response=ServiceAccount, tag=TAG)
def restore_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Restore a deleted service account: disabled, without its keys."""
    account = queries.account(call.organization, account_id)
    return one(call, credentials.restore_account(call.tx, account, body.reason))


def _uses(call: Call, account: Principal) -> int:
    since = call.now - USED_WITHIN
    return counts.uses(call.organization, [account.id], since=since, by="account").get(account.id, 0)
