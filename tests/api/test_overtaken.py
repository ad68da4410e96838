"""A caller from whom something is taken between its decision and the commit of its change."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db import connection

from retinue.server.api import confirming
from retinue.server.ledger import rows
from tests.api.world import JSON, Answer, Caller, World
from tests.storage.estate import Task, hooked

Act = Callable[[], Answer]
ACCOUNTS = "/v1/service-accounts"
NEEDS = "credential:rename"
#: What others do is not waited for: the nodes of other tests may be slow.
AT_ONCE = {"Prefer": "wait=0"}


@contextmanager
def _meanwhile(*acts: Act) -> Iterator[None]:
    """Commit an act of others each time that this thread is about to take its revision.

    SQLite has one writer: there they wait until this one is done.
    """
    left, tasks, here = list(acts), list[Task](), threading.current_thread()

    def before() -> None:
        if threading.current_thread() is here and left:
            tasks.append(Task(left.pop(0)))
            if connection.vendor == "postgresql":
                assert tasks[-1].result().status < 300

    with hooked(rows, "next_revision", before=before):
        yield
    for task in tasks:
        assert task.result().status < 300


@dataclass(frozen=True)
class Target:
    """A key of somebody else, which the caller renames: an act that locks no row of the caller."""

    world: World
    id: str

    @classmethod
    def create(cls, world: World) -> Target:
        """Make one."""
        return cls(world, world.key(world.account(f"other-{secrets.token_hex(4)}"))[0].id)

    def rename(self, caller: Caller, headers: dict[str, str] | None = None) -> Answer:
        """Have ``caller`` rename it."""
        return caller.patch(f"/v1/keys/{self.id}", {"name": "renamed"}, headers)

    @property
    def renamed(self) -> int:
        """How often that was committed."""
        path = f"/v1/audit-events?subject={self.id}&type=key.renamed"
        return len(self.world.owner.get(path).json["items"])


def _key(world: World, caller: Caller) -> str:
    found: JSON = world.owner.get(f"{ACCOUNTS}/{caller.id}/keys").json["items"][0]
    return str(found["id"])


def _revoke(world: World, caller: Caller) -> Act:
    path = f"/v1/keys/{_key(world, caller)}/revoke"
    return lambda: world.owner.post(path, {}, AT_ONCE)


def _narrow(world: World, caller: Caller) -> Act:
    path = f"/v1/keys/{_key(world, caller)}/restrict"
    return lambda: world.owner.post(path, {"restrictions": {"networks": ["198.51.100.0/24"]}}, AT_ONCE)


def _disable(world: World, caller: Caller) -> Act:
    return lambda: world.owner.post(f"{ACCOUNTS}/{caller.id}/disable", {}, AT_ONCE)


def _ungrant(world: World, caller: Caller) -> Act:
    grants = world.owner.get(f"{ACCOUNTS}/{caller.id}/grants").json["items"]
    (path,) = [f"{ACCOUNTS}/{caller.id}/grants/{each['id']}" for each in grants]
    return lambda: world.owner.delete(path, AT_ONCE)


CASES: dict[str, tuple[Callable[[World, Caller], Act], int, str]] = {
    "key revoked": (_revoke, 401, "credential_revoked"),
    "key narrowed": (_narrow, 403, "network_not_allowed"),
    "account disabled": (_disable, 401, "account_disabled"),
    "grant ended": (_ungrant, 403, "permission_missing"),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_committed(world: World, case: str) -> None:
    """
    It gets the answer of a call that is made now, and nothing is there. On SQLite whoever takes it away comes
    after the change.
    """
    act, status, code = CASES[case]
    caller, target = world.caller(NEEDS), Target.create(world)
    with _meanwhile(act(world, caller)):
        answer = target.rename(caller)
    if connection.vendor == "sqlite":
        assert (200, 1) == (answer.status, target.renamed)
        return

    assert (status, code, 0) == (answer.status, answer.code, target.renamed)


def _role(world: World, caller: Caller) -> Act:
    """Take the permission out of the role by which ``caller`` holds it."""
    body = {"name": f"r-{secrets.token_hex(4)}", "permissions": [NEEDS]}
    role = world.owner.post("/v1/roles", body).json
    given = {"subject": caller.id, "role": role["handle"], "justification": "a test"}
    assert 201 == world.owner.post("/v1/assignments", given).status
    return lambda: world.owner.patch(f"/v1/roles/{role['id']}", {"permissions": []}, AT_ONCE)


def test_a_role_of_the_caller_shrinks(world: World) -> None:
    """
    No record of the caller's own changes, and what it may do is less all the same.
    """
    caller, target = world.caller(), Target.create(world)
    with _meanwhile(_role(world, caller)):
        answer = target.rename(caller)
    expected = (200, 1) if connection.vendor == "sqlite" else (403, 0)

    assert expected == (answer.status, target.renamed)


def test_what_is_taken_from_others_holds_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A key of somebody else is revoked, or the caller gets more: the change is made, and begun once.
    """
    begun: list[object] = []
    monkeypatch.setattr(confirming, "_decide_anew", lambda *given: begun.append(given))
    other, caller = world.caller(NEEDS), world.caller(NEEDS)
    more = {"permission": "report:read", "justification": "a test"}
    for act in (
        _revoke(world, other),
        lambda: world.owner.post(f"{ACCOUNTS}/{caller.id}/grants", more, AT_ONCE),
    ):
        target = Target.create(world)
        with _meanwhile(act):
            answer = target.rename(caller)

        assert (200, 1) == (answer.status, target.renamed)
    assert [] == begun


def test_a_change_that_is_begun_again_happens_once(world: World) -> None:
    """
    The caller is narrowed to networks that hold its own: it is made anew, once, and a retry gets the same answer.
    """
    caller, target = world.caller(NEEDS), Target.create(world)
    path = f"/v1/keys/{_key(world, caller)}/restrict"
    narrowed = {"restrictions": {"networks": ["127.0.0.0/8"]}}
    key = {"Idempotency-Key": secrets.token_hex(8)}
    with _meanwhile(lambda: world.owner.post(path, narrowed, AT_ONCE)):
        answer = target.rename(caller, key)
    again = target.rename(caller, key)

    assert (200, 200, 1) == (answer.status, again.status, target.renamed)
    assert ("true", answer.json) == (again.headers["idempotency-replayed"], again.json)


def test_who_loses_something_each_time_is_told_to_try_again(world: World) -> None:
    """
    After a few times it is 503, nothing is there, and a call afterwards is made.
    """
    caller, target = world.caller(NEEDS), Target.create(world)
    path = f"/v1/keys/{_key(world, caller)}/restrict"

    def narrowed(n: int) -> Act:
        networks = ["127.0.0.0/8", f"198.51.{n}.0/24"]
        return lambda: world.owner.post(path, {"restrictions": {"networks": networks}}, AT_ONCE)

    with _meanwhile(*(narrowed(n) for n in range(confirming.MOST_TRIES))):
        answer = target.rename(caller)
    expected = (200, 1) if connection.vendor == "sqlite" else (503, 0)

    assert expected == (answer.status, target.renamed)
    assert 200 == target.rename(caller).status
