"""``limits.per_account`` on the control plane's own API: who calls too often is told so, and what is left."""

from __future__ import annotations

import secrets

import pytest

from retinue.server.access import actions as access
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.policies import set_environment, set_policy
from tests.api.world import Caller, World

ME = "/v1/me"


def test_calls_of_an_account_are_limited(world: World) -> None:
    """
    So many in a minute are answered; the next is 429 with the time to wait, and nobody else is hindered.
    """
    set_policy(world, limits__per_account={"per_minute": 3})
    caller, other = world.caller(), world.caller()

    answers = [caller.get(ME) for _ in range(4)]

    assert [200, 200, 200, 429] == [each.status for each in answers]
    assert ["2", "1", "0", "0"] == [each.headers["x-ratelimit-remaining"] for each in answers]
    assert ("rate_limited", "rate_limited") == (answers[3].code, answers[3].headers["retinue-error"])
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60
    assert (200, 200) == (other.get(ME).status, world.owner.get(ME).status)


def test_a_limit_by_the_second_and_what_is_refused(world: World) -> None:
    """
    The tighter limit is the one that is told; calls that are denied for another reason cost nothing.
    """
    set_policy(world, limits__per_account={"per_minute": 100, "per_second": 60})
    caller = world.caller()

    denied = [caller.get("/v1/groups").status for _ in range(3)]
    told = caller.get(ME).headers

    assert [403] * 3 == denied
    assert ("60", "59") == (told["x-ratelimit-limit"], told["x-ratelimit-remaining"])


def test_an_environment_has_a_limit_of_its_own(world: World) -> None:
    """
    It holds for accounts that name the environment; the others have none, and are told none.
    """
    set_environment(world, "production", limits__per_account={"per_minute": 1})
    fields = AccountFields(name="etl", purpose="x", owners=(world.owner.id,), environment="production")
    with transaction(SYSTEM, reason="test") as tx:
        account = access.create_account(tx, world.organization.id, fields)
    caller = Caller(world.key(account)[1], account)

    assert [200, 429] == [caller.get(ME).status for _ in range(2)]
    assert "x-ratelimit-limit" not in world.owner.get(ME).headers


@pytest.mark.parametrize("status", [429, 503])
def test_a_denial_has_the_status_of_the_policy(world: World, status: int) -> None:
    """
    ``responses.status.limited``: what clients expect of a limit.
    """
    set_policy(world, limits__per_account={"per_minute": 1}, responses__status={"limited": status})
    caller = world.caller()

    assert [200, status] == [caller.get(ME).status for _ in range(2)]


def test_a_limit_that_is_lifted_is_lifted(world: World) -> None:
    """
    The next call is let in, and told of no limit.
    """
    set_policy(world, limits__per_account={"per_minute": 1})
    caller = world.caller(name=f"etl-{secrets.token_hex(4)}")
    before = [caller.get(ME).status for _ in range(2)]
    set_policy(world, limits__per_account=None)

    after = caller.get(ME)
    assert ([200, 429], 200) == (before, after.status)
    assert "x-ratelimit-limit" not in after.headers
