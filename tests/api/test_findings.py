"""``/v1/findings``: what is found, and who answers for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.credentials.models import Credential
from retinue.server.directory.models import Ownership, Principal
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.traffic.actions import Entry, ingest
from tests.api.world import Caller, World

NOW = timezone.now()


def _days(count: float) -> datetime:
    return timezone.now() - timedelta(days=count)


def _set(model: type[Any], ident: str, **values: object) -> None:
    """Make a row older than it can be in a test."""
    with suspended_for_schema_changes():
        model.objects.filter(pk=ident).update(**values)


def _account(world: World, name: str = "etl", **values: object) -> Principal:
    account = world.account(name, permissions=("report:read", "report:write"))
    _set(Principal, account.id, documentation="https://docs.example", systems=["erp"], **values)
    return account


def _key(world: World, account: Principal, **values: object) -> Credential:
    credential = world.key(account)[0]
    _set(Credential, credential.id, **values)
    return credential


def _use(
    world: World, account: Principal, credential: Credential, at: datetime, times: int = 1, **said: object
) -> None:
    """A node ships one decision about a key."""
    told: dict[str, Any] = {"allowed": True, "permission": "report:read", "address": "192.0.2.1"} | said
    entry = Entry(
        at_ms=int(at.timestamp() * 1000), organization=world.organization.id, account=account.id,
        account_name=account.name, account_kind=account.kind, credential_id=credential.id, **told,
    )  # fmt: skip
    ingest("node", secrets.token_hex(8), 0, [entry] * times)


def _found(caller: Caller, **query: str) -> dict[str, list[str]]:
    """The subjects of what is found, by kind."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    found: dict[str, list[str]] = {}
    for item in caller.get(f"/v1/findings?limit=200&{words}").json["items"]:
        found.setdefault(item["kind"], []).append(item["subject"]["id"])
    return found


def _ownerless(world: World) -> str:
    account = _account(world)
    with suspended_for_schema_changes():
        Ownership.objects.filter(account_id=account.id).delete()
    return account.id


def _undocumented(world: World) -> str:
    account = _account(world)
    _set(Principal, account.id, purpose="")
    return account.id


def _idle_account(world: World) -> str:
    account = _account(world, created_at=_days(200))
    _use(world, account, _key(world, account), _days(91))
    return account.id


def _over_permitted(world: World) -> str:
    account = _account(world, created_at=_days(200))
    _use(world, account, _key(world, account), _days(1))
    return account.id


def _disabled_in_use(world: World) -> str:
    account = _account(world, state="disabled")
    _use(world, account, _key(world, account), _days(1), allowed=False, reason="account_disabled")
    return account.id


def _idle_credential(world: World) -> str:
    account = _account(world)
    key = _key(world, account, issued_at=_days(200))
    _use(world, account, key, _days(91))
    return key.id


def _never_used(world: World) -> str:
    return _key(world, _account(world), issued_at=_days(91)).id


def _no_expiry(world: World) -> str:
    return _key(world, _account(world), expires_at=None).id


def _policy_violation(world: World) -> str:
    return _key(world, _account(world), expires_at=_days(-400)).id


def _expires_soon(world: World) -> str:
    account = _account(world)
    key = _key(world, account, expires_at=_days(-20))
    _use(world, account, key, _days(1))
    return key.id


def _rotation_due(world: World) -> str:
    return _key(world, _account(world), rotate_by=_days(1)).id


def _rotation_stalled(world: World) -> str:
    account = _account(world)
    key = world.key(account)[0]
    assert 201 == world.owner.post(f"/v1/keys/{key.id}/rotate", {"overlap": "24h"}).status
    _set(Credential, Credential.objects.get(rotated_from=key.id).id, issued_at=_days(0.9))
    _set(Credential, key.id, retires_at=_days(-0.1))
    return key.id


def _expired_in_use(world: World) -> str:
    account = _account(world)
    key = _key(world, account, expires_at=_days(2))
    _use(world, account, key, _days(1), allowed=False, reason="credential_expired")
    return key.id


def _repeated_denials(world: World) -> str:
    account = _account(world)
    key = _key(world, account)
    for _ in range(50):
        _use(world, account, key, _days(0.1), allowed=False, reason="permission_missing")
    return key.id


def _shared_token(world: World) -> str:
    account = _account(world)
    key = _key(world, account)
    for network in (1, 2, 3):
        _use(world, account, key, _days(0.1), address=f"192.0.{network}.7")
    return key.id


def _new_network(world: World) -> str:
    account = _account(world)
    key = _key(world, account)
    _use(world, account, key, _days(30))
    _use(world, account, key, _days(2), address="198.51.100.7")
    return key.id


def _pat_in_production(world: World) -> str:
    user, _ = world.user()
    token = Credential.objects.get(principal_id=user.id)
    _use(world, user, token, _days(1), times=1_000)
    return token.id


CASES: dict[str, Callable[[World], str]] = {
    "ownerless": _ownerless,
    "undocumented": _undocumented,
    "idle_account": _idle_account,
    "over_permitted": _over_permitted,
    "disabled_in_use": _disabled_in_use,
    "idle_credential": _idle_credential,
    "never_used": _never_used,
    "no_expiry": _no_expiry,
    "policy_violation": _policy_violation,
    "expires_soon": _expires_soon,
    "rotation_due": _rotation_due,
    "rotation_stalled": _rotation_stalled,
    "expired_in_use": _expired_in_use,
    "repeated_denials": _repeated_denials,
    "shared_token": _shared_token,
    "new_network": _new_network,
    "pat_in_production": _pat_in_production,
}


@pytest.mark.parametrize("kind", CASES)
def test_a_finding_names_its_subject_and_nothing_else(world: World, kind: str) -> None:
    """
    What is wrong is found, about that subject alone; beside it stands an account with which all is well.
    """
    _key(world, _account(world, "fine"))
    assert {} == _found(world.owner)

    subject = CASES[kind](world)
    found = _found(world.owner, kind=kind)
    assert {kind: [subject]} == found
    one = world.owner.get(f"/v1/findings/fnd_{kind}-{subject}").json
    assert (subject, "open", None) == (one["subject"]["id"], one["state"], one["exception"])
    assert {"kind": kind, "severity": one["severity"], "open": 1} in world.owner.get(
        "/v1/findings/counts"
    ).json["items"]


def test_a_finding_ends_with_its_cause(world: World) -> None:
    """
    Once an account has an owner again, nothing is found, and the finding is gone by its id.
    """
    account = _ownerless(world)
    path = f"/v1/findings/fnd_ownerless-{account}"
    before = world.owner.get(path).status
    world.owner.patch(f"/v1/service-accounts/{account}", {"owners": [world.owner.id]})

    assert (200, 404) == (before, world.owner.get(path).status)
    assert "ownerless" not in _found(world.owner)


def test_an_exception_holds_until_its_date(world: World) -> None:
    """
    Accepted, a finding is listed apart; taken back, or when its date has come, it is open again.
    """
    account = _ownerless(world)
    path = f"/v1/findings/fnd_ownerless-{account}"
    until = (timezone.now() + timedelta(days=30)).isoformat()
    accepted = world.owner.post(f"{path}/accept", {"reason": "moves to another team", "until": until})
    open_now, apart = _found(world.owner), _found(world.owner, state="accepted")

    assert (200, "accepted", "moves to another team") == (
        accepted.status, accepted.json["state"], accepted.json["exception"]["reason"]
    )  # fmt: skip
    assert ({}, {"ownerless": [account]}) == (open_now, apart)
    reopened = world.owner.post(f"{path}/reopen", {})
    assert (200, "open") == (reopened.status, reopened.json["state"])
    assert 409 == world.owner.post(f"{path}/reopen", {}).status
    assert {"ownerless": [account]} == _found(world.owner)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"until": "2020-01-01T00:00:00Z", "reason": "x"}, "body.until"),
        ({"until": "2999-01-01T00:00:00Z", "reason": "x"}, "body.until"),
        ({"until": "tomorrow", "reason": "x"}, "body.until"),
        ({"until": (NOW + timedelta(days=9)).isoformat()}, "body.reason"),
        ({"reason": "x"}, "body.until"),
    ],
)
def test_a_bad_exception_is_refused(world: World, body: dict[str, str], field: str) -> None:
    """
    An exception needs a reason and a date within a year; what is missing is named.
    """
    path = f"/v1/findings/fnd_ownerless-{_ownerless(world)}"
    answer = world.owner.post(f"{path}/accept", body)

    assert (400, field) == (answer.status, answer.field)
    assert "open" == world.owner.get(path).json["state"]


def test_pages_lose_and_double_nothing(world: World) -> None:
    """
    Page by page, each finding comes once, in the order of the whole list.
    """
    for name in ("a", "b", "c", "d"):
        account = _account(world, name)
        _set(Principal, account.id, purpose="")
        _key(world, account, expires_at=None)
    whole = [item["id"] for item in world.owner.get("/v1/findings?limit=200").json["items"]]
    paged: list[str] = []
    cursor = ""
    while True:
        page = world.owner.get(f"/v1/findings?limit=3{cursor}").json
        paged += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert 8 < len(whole)
    assert whole == paged


def test_findings_of_another_organization_do_not_exist(world: World) -> None:
    """
    Neither in the list nor by id, and nobody answers for them.
    """
    account = _ownerless(world)
    other = World.create()
    path = f"/v1/findings/fnd_ownerless-{account}"
    until = (timezone.now() + timedelta(days=30)).isoformat()

    assert {} == _found(other.owner, subject=account)
    assert 404 == other.owner.get(path).status
    assert 404 == other.owner.post(f"{path}/accept", {"reason": "x", "until": until}).status
    assert 404 == other.owner.get("/v1/findings/fnd_nothing-x").status
