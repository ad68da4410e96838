"""``/v1/bulk/service-accounts/grant`` and ``take-back``: one permission or role, many accounts."""

from __future__ import annotations

import pytest

from tests.api.access_cases import four_eyes
from tests.api.policies import set_policy
from tests.api.world import JSON, World

GIVE, TAKE = "/v1/bulk/service-accounts/grant", "/v1/bulk/service-accounts/take-back"
READ: JSON = {"permission": "report:read"}


def _accounts(world: World, *names: str) -> list[str]:
    return [world.account(name).id for name in names]


def _held(world: World, ids: list[str]) -> list[list[str]]:
    """What each account holds, by name."""
    answers = [world.owner.get(f"/v1/service-accounts/{each}/permissions").json["items"] for each in ids]
    return [[item["permission"] for item in items] for items in answers]


def _results(answer: JSON) -> list[tuple[str, str | None]]:
    return [(item["result"], item["code"]) for item in sorted(answer["items"], key=lambda each: each["name"])]


def test_many_get_a_permission_and_lose_it(world: World) -> None:
    """
    Each account gets the grant or holds it already; taken back with one receipt, it is gone from each.
    """
    ids = [*_accounts(world, "a", "b"), world.account("c", permissions=("report:read",)).id]
    given = world.owner.post(GIVE, {"accounts": ids, **READ, "resource": "*", "justification": "q4"})
    held = _held(world, ids)
    taken = world.owner.post(TAKE, {"accounts": ids, **READ})
    again = world.owner.post(TAKE, {"accounts": ids, **READ})

    assert [("done", None), ("done", None), ("unchanged", None)] == _results(given.json)
    assert [["report:read"]] * 3 == held
    assert (3, True) == (taken.json["done"], taken.json["receipt"]["complete"])
    assert [[], [], []] == _held(world, ids)
    assert (0, 3) == (again.json["done"], again.json["unchanged"])


def test_many_get_a_role_and_lose_it(world: World) -> None:
    """
    By its handle, within the number of roles that the policy allows: who has one already is refused alone.
    """
    ids = [*_accounts(world, "a"), world.account("b", roles=("access-manager",)).id]
    set_policy(world, grants__roles_per_account={"min": 0, "max": 1})
    role = {"role": "auditor", "justification": "x"}
    given = world.owner.post(GIVE, {"accounts": ids, **role})
    taken = world.owner.post(TAKE, {"accounts": ids, "role": "auditor"})

    assert ["done", "refused"] == [result for result, _ in _results(given.json)]
    assert ["done", "unchanged"] == [result for result, _ in _results(taken.json)]
    assert [[], ["access-manager"]] == [
        world.owner.get(f"/v1/service-accounts/{each}").json["roles"] for each in ids
    ]


def test_a_preview_of_grants_changes_nothing(world: World) -> None:
    """
    It says of each account what the act would; nobody holds anything after it.
    """
    ids = _accounts(world, "a", "b")
    told = world.owner.post(GIVE, {"accounts": ids, **READ, "preview": True})
    held = _held(world, ids)
    done = world.owner.post(GIVE, {"accounts": ids, **READ})

    assert [[], []] == held
    assert told.json["items"] == done.json["items"]
    assert [["report:read"]] * 2 == _held(world, ids)


def test_nobody_gives_many_what_they_do_not_hold(world: World) -> None:
    """
    Ceiling, bans and justification hold for each account as for one.
    """
    [ident] = _accounts(world, "a")
    weak = world.caller("grant:create")
    answers = [
        weak.post(GIVE, {"accounts": [ident], **READ}),
        world.owner.post(GIVE, {"accounts": [ident], "permission": "pat:issue", "justification": "x"}),
        world.owner.post(GIVE, {"accounts": [ident], "permission": "grant:create"}),
        world.owner.post(GIVE, {"accounts": [ident], "role": "owner", "justification": "x"}),
    ]

    assert [
        [("refused", code)]
        for code in (
            "ceiling_exceeded",
            "forbidden_for_service",
            "justification_required",
            "forbidden_for_service",
        )
    ] == [_results(each.json) for each in answers]
    assert [[]] == _held(world, [ident])


def test_what_is_elevated_waits_for_each(world: World) -> None:
    """
    Where a second person approves, each account's grant waits, and the result says so.
    """
    [ident] = _accounts(world, "a")
    four_eyes(world)
    body = {"accounts": [ident], "permission": "grant:create", "justification": "x"}
    answer = world.owner.post(GIVE, body)

    assert ["pending"] == [item["state"] for item in answer.json["items"]]
    assert [[]] == _held(world, [ident])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "body.permission"),
        ({**READ, "role": "auditor"}, 400, "body.permission"),
        ({"role": "nope"}, 422, "body.role"),
        ({**READ, "expires": "soon"}, 400, "body.expires"),
        ({**READ, "resource": "mine"}, 400, "body.resource"),
    ],
)
def test_a_bad_grant_is_refused_as_a_whole(world: World, body: JSON, status: int, field: str) -> None:
    """
    What is wrong for all is said once, with its field.
    """
    answer = world.owner.post(GIVE, {"accounts": _accounts(world, "a"), **body})

    assert (status, field) == (answer.status, answer.field), answer.text
