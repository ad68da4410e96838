"""Keys of the policy, one by one: the same call with one value and with another comes to something else."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.access import actions as access
from retinue.server.api import guard
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.governance import keeping
from retinue.server.governance.models import Review
from retinue.server.ledger.transaction import SYSTEM, reading, transaction
from retinue.server.traffic.actions import Entry, ingest, prune
from retinue.server.traffic.models import Request
from retinue.verifier import Question
from tests.api.policies import set_policy
from tests.api.test_ingest_tokens import INGEST, issue
from tests.api.world import Caller, World
from tests.api.wrongs import ownerless, put

ACCOUNTS = "/v1/service-accounts"


def in_environment(world: World, environment: str, name: str) -> Principal:
    """An account that names an environment."""
    fields = AccountFields(name=name, purpose="x", owners=(world.owner.id,), environment=environment)
    with transaction(SYSTEM, reason="test") as tx:
        return access.create_account(tx, world.organization.id, fields)


def days_left(text: str) -> int:
    """How many days from now an instant is, rounded."""
    return round((datetime.fromisoformat(text) - timezone.now()) / timedelta(days=1))


@pytest.mark.parametrize(("days", "status"), [(0, 409), (3, 200), (1, 409)])
def test_deleted_accounts_come_back_for_so_many_days(world: World, days: int, status: int) -> None:
    """
    ``accounts.restore_days``: two days after the deletion; 0 is final at once.
    """
    set_policy(world, accounts__restore_days=days)
    account = world.account()
    world.owner.delete(f"{ACCOUNTS}/{account.id}")
    put(Principal, account.id, deleted_at=timezone.now() - timedelta(days=2 if days else 0))

    assert status == world.owner.post(f"{ACCOUNTS}/{account.id}/restore").status


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owners", ["owner"]),
        ("purpose", "x"),
        ("description", "x"),
        ("systems", ["erp"]),
        ("environment", "production"),
        ("roles", ["auditor"]),
        ("groups", ["Data"]),
    ],
)
def test_what_accounts_must_state_the_policy_says(world: World, field: str, value: Any) -> None:
    """
    ``accounts.required``: without the field an account is refused, with it it is made.
    """
    name = {"owners": "owner", "roles": "role", "groups": "group"}.get(field, field)
    set_policy(world, accounts__required=["name", name])
    world.owner.post("/v1/groups", {"name": "Data"})
    given = [world.owner.id] if field == "owners" else value
    without = world.owner.post(ACCOUNTS, {"name": "a", "justification": "x"})
    stated = world.owner.post(ACCOUNTS, {"name": "b", "justification": "x", field: given})

    assert (400, f"body.{field}") == (without.status, without.field)
    assert 201 == stated.status, stated.text


@pytest.mark.parametrize(("may", "status"), [(True, 201), (False, 403)])
def test_own_keys_are_rotated_where_the_policy_lets_that(world: World, may: bool, status: int) -> None:
    """
    ``credentials.self_rotation``: without any permission an account rotates its own key, or nothing.
    """
    set_policy(world, credentials__self_rotation=may)
    account = world.account()
    key, token = world.key(account)

    assert status == Caller(token, account).post(f"/v1/keys/{key.id}/rotate").status


def test_an_environment_has_a_longest_lifetime(world: World) -> None:
    """
    ``expiry.by_environment``: it caps what is asked for, and the answer says so; accounts elsewhere are not capped.
    """
    set_policy(world, expiry__by_environment={"production": 7})
    answers = [
        world.owner.post(f"{ACCOUNTS}/{account.id}/keys", {"name": "k1", "expires": "30d"})
        for account in (in_environment(world, "production", "a"), in_environment(world, "elsewhere", "b"))
    ]

    assert [201, 201] == [each.status for each in answers], [each.text for each in answers]
    assert [7, 30] == [days_left(each.json["key"]["expires_at"]) for each in answers]


@pytest.mark.parametrize("days", [30, 200])
def test_no_key_lives_longer_than_the_policy_says(world: World, days: int) -> None:
    """
    ``expiry.max_days``: more is asked for, the maximum is what is given, and the answer says so.
    """
    set_policy(world, expiry__max_days=days)
    made = world.owner.post(f"{ACCOUNTS}/{world.account().id}/keys", {"name": "k1", "expires": "300d"}).json

    assert (days, "maximum") == (days_left(made["key"]["expires_at"]), made["expiry"]["because"])


@pytest.mark.parametrize("days", [3, 10])
def test_keys_are_rotated_so_long_before_they_end(world: World, days: int) -> None:
    """
    ``rotation.lead_days``: of a key that lives for 90 days.
    """
    set_policy(world, rotation__lead_days=days)
    key, _ = world.key(world.account())

    assert 90 - days == days_left(world.owner.get(f"/v1/keys/{key.id}").json["rotate_by"])


@pytest.mark.parametrize("seconds", [60, 7_200])
def test_the_old_token_lives_on_for_the_overlap(world: World, seconds: int) -> None:
    """
    ``rotation.overlap_seconds``: the predecessor retires so long after the rotation.
    """
    set_policy(world, rotation__overlap_seconds=seconds)
    key, _ = world.key(world.account())
    world.owner.post(f"/v1/keys/{key.id}/rotate")
    old = world.owner.get(f"/v1/keys/{key.id}").json

    left = (datetime.fromisoformat(old["retires_at"]) - timezone.now()).total_seconds()
    assert seconds == pytest.approx(left, abs=30)


@pytest.mark.parametrize(("ceiling", "status"), [(True, 403), (False, 201)])
def test_more_than_one_holds_is_handed_out_where_the_policy_lets_that(
    world: World, ceiling: bool, status: int
) -> None:
    """
    ``grants.ceiling``: who may grant, and does not hold a permission, grants it to another.
    """
    set_policy(world, grants__ceiling=ceiling)
    granter, account = world.caller("grant:create"), world.account("other")

    answer = granter.post(f"{ACCOUNTS}/{account.id}/grants", {"permission": "report:read"})
    assert status == answer.status, answer.text


@pytest.mark.parametrize("place", ["header", "basic", "path"])
def test_ingest_tokens_stand_where_the_policy_says(world: World, place: str) -> None:
    """
    ``ingest.presentation``: in one place alone.
    """
    token = issue(world).json["token"]
    set_policy(world, ingest__presentation=[place])
    schemes = {"header": "bearer", "basic": "basic_token", "path": "path"}
    found = []
    with reading():
        for name, scheme in schemes.items():
            question = Question(
                token, (), world.organization.id, method="POST", path="/events/click", scheme=scheme, kinds=INGEST
            )  # fmt: skip
            if guard.verifier().verify(question).caller is not None:
                reason = getattr(guard.verifier().verify(question), "reason", None)
                found += [name] if reason is None else []

    assert [place] == found


@pytest.mark.parametrize(("days", "left"), [(1, 0), (3, 1)])
def test_the_request_log_is_kept_for_so_many_days(world: World, days: int, left: int) -> None:
    """
    ``request_log.retention_days``: a decision of two days ago.
    """
    set_policy(world, request_log={"retention_days": days})
    key, _ = world.key(world.account())
    then = int((timezone.now() - timedelta(days=2)).timestamp() * 1000)
    entry = Entry(then, world.organization.id, "sa", "etl", "service_account", key.id, True)
    ingest("a node", f"spool-{secrets.token_hex(6)}", 0, [entry])
    while prune(timezone.now(), 1_000):
        pass

    assert left == Request.objects.filter(credential=key.id).count()


@pytest.mark.parametrize(("days", "count"), [(30, 1), (60, 0)])
def test_reviews_come_in_the_rhythm_of_the_policy(world: World, days: int, count: int) -> None:
    """
    ``reviews.every_days``: in an organization that is 40 days old.
    """
    set_policy(world, reviews={"every_days": days})
    world.account()
    put(type(world.organization), world.organization.id, created_at=timezone.now() - timedelta(days=40))
    keeping.attend(timezone.now())

    assert count == len(world.owner.get("/v1/reviews").json["items"])


@pytest.mark.parametrize("days", [0, 5])
def test_who_is_silent_has_the_grace_of_the_policy(world: World, days: int) -> None:
    """
    ``reviews.grace_days``: so long after the day on which a review is due, silence is waited for.
    """
    set_policy(world, reviews={"grace_days": days})
    world.account()
    made = world.owner.post("/v1/reviews", {"name": "Autumn", "due_days": 2}).json
    ends, due = (datetime.fromisoformat(made[name]) for name in ("ends_at", "due_at"))

    assert days == (ends - due).days


@pytest.mark.parametrize(("meant", "state"), [("report", "enabled"), ("disable", "disabled")])
def test_silence_means_what_the_policy_says(world: World, meant: str, state: str) -> None:
    """
    ``reviews.no_answer``: nobody decides about an account until the review has ended.
    """
    set_policy(world, reviews={"no_answer": meant})
    account = world.account()
    made = world.owner.post("/v1/reviews", {"name": "Autumn"}).json
    then = timezone.now() - timedelta(days=6)
    put(Review, made["id"], due_at=then - timedelta(days=14), ends_at=then)
    keeping.attend(timezone.now())

    assert state == world.owner.get(f"{ACCOUNTS}/{account.id}").json["state"]


@pytest.mark.parametrize(("kinds", "count"), [(["ownerless", "naming"], 1), (["naming"], 0)])
def test_only_findings_of_the_policy_are_raised(world: World, kinds: list[str], count: int) -> None:
    """
    ``findings.kinds``: of an account without owner.
    """
    set_policy(world, findings__kinds=kinds)
    ownerless(world)

    assert count == len(world.owner.get("/v1/findings").json["items"])


@pytest.mark.parametrize(("names", "status"), [(["report:read"], 403), (["pat:issue"], 201)])
def test_what_services_never_have_the_policy_says(world: World, names: list[str], status: int) -> None:
    """
    ``forbidden_for_service.permissions``: granted to an account.
    """
    set_policy(world, forbidden_for_service={"permissions": names})
    account = world.account()

    answer = world.owner.post(f"{ACCOUNTS}/{account.id}/grants", {"permission": "report:read"})
    assert status == answer.status, answer.text


@pytest.mark.parametrize(("asked", "status"), [("required", 422), ("optional", 201)])
def test_a_reason_is_asked_where_the_policy_says_so(world: World, asked: str, status: int) -> None:
    """
    ``elevated.justification``: an elevated permission is granted without one.
    """
    set_policy(world, elevated={"justification": asked})
    account = world.account()
    body = {"permission": "credential:issue"}

    assert status == world.owner.post(f"{ACCOUNTS}/{account.id}/grants", body).status


@pytest.mark.parametrize(("names", "status"), [(["report:read"], 422), (["credential:issue"], 201)])
def test_what_is_elevated_the_policy_says(world: World, names: list[str], status: int) -> None:
    """
    ``elevated.permissions``: granting one of them needs a reason, granting another does not.
    """
    set_policy(world, elevated={"permissions": names})
    account = world.account()

    answer = world.owner.post(f"{ACCOUNTS}/{account.id}/grants", {"permission": "report:read"})
    assert status == answer.status


@pytest.mark.parametrize(("approval", "state"), [("none", "active"), ("four_eyes", "pending")])
def test_a_second_person_is_asked_where_the_policy_says_so(world: World, approval: str, state: str) -> None:
    """
    ``elevated.approval``: what is elevated waits, or is given at once.
    """
    set_policy(world, elevated={"approval": approval})
    body = {"subject": world.account().id, "permission": "grant:create", "justification": "robots"}

    assert state == world.owner.post("/v1/grants", body).json["state"]
