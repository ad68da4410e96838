"""A token in a text that people write is refused by field, and not repeated."""

from __future__ import annotations

import pytest

from retinue.token import Kind, mint
from tests.api.world import Answer, World

TOKEN = mint(Kind.API_KEY).reveal()
TEXT = f"see {TOKEN}"


def _refused(answer: Answer, field: str) -> None:
    assert (400, "invalid_value", field) == (answer.status, answer.code, answer.field)
    assert "holds a token" in answer.json["detail"]
    assert TOKEN[20:40] not in answer.text


@pytest.mark.parametrize("field", ["name", "description", "purpose", "environment", "documentation"])
def test_account(world: World, field: str) -> None:
    """
    An account cannot be named or described by one.
    """
    value = {"environment": f"{TOKEN[:60]}", "documentation": f"https://{TOKEN}"}.get(field, TEXT)
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id], field: value}

    _refused(world.owner.post("/v1/service-accounts", body), f"body.{field}")


def test_key_grant_and_reason(world: World) -> None:
    """
    Neither the name of a key, nor a justification, nor a reason holds one.
    """
    account = f"/v1/service-accounts/{world.account().id}"
    grant = {"permission": "report:read", "justification": TEXT}

    _refused(world.owner.post(f"{account}/keys", {"name": TEXT}), "body.name")
    _refused(world.owner.post(f"{account}/grants", grant), "body.justification")
    _refused(world.owner.post(f"{account}/disable", {"reason": TEXT}), "body.reason")


def test_idempotency_key(world: World) -> None:
    """
    A token is no key for a retry.
    """
    body = {"name": "k2"}
    answer = world.owner.post(
        f"/v1/service-accounts/{world.account().id}/keys", body, {"Idempotency-Key": TOKEN}
    )

    _refused(answer, "header.Idempotency-Key")
