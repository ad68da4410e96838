"""The policy of an organization holds for a guard as for a node: limits, and how a denial is told."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from retinue.guard import Denied, Guard
from retinue.node.worker import WATCH_SECONDS
from retinue.verifier import Question
from tests.guard.installed import issue, reason
from tests.support.installation import ORGANIZATION, Installation
from tests.support.processes import wait_for


def _policy(installation: Installation, **change: object) -> None:
    made = installation.change("PATCH", "/v1/policy", change)
    assert 200 == made.status, made.body


def _limit(installation: Installation, calls: int) -> None:
    """Let accounts of the environment ``limited`` make so many calls in a minute."""
    _policy(installation, environment="limited", set={"limits.per_account": {"per_minute": calls}})


def _within_a_minute() -> None:
    """Wait until a minute goes on for long enough: the calls of the one before count for less and less."""
    wait_for("a minute that lasts", lambda: time.time() % 60 < 50, seconds=15)


def test_the_limit_of_an_account_holds(guard: Guard, installation: Installation) -> None:
    """
    So many calls as the policy says are let in, and told what is left; the next is 429 and told when to come again.
    """
    _limit(installation, 3)
    _, _, token = issue(installation, "report:read", environment="limited")

    _within_a_minute()
    left = [guard.verify(token, "report:read").headers["X-RateLimit-Remaining"] for _ in range(3)]
    with pytest.raises(Denied) as caught:
        guard.verify(token, "report:read")

    assert ["2", "1", "0"] == left
    assert ("rate_limited", 429, "3") == (
        caught.value.reason,
        caught.value.status,
        caught.value.headers["X-RateLimit-Limit"],
    )
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60


def test_a_denial_is_told_as_the_organization_wants(guard: Guard, installation: Installation) -> None:
    """
    Its status and its body, in process and over HTTP (``responses.status``, ``responses.errors``).
    """
    _, _, token = issue(installation)
    keys = {"responses.status": {"unauthenticated": 403, "forbidden": 404}, "responses.errors": "flat"}
    _policy(installation, set=keys)
    try:
        denials = []
        for presented in (token, None):
            with pytest.raises(Denied) as caught:
                guard.verify(presented, "report:read")
            denials.append((caught.value.status, json.loads(caught.value.body)["status_code"]))
    finally:
        _policy(installation, unset=list(keys))

    assert [(404, 404), (403, 403)] == denials


def test_a_rotated_key_is_told_its_end(guard: Guard, installation: Installation) -> None:
    """
    As an instant and as a header field, in process and over HTTP: the end of its overlap.
    """
    _, key, token = issue(installation, "report:read")
    body = {"overlap": "2h"}
    rotated = installation.change("POST", f"/v1/keys/{key}/rotate", body)

    def retires() -> bool:
        return guard.verify(token, "report:read").retires_at is not None

    assert rotated.status < 300, rotated.body
    wait_for("the guard knows of the rotation", retires)
    caller = guard.verify(token, "report:read")
    assert caller.retires_at is not None
    assert 7000 < (caller.retires_at - datetime.now(UTC)).total_seconds() <= 7200
    assert "retiring" in caller.warnings
    assert caller.headers["Retinue-Token-Retires"].startswith(f"{caller.retires_at:%Y-%m-%dT%H:%M:%S}")


def test_a_host_has_one_budget(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What a node lets in counts for a guard beside it, and the other way round; further questions about a call
    that was let in cost nothing.
    """
    _limit(installation, 4)
    _, _, token = issue(installation, "report:read", environment="limited")
    monkeypatch.delenv("RETINUE_REPLICA", raising=False)
    monkeypatch.setenv("RETINUE_HOME", str(installation.home))
    here, node = Guard(ORGANIZATION), Guard(ORGANIZATION, node_url=installation.node_url)
    here.decider.decide(Question(token, ("report:read",), counts=False))  # its counters are open

    def together() -> bool:
        _, _, probe = issue(installation, "report:read", environment="limited")
        node.verify(probe)
        return here.verify(probe).headers["X-RateLimit-Remaining"] == "2"

    wait_for("counters that see each other", together)
    time.sleep(3 * WATCH_SECONDS)  # by then each worker of the node has seen the guard's counters, too
    _within_a_minute()
    caller = here.verify(token, "report:read")
    asked = [caller.can("report:read") for _ in range(9)]
    node.verify(token)
    here.verify(token)
    node.verify(token)

    assert [True] * 9 == asked
    assert ["rate_limited"] * 2 == [reason(each, token) for each in (here, node)]
