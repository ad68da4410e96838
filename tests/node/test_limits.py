"""Over HTTP: an account that asks too much is told so, by whatever worker it is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.node.schemes_world import A_MINUTE, add, answer, fields
from tests.node.wire import Reply
from tests.node.world import Node, World, build, running
from tests.support.counters import are_shared
from tests.support.processes import free_port, wait_for


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The usual replica, with an organization that limits its accounts."""
    built = build(tmp_path_factory.mktemp("limits") / "home")
    add(built)
    return built


@pytest.fixture(scope="module")
def nodes(world: World) -> Iterator[tuple[Node, Node]]:
    """Two workers of one host, each with a port of its own."""
    with running(world, index=0, port=free_port()) as one, running(world, index=1, port=free_port()) as other:
        wait_for("each reads the other's counters", lambda: are_shared(one.process.pid, other.process.pid))
        yield one, other


def ask(node: Node, name: str, need: str = "report:read") -> Reply:
    """Ask as a gateway does."""
    return node.get(f"/v1/forward-auth/{need}", *fields(node.world, "bearer", name))


def test_workers_of_a_host_admit_the_limit_together(nodes: tuple[Node, Node]) -> None:
    """
    In turn, and then none: 429, the reason, after how many seconds to come again, and what the limit is.
    """
    replies = [ask(nodes[place % 2], "limited") for place in range(A_MINUTE + 4)]

    assert [200] * A_MINUTE + [429] * 4 == [each.status for each in replies]
    allowed, refused = replies[0], replies[-1]
    assert "rate_limited" == refused.fields["retinue-error"] == refused.code
    assert 1 <= int(refused.fields["retry-after"]) <= 60
    assert (str(A_MINUTE), str(A_MINUTE - 1)) == (
        allowed.fields["x-ratelimit-limit"],
        allowed.fields["x-ratelimit-remaining"],
    )
    assert f'"account";q={A_MINUTE};w=60' == refused.fields["ratelimit-policy"]
    assert refused.fields["ratelimit"].startswith('"account";r=0;t=')


def test_another_account_has_a_limit_of_its_own(nodes: tuple[Node, Node]) -> None:
    """
    And what is denied for another reason costs nothing of it.
    """
    for _ in range(A_MINUTE + 2):
        assert (403, "permission_missing") == answer(ask(nodes[0], "other-limited", "report:write"))

    assert str(A_MINUTE - 1) == ask(nodes[1], "other-limited").fields["x-ratelimit-remaining"]


def test_who_has_no_limit_is_told_none(nodes: tuple[Node, Node]) -> None:
    """
    The fields stand there all the same, empty: a gateway that copies an absent one may copy nonsense.
    """
    reply = ask(nodes[0], "reader")

    assert 200 == reply.status
    assert {""} == {
        reply.fields[name] for name in ("x-ratelimit-limit", "ratelimit", "ratelimit-policy", "retry-after")
    }


def test_a_question_is_answered_with_what_is_left(nodes: tuple[Node, Node]) -> None:
    """
    Every decision is 200; the quota stands in it where there is one.
    """
    body = json.dumps({"token": nodes[0].world.token("asked"), "need": ["report:read"]}).encode()
    answers = [
        nodes[0].get("/v1/verify", "Content-Type: application/json", method="POST", body=body)
        for _ in range(A_MINUTE + 1)
    ]

    assert {200} == {each.status for each in answers}
    assert A_MINUTE - 1 == answers[0].json()["quota"]["remaining"]
    last = answers[-1].json()
    assert (False, "rate_limited", 0) == (last["allowed"], last["reason"], last["quota"]["remaining"])
    assert last["quota"]["retry_after"] >= 1
