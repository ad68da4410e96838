"""Approvals of a new service account: at the same moment as each other and as its deletion; the canary's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory import queries
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.models import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, Actor, Transaction, transaction
from retinue.server.nodes import probing
from retinue.server.policies import actions as policies
from retinue.server.policies.rules import Document
from tests.storage.estate import Estate, Task

pytestmark = pytest.mark.usefixtures("awake")
Act = Callable[[Transaction, Principal], object]


def _approve(tx: Transaction, account: Principal) -> None:
    directory.approve(tx, queries.account(account.organization_id, account.id, lock=True))


def _together(estate: Estate, account: Principal, *acts: Act) -> list[str]:
    """Run acts of the owner at once, each in its transaction; returns the codes of those that were refused."""
    refused: list[str] = []
    owner = Actor("user", estate.owner.id, "Olga", estate.organization.id)

    def run(act: Act) -> None:
        try:
            with transaction(owner) as tx:
                act(tx, account)
        except Refused as error:
            refused.append(error.code)

    for task in [Task(partial(run, act)) for act in acts]:
        task.result()
    return refused


def _waiting(estate: Estate) -> Principal:
    with transaction(SYSTEM, reason="test") as tx:
        policies.change(
            tx, estate.organization.id, lambda _: Document(overrides={"accounts.approval": "four_eyes"})
        )
    account = estate.account()
    assert ("disabled", True) == (account.state, account.awaits_approval)
    return account


@pytest.mark.parametrize("attempt", range(3))
def test_approved_once(estate: Estate, attempt: int) -> None:
    """
    Of two approvals at once one is done, with one event, and the other finds nothing that waits.
    """
    account = _waiting(estate)
    refused = _together(estate, account, _approve, _approve)
    account.refresh_from_db()

    assert (["state_conflict"], "enabled", False) == (refused, account.state, account.awaits_approval)
    assert 1 == AuditEvent.objects.filter(type="account.approved", subject=account.id).count()


@pytest.mark.parametrize("attempt", range(3))
def test_deletion_meanwhile_stands(estate: Estate, attempt: int) -> None:
    """
    Approved and deleted at once, the account is deleted, whichever came first; it is never enabled again.
    """
    account = _waiting(estate)
    refused = _together(estate, account, _approve, credentials.delete_account)
    account.refresh_from_db()

    assert refused in ([], ["state_conflict"])
    assert ("deleted", bool(refused)) == (account.state, account.awaits_approval)


def test_the_canary_waits_for_nobody(estate: Estate) -> None:
    """
    The account that probes nodes is made by the product: no policy stops probes by asking something of it.
    """
    stated = {"accounts.approval": "four_eyes", "accounts.required": ["name", "systems", "role"]}
    with transaction(SYSTEM, reason="test") as tx:
        policies.change(tx, estate.organization.id, lambda _: Document(overrides=stated))
        email = f"op@{estate.organization.handle}.example"
        directory.create_user(tx, estate.organization.id, email=email, name="Op", is_operator=True)
    with transaction(SYSTEM, reason="test") as tx:
        canary = probing._account(tx, estate.organization)

    assert ("enabled", False) == (canary.state, canary.awaits_approval)
