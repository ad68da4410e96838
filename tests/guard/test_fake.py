"""The guard by itself, over the replica that tests of hosts use."""

from __future__ import annotations

import pickle

import pytest

from retinue.guard import Caller, Denied, Guard
from retinue.guard.testing import FakeGuard, Tokens
from retinue.verifier import UnknownOrganization


@pytest.fixture
def guard() -> FakeGuard:
    """A guard with its own tokens."""
    return Guard.fake()


def _refused(guard: Guard, token: str | None, *need: str) -> Denied:
    with pytest.raises(Denied) as caught:
        guard.verify(token, need)
    return caught.value


def test_a_token_that_may_is_its_caller(guard: FakeGuard) -> None:
    """
    The caller says who it is and what was decided; what else it may do is asked by it.
    """
    caller = guard.verify(guard.token("report:read", "report:write", name="etl"), "report:read")

    assert ("service_account", "etl", "report:read") == (caller.kind, caller.name, caller.permission)
    assert (True, False) == (caller.can("report:write"), caller.can("report:export"))
    with pytest.raises(Denied, match="permission_missing"):
        caller.require("report:export")


def test_every_permission_of_a_list_is_needed(guard: FakeGuard) -> None:
    """
    One of two is not enough, and the missing one is named.
    """
    token = guard.token("report:read")
    denied = _refused(guard, token, "report:read", "report:write")

    assert ("permission_missing", 403, ("report:write",)) == (denied.reason, denied.status, denied.required)
    assert (
        'Bearer realm="retinue", error="insufficient_scope", scope="report:write"' == denied.www_authenticate
    )
    assert b"report:read" not in denied.body


@pytest.mark.parametrize(
    ("token", "reason", "status"),
    [(None, "token_missing", 401), ("", "token_missing", 401), ("x", "token_malformed", 401)],
)
def test_what_is_no_token_is_refused(guard: FakeGuard, token: str | None, reason: str, status: int) -> None:
    """
    Nothing, an empty text and any other text are told apart, and never let in.
    """
    denied = _refused(guard, token, "report:read")

    assert (reason, status) == (denied.reason, denied.status)
    assert "application/problem+json" == denied.headers["Content-Type"]
    assert "no-store" == denied.headers["Cache-Control"]


def test_a_token_of_another_guard_is_unknown(guard: FakeGuard) -> None:
    """
    Each fake has its own pepper and its own tokens.
    """
    assert "token_unknown" == _refused(guard, Guard.fake().token("report:read"), "report:read").reason


@pytest.mark.parametrize(
    ("state", "reason"),
    [("expired", "credential_expired"), ("revoked", "credential_revoked"), ("stale", "replica_stale")],
)
def test_tokens_of_every_state(guard: FakeGuard, state: str, reason: str) -> None:
    """
    What the fixture calls expired, revoked or stale is denied for that reason.
    """
    told = getattr(Tokens(guard), state)("report:read")["Authorization"]

    assert reason == _refused(guard, told.removeprefix("Bearer "), "report:read").reason


@pytest.mark.parametrize(
    ("state", "field"), [("retiring", "Retinue-Token-Retires"), ("expiring", "Retinue-Token-Expires")]
)
def test_warnings_become_header_fields(guard: FakeGuard, state: str, field: str) -> None:
    """
    A caller is told what comes although its request was allowed.
    """
    told = getattr(Tokens(guard), state)("report:read")["Authorization"]
    caller = guard.verify(told.removeprefix("Bearer "), "report:read")

    assert {field} == set(caller.headers)
    assert caller.headers[field].endswith("Z")


def test_the_token_stands_nowhere(guard: FakeGuard) -> None:
    """
    Neither caller nor denial prints it, and a caller that goes to another process does not carry it.
    """
    token = guard.token("report:read")
    caller = guard.verify(token, "report:read")
    denied = _refused(guard, token, "report:write")

    assert token not in f"{caller!r} {denied!r} {denied} {denied.body!r} {denied.headers}"
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        pickle.dumps(caller)


def test_a_caller_without_a_guard_cannot_be_asked() -> None:
    """
    It says so instead of allowing or denying.
    """
    with pytest.raises(TypeError):
        Caller("user", "u", "Ada", "org", "pat", None, 1).can("report:read")


def test_an_organization_that_does_not_exist_is_a_mistake_of_the_program() -> None:
    """
    It is raised as such, not answered as a denial.
    """

    class Elsewhere(FakeGuard):
        def __init__(self) -> None:
            super().__init__("nowhere")

    guard = Elsewhere()
    guard.replica.decide = guard.replica._verifier.verify  # type: ignore[method-assign, assignment]
    with pytest.raises(UnknownOrganization):
        guard.verify("x")
