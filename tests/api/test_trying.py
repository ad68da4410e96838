"""`Retinue-Dry-Run: true`: what a change would answer, and nothing of it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.http import HttpRequest

from retinue.server.api.operations import OPERATIONS, Operation
from retinue.server.api.trying import IN_EARNEST, is_wanted
from retinue.server.errors import Refused
from retinue.server.ledger import feed, queries
from retinue.token import parse
from tests.api.test_events import CASES, CHANGES
from tests.api.world import World

TRY = {"Retinue-Dry-Run": "true"}


@pytest.mark.parametrize(
    "each", [each for each in CHANGES if each.name not in IN_EARNEST], ids=lambda each: each.name
)
def test_a_try_answers_as_the_change_and_leaves_nothing(world: World, each: Operation) -> None:
    """
    The status of the change, a body of the same fields, no token in it; no revision, no event, no receipt; and
    then the change itself still does what it would have done.
    """
    if connection.vendor == "postgresql" and CHANGES.index(each) % 6:
        return  # a sixth: the database matters to the transaction, not to the operation
    case = CASES[each.name](world)
    caller = case.caller or world.owner
    before = feed.position().revision
    tried = caller.call(each.method, case.path, case.body, headers=TRY)
    after = feed.position().revision
    done = caller.call(each.method, case.path, case.body)

    assert (each.status, before) == (tried.status, after), tried.text
    assert "true" == tried.headers["retinue-dry-run"]
    assert {"retinue-revision", "location"}.isdisjoint(tried.headers)
    assert set(done.json) - {"receipt"} == set(tried.json)
    assert not any(parse(word) for word in tried.text.replace('"', " ").split())
    assert each.status == done.status, done.text


@pytest.mark.parametrize("name", sorted(IN_EARNEST))
def test_what_reaches_beyond_the_database_cannot_be_tried(name: str) -> None:
    """
    Such an operation exists, and refuses the header by name.
    """
    request = HttpRequest()
    request.META["HTTP_RETINUE_DRY_RUN"] = "true"

    with pytest.raises(Refused) as refused:
        is_wanted(request, name)
    assert "header.Retinue-Dry-Run" == refused.value.field
    assert name in {each.name for each in OPERATIONS}


@pytest.mark.parametrize("path", ["/v1/probes", "/v1/epochs"])
def test_refused_over_http(world: World, path: str) -> None:
    """
    Whether it writes in one transaction or in many: nothing is done.
    """
    before = feed.position()
    answer = world.operator().post(path, {}, headers=TRY)

    assert (400, "header.Retinue-Dry-Run") == (answer.status, answer.field), answer.text
    assert before.epoch == feed.position().epoch


def test_a_try_is_refused_like_the_change(world: World) -> None:
    """
    A rule refuses it with the same problem. What the caller may not do (a missing right, more than it holds
    itself) is an event, as of the change itself; a rule is none.
    """
    body = _body(world)
    world.owner.post("/v1/service-accounts", body)
    tried = world.owner.post("/v1/service-accounts", body, headers=TRY)
    quiet = queries.latest(world.organization.id, 1)[0].type
    refused = world.user()[1].post("/v1/service-accounts", body, headers=TRY)
    right = queries.latest(world.organization.id, 1)[0].type
    account = world.account("other")
    more = {"permission": "report:read", "justification": "a test"}
    greedy = world.caller("grant:create")
    above = greedy.post(f"/v1/service-accounts/{account.id}/grants", more, headers=TRY)
    noted = queries.latest(world.organization.id, 1)[0]

    assert (403, "ceiling_exceeded") == (above.status, above.code)
    assert ("change.refused", greedy.id, "ceiling_exceeded") == (noted.type, noted.actor, noted.after["code"])
    assert (409, "duplicate_name") == (tried.status, tried.code)
    assert "change.refused" != quiet
    assert (403, "change.refused") == (refused.status, right)


def test_a_try_uses_up_no_idempotency_key(world: World) -> None:
    """
    The change itself can be sent with the key of its try.
    """
    body = _body(world)
    key = {"Idempotency-Key": "once"}
    world.owner.post("/v1/service-accounts", body, headers=TRY | key)
    made = world.owner.post("/v1/service-accounts", body, headers=key)

    assert (201, None) == (made.status, made.headers.get("idempotency-replayed"))


def test_another_value_is_refused(world: World) -> None:
    """
    What is neither true nor false does nothing, so that nobody takes the change for a try.
    """
    answer = world.owner.post("/v1/service-accounts", _body(world), headers={"Retinue-Dry-Run": "yes"})

    assert (400, "header.Retinue-Dry-Run") == (answer.status, answer.field), answer.text
    assert 0 == len(world.owner.get("/v1/service-accounts?search=etl").json["items"])


def _body(world: World) -> dict[str, object]:
    return {"name": "etl", "purpose": "a test", "owners": [world.owner.id]}
