"""What the policy says for an environment holds for the accounts that name it, and for them alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.api import guard
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import reading
from retinue.verifier import Question
from tests.api.policies import set_environment
from tests.api.test_policy_values import ACCOUNTS, days_left, in_environment
from tests.api.world import World
from tests.api.wrongs import put

TWO_HOURS = timedelta(hours=2)


@pytest.mark.parametrize("label", ["production", "elsewhere"])
def test_warnings_and_statuses_go_by_the_environment(world: World, label: str) -> None:
    """
    ``expiry.warn_days`` and ``idle.days`` of an environment hold for its accounts in every place where they are
    shown, filtered by, counted, and told to the caller.
    """
    set_environment(world, "production", expiry__warn_days=[60], idle__days=10)
    is_there = label == "production"
    account = in_environment(world, label, "etl")
    key, token = world.key(account)
    ends = timezone.now() + timedelta(days=50)
    put(Principal, account.id, created_at=timezone.now() - timedelta(days=20))
    put(Credential, key.id, expires_at=ends)
    with reading():
        warnings = guard.verifier().verify(Question(token.reveal())).caller.warnings  # type: ignore[union-attr]
    shown: dict[str, Any] = world.owner.get(f"{ACCOUNTS}/{account.id}").json
    listed = world.owner.get(f"/v1/keys/{key.id}").json["status"]
    expiring = world.owner.get(f"{ACCOUNTS}/{account.id}/keys?status=expiring").json["items"]
    counted = world.owner.get(f"{ACCOUNTS}/counts").json

    assert (["expires_soon"] if is_there else []) == [each.value for each in warnings]
    assert ("idle" if is_there else "active") == shown["status"]
    assert ("expiring" if is_there else "never_used") == listed
    assert is_there == bool(expiring)
    assert int(is_there) == counted["idle"]


def test_rotation_goes_by_the_environment(world: World) -> None:
    """
    Modes, overlap and rhythm of an environment hold for its accounts alone.
    """
    set_environment(
        world, "production", rotation__modes=["rotate"], rotation__overlap_seconds=60,
        rotation__every_days=20, rotation__lead_days=3,
    )  # fmt: skip
    told = []
    for label in ("production", "elsewhere"):
        key, _ = world.key(in_environment(world, label, label))
        before = world.owner.get(f"/v1/keys/{key.id}").json
        regenerated = world.owner.post(f"/v1/keys/{key.id}/regenerate").status
        other, _ = world.key(in_environment(world, label, f"{label} 2"))
        world.owner.post(f"/v1/keys/{other.id}/rotate")
        after = world.owner.get(f"/v1/keys/{other.id}").json
        soon = datetime.fromisoformat(after["retires_at"]) < datetime.now(UTC) + TWO_HOURS
        told.append((days_left(before["rotate_by"]), regenerated, soon))

    assert [(20, 409, True), (76, 200, False)] == told
