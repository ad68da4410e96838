"""Changes of access at the same moment: no order of two lets through what either alone would not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from retinue.server.access import actions as access
from retinue.server.access import grant_actions, group_actions, member_actions, role_actions
from retinue.server.access.models import Group
from retinue.server.access.queries import holdings
from retinue.server.access.subjects import Subject
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, Transaction, transaction
from tests.storage.estate import Estate, Task

pytestmark = pytest.mark.usefixtures("awake")
Act = Callable[[Transaction], object]


def _together(*acts: Act) -> list[str]:
    """Run acts at the same time, each in its transaction; returns the codes of those that were refused."""
    refused: list[str] = []

    def run(act: Act) -> None:
        try:
            with transaction(SYSTEM, reason="test") as tx:
                act(tx)
        except Refused as error:
            refused.append(error.code)

    for task in [Task(partial(run, act)) for act in acts]:
        task.result()
    return refused


@pytest.mark.parametrize("attempt", range(4))
def test_joining_and_granting_at_once(estate: Estate, attempt: int) -> None:
    """
    A service account joins a group while that gets what service accounts can never have: one of the two is
    refused, whichever comes later.
    """
    account = estate.account()
    with transaction(SYSTEM, reason="test") as tx:
        group = group_actions.create(tx, estate.organization.id, Group.GROUP, name=f"g-{attempt}")
    subject = Subject(group.id, "group", group.name)
    refused = _together(
        lambda tx: member_actions.add(tx, group, [account]),
        lambda tx: grant_actions.grant(tx, subject, "pat:issue", organization=estate.organization.id),
    )

    assert ["forbidden_for_service"] == refused


@pytest.mark.parametrize("attempt", range(4))
def test_assigning_and_editing_at_once(estate: Estate, attempt: int) -> None:
    """
    A service account gets a role while that is edited to hold what it can never have.
    """
    account = estate.account()
    with transaction(SYSTEM, reason="test") as tx:
        role = role_actions.create(
            tx, estate.organization.id, name=f"r-{attempt}", permissions=["report:read"]
        )
    refused = _together(
        lambda tx: access.assign(tx, account, role),
        lambda tx: role_actions.update(tx, role, {"permissions": ["pat:issue"]}),
    )

    assert ["forbidden_for_service"] == refused
    assert "pat:issue" not in holdings([account])[account.id].names
