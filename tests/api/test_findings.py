"""``/v1/findings``: what is found, and who answers for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from retinue.server.configuration.queries import export
from retinue.server.credentials import queries as credentials
from retinue.server.directory import queries as organizations
from retinue.server.directory.models import Ownership, Principal
from retinue.server.governance import queries
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import probing
from retinue.token import Kind
from tests.api.policies import set_policy
from tests.api.world import Caller, World
from tests.api.wrongs import CASES, documented, issued, ownerless, put
from tests.storage.estate import operate

NOW = timezone.now()


def _found(caller: Caller, **query: str) -> dict[str, list[str]]:
    """The subjects of what is found, by kind."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    found: dict[str, list[str]] = {}
    for item in caller.get(f"/v1/findings?limit=200&{words}").json["items"]:
        found.setdefault(item["kind"], []).append(item["subject"]["id"])
    return found


@pytest.mark.parametrize("kind", CASES)
def test_a_finding_names_its_subject_and_nothing_else(world: World, kind: str) -> None:
    """
    What is wrong is found, about that subject alone; beside it stands an account with which all is well.
    """
    issued(world, documented(world, "fine"))
    assert {} == _found(world.owner)

    subject = CASES[kind](world)
    found = _found(world.owner, kind=kind)
    assert {kind: [subject]} == found
    one = world.owner.get(f"/v1/findings/fnd_{kind}-{subject}").json
    assert (subject, "open", None) == (one["subject"]["id"], one["state"], one["exception"])
    told = {name: one[name] for name in ("kind", "title", "severity", "proposed")}
    assert {**told, "open": 1} in world.owner.get("/v1/findings/counts").json["items"]


def test_a_finding_ends_with_its_cause(world: World) -> None:
    """
    Once an account has an owner again, nothing is found, and the finding is gone by its id.
    """
    account = ownerless(world)
    path = f"/v1/findings/fnd_ownerless-{account}"
    before = world.owner.get(path).status
    world.owner.patch(f"/v1/service-accounts/{account}", {"owners": [world.owner.id]})

    assert (200, 404) == (before, world.owner.get(path).status)
    assert "ownerless" not in _found(world.owner)


def test_a_violation_names_the_key(world: World) -> None:
    """
    What lives longer than an environment or the kind of token allows is found as what is beyond the maximum; what
    the policy requires of an account and it does not state is missing in its documentation.
    """
    key = issued(
        world, documented(world, "staged", environment="staging"), expires_at=NOW + timedelta(days=99)
    )
    _, caller = world.user()
    token = caller.get("/v1/me/tokens").json["items"][0]["id"]
    account = documented(world, "bare").id
    before = _found(world.owner)
    set_policy(
        world,
        expiry__by_environment={"staging": 30},
        pat__max_days=7,
        accounts__required=["name", "systems", "description"],
    )
    found = world.owner.get("/v1/findings?limit=200").json["items"]
    evidence = {each["subject"]["id"]: each["evidence"] for each in found}

    assert {} == before
    assert ("expiry.by_environment", 30) == (evidence[key.id]["key"], evidence[key.id]["allows"])
    assert ("pat.max_days", 7) == (evidence[token]["key"], evidence[token]["allows"])
    assert ["description"] == evidence[account]["missing"]


def test_an_exception_holds_until_its_date(world: World) -> None:
    """
    Accepted, a finding is listed apart; taken back, or when its date has come, it is open again.
    """
    account = ownerless(world)
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
    path = f"/v1/findings/fnd_ownerless-{ownerless(world)}"
    answer = world.owner.post(f"{path}/accept", body)

    assert (400, field) == (answer.status, answer.field)
    assert "open" == world.owner.get(path).json["state"]


def test_pages_lose_and_double_nothing(world: World) -> None:
    """
    Page by page, each finding comes once, in the order of the whole list.
    """
    for name in ("a", "b", "c", "d"):
        account = documented(world, name)
        put(Principal, account.id, purpose="")
        issued(world, account, expires_at=None)
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


def test_the_worst_findings_come_first(world: World) -> None:
    """
    The list and the counts begin with what is worst, whatever it is about.
    """
    CASES["expires_soon"](world)
    put(Principal, world.account("bare").id, purpose="")
    with suspended_for_schema_changes():
        Ownership.objects.filter(account_id=documented(world, "nobodys").id).delete()
    rank = {"high": 0, "medium": 1, "low": 2}
    listed = [each["severity"] for each in world.owner.get("/v1/findings").json["items"]]
    counted = [each["severity"] for each in world.owner.get("/v1/findings/counts").json["items"]]

    assert {"high", "medium", "low"} == set(listed)
    assert sorted(listed, key=rank.__getitem__) == listed
    assert sorted(counted, key=rank.__getitem__) == counted


def test_findings_of_another_organization_do_not_exist(world: World) -> None:
    """
    Neither in the list nor by id, and nobody answers for them.
    """
    account = ownerless(world)
    other = World.create()
    path = f"/v1/findings/fnd_ownerless-{account}"
    until = (timezone.now() + timedelta(days=30)).isoformat()

    assert {} == _found(other.owner, subject=account)
    assert 404 == other.owner.get(path).status
    assert 404 == other.owner.post(f"{path}/accept", {"reason": "x", "until": until}).status
    assert 404 == other.owner.get("/v1/findings/fnd_nothing-x").status


def test_the_account_of_probes_is_nobodys_to_review(server_database: str) -> None:
    """
    It is Retinue's own: in no finding, list, count or document, nor are its keys; an account of that name
    elsewhere is. Who asks for it by its handle finds it.
    """
    operate()
    probing.run()
    home = organizations.installation()
    assert home is not None
    with transaction(SYSTEM) as tx:
        found = [each.subject for each in queries.findings(home.id, tx.now)]
    name = organizations.CANARY_HANDLE
    canary = Principal.objects.get(handle=name, organization=home)
    listed = {each.id for each in organizations.accounts(home.id, state="any")}
    listed |= {each.id for each in organizations.people_and_accounts(home.id)}
    holders = {each.principal_id for each in credentials.credentials(home.id, [Kind.API_KEY])}
    holders |= {each.principal_id for each in credentials.keys(home.id)}
    there = [each["handle"] for each in export(home.id)["service_accounts"]]

    assert canary.id not in found
    assert canary.id not in listed | holders
    assert [canary.id] == [each.id for each in organizations.accounts(home.id, handle=name)]
    assert 1 <= credentials.keys(home.id, account=canary.id).count()
    assert name not in there
    other = World.create()
    other.account(name)
    assert name in [each["handle"] for each in export(other.organization.id)["service_accounts"]]
