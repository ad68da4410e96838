"""Findings are kept: lists and counts say what computing them anew says, whatever was changed before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.directory import organizations
from retinue.server.directory.models import Ownership
from retinue.server.directory.queries import Principal
from retinue.server.governance import queries, refreshing
from retinue.server.governance.models import FindingsLook, FindingsProgress, KeptFinding
from retinue.server.governance.queries import Wanted
from retinue.server.governance.rules import Found
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.changing import Changes
from tests.api.world import World
from tests.api.wrongs import days, documented, issued, ownerless, put, use
from tests.server_support.findings import follow, look


def _computed(world: World, now: datetime, state: str = "open") -> list[Found]:
    return list(queries.computed(Wanted(world.organization.id, now, state=state)))


def _kept(world: World, now: datetime, state: str = "open") -> list[Found]:
    return list(queries.findings(world.organization.id, now, state=state))


def _ids(found: list[Found]) -> list[str]:
    return [each.id for each in found]


@pytest.mark.parametrize("seed", range(3))
def test_kept_findings_are_those_that_are_there(world: World, seed: int) -> None:
    """
    After any changes: a change about one principal shows at once, one about everybody once it has been read;
    the kept rows are then exactly what computing everything anew gives, and so they are when time has passed.
    """
    changes = Changes(world, seed)
    changes.narrow()
    look(world.organization.id)
    seen: set[str] = set()
    for _ in range(4):
        done = [changes.narrow() for _ in range(5)]
        now = timezone.now()
        expected = _computed(world, now)
        seen |= {each.kind for each in expected}
        assert expected == _kept(world, now), done

        done = [changes.wide(), changes.narrow()]
        now = timezone.now() + refreshing.EVERY
        look(world.organization.id, now)
        for state in ("open", "accepted", "any"):
            assert _computed(world, now, state) == _kept(world, now, state), done
    changes.leave()
    follow()
    now = timezone.now() + timedelta(days=200)
    look(world.organization.id, now)

    assert _computed(world, now) == _kept(world, now)
    assert len(seen) >= 2


@pytest.mark.parametrize("step", ["policy", "environment", "role", "group_role", "declare"])
def test_a_change_about_everybody_is_looked_at_soon(world: World, step: str) -> None:
    """
    Of a policy, a role, what a group holds, or a permission that the host declares: once it has been read,
    everything of the organization is due.
    """
    changes = Changes(world, 1)
    changes.create()
    began = timezone.now()
    look(world.organization.id, began)
    row = FindingsLook.objects.get(organization=world.organization.id)
    before = row.due_at
    getattr(changes, step)()
    follow(began + refreshing.EVERY / 2)
    row.refresh_from_db()

    assert (began + refreshing.EVERY, began + refreshing.EVERY / 2) == (before, row.due_at)


def test_what_changed_is_read_once_and_kept(world: World) -> None:
    """
    Followed, a change about one principal stands in the kept rows; nobody else's rows are written anew.
    """
    account, other = ownerless(world), world.account("other").id
    with suspended_for_schema_changes():
        Ownership.objects.filter(account_id=other).delete()
    look(world.organization.id)
    rows = dict(KeptFinding.objects.filter(kind="ownerless").values_list("subject", "id"))
    world.owner.patch(f"/v1/service-accounts/{account}", {"owners": [world.owner.id]})
    follow()
    kept = KeptFinding.objects.filter(organization=world.organization.id, kind="ownerless")

    assert [(other, rows[other])] == list(kept.values_list("subject", "id"))
    assert not refreshing.follow(timezone.now())


def test_uses_and_time_are_seen_by_the_next_look(world: World) -> None:
    """
    What no change says, such as a use, is found by the look that is due a minute later; until then a list
    says as of when it is.
    """
    account = documented(world)
    key = issued(world, account)
    began = timezone.now().replace(microsecond=0)
    look(world.organization.id, began)
    for network in (1, 2, 3):
        use(world, account, key, days(0.1), address=f"192.0.{network}.7")
    before = world.owner.get("/v1/findings").json
    later = began + refreshing.EVERY
    due = refreshing.due(began, 10_000), refreshing.due(later, 10_000)
    look(world.organization.id, later)
    after = world.owner.get("/v1/findings").json

    assert [False, True] == [world.organization.id in each for each in due]
    assert ([], ["shared_token"]) == (before["items"], [each["kind"] for each in after["items"]])
    assert (began, later) == tuple(datetime.fromisoformat(each["as_of"]) for each in (before, after))


def test_kept_findings_are_counted_and_narrowed(world: World) -> None:
    """
    Counts leave accepted ones out; an account is asked for with what is about its credentials; pages of kept
    rows lose and double nothing.
    """
    accounts = [documented(world, f"a{n}") for n in range(4)]
    keys = [issued(world, account, expires_at=None) for account in accounts]
    for account in accounts:
        put(Principal, account.id, purpose="")
    look(world.organization.id)
    path = f"/v1/findings/fnd_no_expiry-{keys[0].id}"
    until = (timezone.now() + timedelta(days=9)).isoformat()
    world.owner.post(f"{path}/accept", {"reason": "x", "until": until})
    counts = {each["kind"]: each["open"] for each in world.owner.get("/v1/findings/counts").json["items"]}
    of_one = world.owner.get(f"/v1/findings?account={accounts[1].id}").json["items"]
    whole = world.owner.get("/v1/findings?limit=200").json["items"]
    paged: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = world.owner.get(f"/v1/findings?limit=3{cursor}").json
        paged += page["items"]
        cursor = page["next"] and f"&cursor={page['next']}"

    assert {"undocumented": 4, "no_expiry": 3} == {
        name: counts[name] for name in ("undocumented", "no_expiry")
    }
    assert {accounts[1].id, keys[1].id} == {each["subject"]["id"] for each in of_one}
    assert whole == paged
    assert [path.rpartition("/")[2]] == [
        each["id"] for each in world.owner.get("/v1/findings?state=accepted").json["items"]
    ]


def test_one_process_at_a_time_has_the_turn(world: World) -> None:
    """
    While one process looks, another does nothing; when it has died, the turn is free after a minute.
    """
    now = timezone.now()
    mine, theirs = refreshing.Turn(lambda: now), refreshing.Turn(lambda: now)
    later = refreshing.Turn(lambda: now + refreshing.TURN)

    assert [True, True, False] == [mine.take(), mine.take(), theirs.take()]
    assert 0 == refreshing.run(lambda: now)
    assert later.take()
    later.leave()
    assert "" == FindingsProgress.objects.get().held_by


def test_the_thread_does_all_of_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One run looks at an organization that is new and at one that is due, reads on, and forgets a deleted one.
    """
    account = ownerless(world)
    every = refreshing.due
    monkeypatch.setattr(
        refreshing, "due", lambda now, most=0: [i for i in every(now, 10_000) if i == world.organization.id]
    )
    done = [refreshing.run(), refreshing.run()]
    world.owner.patch(f"/v1/service-accounts/{account}", {"purpose": "x"})
    done += [refreshing.run(), refreshing.run(lambda: timezone.now() + refreshing.EVERY)]
    kept = KeptFinding.objects.filter(organization=world.organization.id)
    before = kept.count()
    with transaction(SYSTEM, reason="test") as tx:
        organizations.delete(tx, world.organization)
    refreshing.run(lambda: timezone.now() + 2 * refreshing.EVERY)

    assert [1, 0, 0, 1] == done
    assert (True, 0) == (before > 0, kept.count())
    assert not FindingsLook.objects.filter(organization=world.organization.id).exists()
