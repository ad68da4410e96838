"""``/v1/reviews``: accounts are reviewed by who answers for them, and what was decided is done."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.directory.models import Ownership, Principal
from retinue.server.governance import keeping, reviews
from retinue.server.governance.models import Review
from retinue.server.ledger.guard import suspended_for_schema_changes
from tests.api.world import JSON, Caller, World


def _open(world: World, **more: object) -> str:
    answer = world.owner.post("/v1/reviews", {"name": "Autumn", **more})
    assert 201 == answer.status, answer.text
    return f"/v1/reviews/{answer.json['id']}"


def _items(world: World, path: str) -> dict[str, JSON]:
    items = world.owner.get(f"{path}/items?limit=200").json["items"]
    return {item["account"]["handle"]: item for item in items}


def _decide(caller: Caller, path: str, item: JSON, **body: object) -> Any:
    return caller.post(f"{path}/items/{item['id']}/decide", body)


def _set(model: type[Any], ident: str, **values: object) -> None:
    with suspended_for_schema_changes():
        model.objects.filter(pk=ident).update(**values)


def _end(path: str) -> datetime:
    """Let the time to answer be over."""
    now = timezone.now()
    _set(Review, path.rpartition("/")[2], due_at=now - timedelta(days=20), ends_at=now - timedelta(days=6))
    return now


def test_decisions_are_applied_together_with_one_receipt(world: World) -> None:
    """
    Each account gets what was decided about it, an outcome in words, and the change holds on every node.
    """
    for name in ("kept", "off", "gone", "moved"):
        world.key(world.account(name, permissions=("report:read",)))
    heir, _ = world.user("Hedda Heir")
    path = _open(world)
    items = _items(world, path)
    for name, body in {
        "kept": {"decision": "keep"},
        "off": {"decision": "disable", "note": "not needed until spring"},
        "gone": {"decision": "delete"},
        "moved": {"decision": "reassign", "assignee": heir.id},
    }.items():
        assert 200 == _decide(world.owner, path, items[name], **body).status
    before = world.owner.get(f"/v1/service-accounts/{items['off']['account']['id']}").json["state"]
    applied = world.owner.post(f"{path}/apply", {})

    assert "enabled" == before
    assert (200, "applied", {"accounts": 4, "decided": 4}) == (
        applied.status, applied.json["state"], applied.json["progress"]
    )  # fmt: skip
    assert applied.json["receipt"]["complete"]
    outcomes = {name: item["outcome"] for name, item in _items(world, path).items()}
    assert {"kept": "kept", "off": "disabled", "gone": "deleted", "moved": "reassigned"} == outcomes
    states = dict(Principal.objects.filter(organization=world.organization).values_list("handle", "state"))
    assert ("enabled", "disabled", "deleted") == (states["kept"], states["off"], states["gone"])
    assert [heir.id] == list(
        Ownership.objects.filter(account__handle="moved", owner=heir).values_list("owner", flat=True)
    )
    assert 409 == world.owner.post(f"{path}/apply", {}).status


def test_evidence_is_frozen(world: World) -> None:
    """
    A reviewer sees purpose, owners, permissions held and used, and keys as they were at the beginning.
    """
    account = world.account("etl", permissions=("report:read", "report:write"))
    key, _ = world.key(account)
    path = _open(world)
    world.owner.patch(f"/v1/service-accounts/{account.id}", {"purpose": "changed"})
    evidence = _items(world, path)["etl"]["evidence"]

    assert ("a test", ["report:read", "report:write"], {}) == (
        evidence["purpose"], evidence["permissions_held"], evidence["permissions_used"]
    )  # fmt: skip
    assert [world.owner.id] == [owner["id"] for owner in evidence["owners"]]
    assert [key.id] == [each["id"] for each in evidence["keys"]]
    assert 0 < evidence["changes_since_last_review"]


def test_evidence_of_many_accounts_is_frozen_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Of many, evidence is shown as it is now, and frozen by the decision or soon.
    """
    monkeypatch.setattr(reviews, "AT_ONCE", 1)
    accounts = {name: world.account(name, permissions=("report:read",)) for name in ("a1", "b2", "c3")}
    path = _open(world)
    begun = _items(world, path)
    later = sorted(name for name in accounts if begun[name]["gathered_at"] is None)
    for account in accounts.values():
        world.owner.patch(f"/v1/service-accounts/{account.id}", {"purpose": "changed"})
    shown = _items(world, path)
    _decide(world.owner, path, shown[later[0]], decision="keep", note="needed")
    prepared = keeping.prepare(timezone.now()), keeping.prepare(timezone.now())
    for account in accounts.values():
        world.owner.patch(f"/v1/service-accounts/{account.id}", {"purpose": "changed again"})
    ended = _items(world, path)

    assert (3, (2, 0)) == (len(later), prepared)
    assert ["changed"] * 3 == [shown[name]["evidence"]["purpose"] for name in later]
    assert {"changed": 3} == Counter(each["evidence"]["purpose"] for each in ended.values())
    assert all(each["gathered_at"] for each in ended.values())
    events = world.owner.get("/v1/audit-events?type=review.prepared").json["items"]
    assert [{"accounts": 1}] * 2 == [each["after"] for each in events]


def test_keeping_what_is_unused_or_elevated_needs_a_reason(world: World) -> None:
    """
    A plain keep is refused for an elevated account, and taken with a note.
    """
    world.account("strong", permissions=("grant:create",))
    path = _open(world)
    item = _items(world, path)["strong"]
    plain, noted = (_decide(world.owner, path, item, decision="keep", note=note) for note in ("", "needed"))

    assert item["needs_reason"]
    assert (400, "body.note") == (plain.status, plain.field)
    assert (200, "keep", "needed") == (noted.status, noted.json["decision"], noted.json["note"])


def test_who_is_asked_decides_and_nobody_else(world: World) -> None:
    """
    The owner decides without any permission; another user does not; after the due date the next one is asked.
    """
    owner, owning = world.user("Ona Owner")
    backup, backing = world.user("Bo Backup")
    _, other = world.user("Otto Other")
    account = world.account("etl")
    world.owner.patch(f"/v1/service-accounts/{account.id}", {"owners": [owner.id, backup.id]})
    path = _open(world)
    item = _items(world, path)["etl"]
    answers = [_decide(who, path, item, decision="keep").status for who in (owning, backing, other)]
    _set(Review, path.rpartition("/")[2], due_at=timezone.now() - timedelta(days=1))
    later = [_decide(who, path, item, decision="disable").status for who in (owning, backing, other)]

    assert owner.id == item["asked"]["id"]
    assert [200, 403, 403] == answers
    assert [403, 200, 403] == later
    assert backup.id == _items(world, path)["etl"]["asked"]["id"]


def test_silence_is_waited_for_and_then_disables_but_never_deletes(world: World) -> None:
    """
    Undecided accounts hold the review open; after its end who was asked and silent loses the account's access,
    and where nobody could be asked nothing is done.
    """
    world.account("quiet")
    orphan = world.account("orphan")
    with suspended_for_schema_changes():
        Ownership.objects.filter(account_id=orphan.id).delete()
    path = _open(world)
    early = world.owner.post(f"{path}/apply", {})
    now = _end(path)
    ended, _ = keeping.attend(now)

    assert (409, "state_conflict") == (early.status, early.code)
    assert ended >= 1
    outcomes = {name: item["outcome"] for name, item in _items(world, path).items()}
    assert {"quiet": "disabled: nobody answered", "orphan": "silent"} == outcomes
    states = dict(Principal.objects.filter(organization=world.organization).values_list("handle", "state"))
    assert ("disabled", "enabled") == (states["quiet"], states["orphan"])


def test_who_applies_needs_what_the_decisions_need(world: World) -> None:
    """
    Deciding is free for a reviewer; carrying a deletion out needs the permission to delete. Nothing is half done.
    """
    account = world.account("etl")
    path = _open(world)
    _decide(world.owner, path, _items(world, path)["etl"], decision="delete")
    caller = world.caller("review:read", "review:decide", name="reviewer")
    _set(Principal, caller.id, state="enabled")
    answer = caller.post(f"{path}/apply", {})

    assert (403, ["service_account:delete"]) == (answer.status, answer.json["required"])
    assert "enabled" == Principal.objects.get(id=account.id).state
    assert "open" == world.owner.get(path).json["state"]


def test_what_fails_alone_is_said_and_leaves_the_rest(world: World) -> None:
    """
    An heir who was deleted meanwhile fails that account's reassignment, and nothing else.
    """
    heir, _ = world.user("Hedda Heir")
    world.account("moved")
    world.account("off")
    path = _open(world)
    items = _items(world, path)
    _decide(world.owner, path, items["moved"], decision="reassign", assignee=heir.id)
    _decide(world.owner, path, items["off"], decision="disable")
    _set(Principal, heir.id, kind="service_account", handle="not-a-user", email="")
    assert 200 == world.owner.post(f"{path}/apply", {}).status

    outcomes = {name: item["outcome"] for name, item in _items(world, path).items()}
    assert outcomes["moved"].startswith("failed: there is no user")
    assert "disabled" == outcomes["off"]


def test_the_rhythm_of_the_policy_opens_a_full_review_once(world: World) -> None:
    """
    Ninety days after the last one the next is due, and two processes that see it open one.
    """
    world.account("etl")
    now = timezone.now()
    _set(type(world.organization), world.organization.id, created_at=now - timedelta(days=91))
    keeping.attend(now)
    keeping.attend(now)

    found = world.owner.get("/v1/reviews").json["items"]
    assert ["full"] == [each["template"] for each in found]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "body.name"),
        ({"name": "x", "due_days": 0}, "body.due_days"),
        ({"name": "x", "due_days": 366}, "body.due_days"),
        ({"name": "x", "template": "scope"}, "body.template"),
        ({"name": "x", "environment": "production"}, "body.template"),
        ({"name": "x", "template": "scope", "environment": "nowhere"}, "body.template"),
        ({"name": "x", "template": "some"}, "body.template"),
    ],
)
def test_a_bad_review_is_refused(world: World, body: JSON, field: str) -> None:
    """
    What is at fault is named, and no review stands.
    """
    world.account("etl")
    answer = world.owner.post("/v1/reviews", body)

    assert (400, field) == (answer.status, answer.field)
    assert [] == world.owner.get("/v1/reviews").json["items"]


def test_reviews_of_another_organization_do_not_exist(world: World) -> None:
    """
    Neither review nor item, nor an account, assignee or fallback of another organization.
    """
    account = world.account("etl")
    path = _open(world)
    item = _items(world, path)["etl"]
    other = World.create()
    other.account("theirs")
    theirs = _open(other)

    answers = [
        other.owner.get(path),
        other.owner.get(f"{path}/items"),
        _decide(other.owner, path, item, decision="keep"),
        _decide(other.owner, theirs, item, decision="keep"),
        other.owner.post(f"{path}/apply", {}),
        other.owner.post(f"{path}/cancel", {}),
        other.owner.post(f"{path}/export", {}),
        other.owner.post("/v1/reviews", {"name": "x", "template": "scope", "accounts": [account.id]}),
        other.owner.post("/v1/reviews", {"name": "x", "fallback": world.owner.id}),
    ]
    assert [404] * len(answers) == [answer.status for answer in answers]


def test_the_result_is_exported_whole(world: World) -> None:
    """
    All accounts at once, and the audit log says who took them.
    """
    world.account("a")
    world.account("b")
    path = _open(world)
    answer = world.owner.post(f"{path}/export", {})
    events = world.owner.get("/v1/audit-events?type=review.exported").json["items"]

    assert ["a", "b"] == sorted(item["account"]["handle"] for item in answer.json["items"])
    assert [(world.owner.id, {"accounts": 2})] == [(each["actor"]["id"], each["after"]) for each in events]
