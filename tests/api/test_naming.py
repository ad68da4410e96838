"""Accounts by the policy: handles, unique names, conventions, their number, attributes, words and lists."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from retinue.server.errors import Refused
from retinue.server.policies import keys
from retinue.server.policies.patterns import is_pattern
from tests.api.policies import set_policy
from tests.api.world import Answer, World
from tests.storage.estate import Task


def policy(world: World, preset: str | None = None, **values: Any) -> None:
    """Change the policy; ``__`` in a name is a dot."""
    answer = world.owner.patch(
        "/v1/policy",
        {"preset": preset, "set": {name.replace("__", "."): value for name, value in values.items()}}
        if preset
        else {"set": {name.replace("__", "."): value for name, value in values.items()}},
    )
    assert answer.status == 200, answer.text


def create(world: World, name: str, **more: Any) -> Answer:
    """Create a service account."""
    body = {"name": name, "purpose": "x", "owners": [world.owner.id], **more}
    return world.owner.post("/v1/service-accounts", body)


@pytest.mark.parametrize(
    ("template", "slug", "handle"),
    [
        ("{slug}", {}, "pipeline-automation-2"),
        ("{slug}@service", {"space": "_"}, "pipeline_automation_2@service"),
        ("sa::{slug}", {}, "sa::pipeline-automation-2"),
        ("{name}", {}, "pipeline automation (2)"),
        ("{slug}", {"space": ""}, "pipelineautomation2"),
        ("{slug}", {"strip": False}, "pipeline-automation-(2)"),
    ],
)
def test_handle_is_made_by_the_template(
    world: World, template: str, slug: dict[str, Any], handle: str
) -> None:
    """
    The template and the slug's rules make the handle of a name.
    """
    policy(world, accounts__id_template=template, accounts__slug=slug)

    assert handle == create(world, "Pipeline Automation (2)").json["handle"]


def test_given_handle_follows_the_template(world: World) -> None:
    """
    A handle that is given looks like those that are made; it is folded.
    """
    policy(world, accounts__id_template="sa::{slug}")
    made, other = create(world, "a", handle="SA::Loader"), create(world, "b", handle="loader")

    assert (201, "sa::loader") == (made.status, made.json["handle"])
    assert (400, "body.handle") == (other.status, other.field)


@pytest.mark.parametrize(("unique", "statuses"), [("handle", [201, 409, 201]), ("name", [201, 409, 409]), ("none", [201, 201, 201])])  # fmt: skip
def test_what_must_be_unique(world: World, unique: str, statuses: list[int]) -> None:
    """
    Handles, names or nothing is unique, compared after folding.
    """
    policy(world, accounts__unique=unique)
    answers = [create(world, "ETL"), create(world, "etl"), create(world, "Etl", handle="other")]

    assert statuses == [each.status for each in answers]


@pytest.mark.parametrize("unique", ["handle", "name"])
def test_deleted_account_keeps_its_name_reserved(world: World, unique: str) -> None:
    """
    What is unique is not given again after the end of its account; it is refused with who has it.
    """
    policy(world, accounts__unique=unique)
    first = create(world, "etl").json["id"]
    world.owner.delete(f"/v1/service-accounts/{first}")
    answer = create(world, "ETL")

    assert (409, "duplicate_name") == (answer.status, answer.code)
    assert first in answer.json["detail"]


def test_uniqueness_of_names_holds_for_older_accounts_and_renames(world: World) -> None:
    """
    Accounts from before the policy count as well, and a rename is decided like a creation.
    """
    create(world, "etl", handle="one")
    second = create(world, "load", handle="two").json["id"]
    policy(world, accounts__unique="name")
    answers = [
        create(world, "ETL", handle="three"),
        world.owner.patch(f"/v1/service-accounts/{second}", {"name": "Etl"}),
        world.owner.patch(f"/v1/service-accounts/{second}", {"name": "LOAD"}),
    ]

    assert [409, 409, 200] == [each.status for each in answers]


def test_handles_that_are_not_unique_are_looked_up_by_id(world: World) -> None:
    """
    Where two accounts are called alike, the handle alone finds neither as a filter of one.
    """
    policy(world, accounts__unique="none")
    ids = {create(world, "etl").json["id"] for _ in range(2)}
    listed = world.owner.get("/v1/service-accounts?handle=etl").json["items"]

    assert ids == {each["id"] for each in listed}
    assert [] == world.owner.get("/v1/requests?account=etl").json["items"]


def test_convention_is_refused_on_create_and_rename(world: World) -> None:
    """
    A name must match the pattern; what stands already stays, and other changes of it are let through.
    """
    old = create(world, "old").json["id"]
    set_policy(world, accounts__name_pattern="[a-z]+-(prod|dev)")
    answers = [
        create(world, "loader"),
        create(world, "loader-prod"),
        world.owner.patch(f"/v1/service-accounts/{old}", {"name": "older"}),
        world.owner.patch(f"/v1/service-accounts/{old}", {"purpose": "another"}),
    ]

    assert [400, 201, 400, 200] == [each.status for each in answers]
    assert "accounts.name_pattern" in answers[0].json["detail"]


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("[a-z]+-[a-z0-9]+(-(prod|dev))?", True),
        ("(a+)+b", False),
        ("(a|a)*b", False),
        ("(?=a)a", False),
        (r"(a)\1", False),
        (".*.*.*.*x", False),
        ("a?" * 40 + "b", False),
        ("a{0,8}" * 12 + "b", False),
        ("(a?a?){7}(a?a?){7}b", False),
        ("(a|aa)" * 40 + "b", False),
        ("(?:x{0,1}){100000}", False),
        ("[a-z]+-[a-z]+-[a-z]+-(dev|demo|prod|staging)", True),
        ("(svc|job|ci)-[a-z]{2,8}-[0-9]{2,4}", True),
        ("(", False),
    ],
)
def test_pattern_must_not_take_long(pattern: str, allowed: bool) -> None:
    """
    An organization's pattern runs in the server for all: none that could take long on some name is accepted.
    """
    type_ = keys.KEYS["accounts.name_pattern"].type
    if not allowed:
        with pytest.raises(Refused):
            type_.read(pattern, "accounts.name_pattern", None)

    assert allowed == is_pattern(pattern)


def test_number_of_accounts_is_limited(world: World) -> None:
    """
    One account too many is refused, made or restored; a deleted one makes room.
    """
    first = create(world, "a").json["id"]
    policy(world, accounts__max=1)
    second = create(world, "b")
    world.owner.delete(f"/v1/service-accounts/{first}")
    third = create(world, "c")
    restored = world.owner.post(f"/v1/service-accounts/{first}/restore", {})

    assert [409, 201, 409] == [second.status, third.status, restored.status]


def test_last_place_is_given_once(world: World) -> None:
    """
    Of two creators at the same moment one gets the last place: it is decided where it is written.
    """
    policy(world, accounts__max=1)
    tasks = [Task(partial(create, world, name)) for name in ("a", "b")]

    assert [201, 409] == sorted(each.result().status for each in tasks)


def test_service_accounts_can_be_switched_off(world: World) -> None:
    """
    Without the feature no account is made; those that exist go on.
    """
    account = world.account("etl")
    policy(world, features__service_accounts=False)
    answer = create(world, "b")

    assert (409, 200) == (answer.status, world.owner.get(f"/v1/service-accounts/{account.id}").status)
    assert "features.service_accounts" in answer.json["detail"]


def test_role_can_be_required(world: World) -> None:
    """
    An account without the role that the policy asks for is not made.
    """
    policy(world, accounts__required=["name", "role"])
    answers = [create(world, "a"), create(world, "b", roles=["auditor"])]

    assert [(400, "body.roles"), (201, None)] == [(each.status, each.field) for each in answers]


def test_names_are_checked_before_accounts_have_them(world: World) -> None:
    """
    Convention, handle and whether it is taken, all problems of each; beside the names before it. Nothing is made.
    """
    create(world, "etl")
    policy(world, accounts__name_pattern="[A-Za-z-]{3,12}")
    asked = ["loader", "Etl", "x", "", "Loader", "123", "???"]
    answer = world.owner.post("/v1/service-accounts/names/check", {"names": asked})
    found = {each["name"]: [problem["code"] for problem in each["problems"]] for each in answer.json["items"]}

    assert 200 == answer.status, answer.text
    assert {
        "loader": [], "Etl": ["duplicate_name"], "x": ["invalid_value"], "": ["missing_field"],
        "Loader": ["duplicate_name"], "123": ["invalid_value"], "???": ["invalid_value", "missing_field"],
    } == found  # fmt: skip
    assert [True, *[False] * 6] == [each["ok"] for each in answer.json["items"]]
    assert ("loader", None) == (answer.json["items"][0]["handle"], answer.json["items"][6]["handle"])
    assert 201 == create(world, "loader").status
    bodies: list[Any] = [{}, {"names": []}, {"names": ["a"] * 101}, {"names": [1]}]
    for body in bodies:
        assert 400 == world.owner.post("/v1/service-accounts/names/check", body).status
