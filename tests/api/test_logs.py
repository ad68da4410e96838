"""``/v1/audit-events`` and ``/v1/requests``."""

from __future__ import annotations

import re
import secrets

import msgspec
import pytest

from retinue.server.api.refusals import Quota
from retinue.server.traffic.actions import Entry, ingest
from tests.api.world import World

AT_MS = 1_767_312_000_000


def decided(world: World, account_id: str, *, allowed: bool = True, at_ms: int = AT_MS) -> Entry:
    """A decision as a node ships it."""
    return Entry(
        at_ms=at_ms, organization=world.organization.id, account=account_id, account_name="etl",
        account_kind="service_account", credential_id="key_000000000001", allowed=allowed,
        reason=None if allowed else "permission_missing", permission="report:read",
        method="GET", path="/reports",
    )  # fmt: skip


def test_requests_are_listed_and_narrowed(world: World) -> None:
    """
    The request log of an account gives its decisions, the newest first, narrowed by decision and time.
    """
    account, other = world.account(), world.account("other")
    entries = [decided(world, account.id), decided(world, account.id, allowed=False, at_ms=AT_MS + 1000)]
    ingest("local", secrets.token_hex(8), 0, [*entries, decided(world, other.id)])
    path = f"/v1/service-accounts/{account.id}/requests"
    items = world.owner.get(path).json["items"]

    assert [("denied", "permission_missing"), ("allowed", None)] == [
        (r["decision"], r["reason"]) for r in items
    ]
    assert ("etl", "GET", "/reports", "local") == (
        items[0]["account"]["name"], items[0]["method"], items[0]["path"], items[0]["node"],
    )  # fmt: skip
    assert 1 == len(world.owner.get(f"{path}?decision=denied").json["items"])
    assert [items[0]] == world.owner.get(f"{path}?since={items[0]['at']}").json["items"]
    assert [items[1]] == world.owner.get(f"{path}?until={items[0]['at']}").json["items"]
    assert 3 == len(world.owner.get("/v1/requests").json["items"])
    assert [] == World.create().owner.get("/v1/requests").json["items"]


def test_request_is_found_by_the_id_that_it_was_told(world: World) -> None:
    """
    A decision of a node is found by the id of its problem, in the whole log and in the account's; its own id
    looks like another thing, and tells no number. The key is named as it is called now.
    """
    account = world.account()
    key, _ = world.key(account)
    told = f"req_{secrets.token_hex(8)}"
    entry = msgspec.structs.replace(decided(world, account.id), credential_id=key.id)
    others = [entry, decided(world, account.id)]
    ingest("local", secrets.token_hex(8), 0, [msgspec.structs.replace(entry, request_id=told), *others])
    world.owner.patch(f"/v1/keys/{key.id}", {"name": "renamed"})
    (item,) = world.owner.get(f"/v1/requests?request_id={told}").json["items"]
    every = world.owner.get("/v1/requests").json["items"]

    assert (told, "renamed") == (item["request_id"], item["credential_name"])
    assert [item] == world.owner.get(f"/v1/service-accounts/{account.id}/requests?request_id={told}").json[
        "items"
    ]
    assert [None, None, told] == sorted((each["request_id"] for each in every), key=str)
    assert {"renamed", None} == {each["credential_name"] for each in every}
    assert 3 == len({each["id"] for each in every if re.fullmatch(r"log_[0-9A-Za-z]{16}", each["id"])})


@pytest.mark.parametrize("noun", ["requests", "keys"])
def test_account_is_named_by_id_or_handle(world: World, noun: str) -> None:
    """
    Both logs of an organization are narrowed to an account by its id or its handle; what is nobody's finds
    nothing.
    """
    account = world.account("etl")
    world.key(world.account("other"))
    world.key(account)
    ingest("local", secrets.token_hex(8), 0, [decided(world, account.id), decided(world, "sa_other")])
    found = {
        name: [item["account"]["id"] for item in world.owner.get(f"/v1/{noun}?account={name}").json["items"]]
        for name in (account.id, "ETL", "nobody")
    }

    assert {account.id: [account.id], "ETL": [account.id], "nobody": []} == found


def test_handle_like_an_id_hides_no_account(world: World) -> None:
    """
    An id is an id, also where another account has taken it for its handle.
    """
    account = world.account("etl")
    world.owner.patch(f"/v1/service-accounts/{world.account('other').id}", {"handle": account.id})
    ingest("local", secrets.token_hex(8), 0, [decided(world, account.id)])

    assert 1 == len(world.owner.get(f"/v1/requests?account={account.id}").json["items"])


def test_names_of_other_organizations_are_not_told(world: World) -> None:
    """
    A record that names a credential of another organization does not tell what that is called.
    """
    other = World.create()
    key, _ = other.key(other.account(), "secret-name")
    entry = msgspec.structs.replace(decided(world, world.account().id), credential_id=key.id)
    ingest("local", secrets.token_hex(8), 0, [entry])
    (item,) = world.owner.get("/v1/requests").json["items"]

    assert (key.id, None) == (item["credential_id"], item["credential_name"])


@pytest.mark.parametrize("at", ["yesterday", "2026-01-02T03:04:05", "0001-01-01T00:00:00%2B23:00"])
def test_instants_have_a_zone(world: World, at: str) -> None:
    """
    What is no instant with a zone is refused by name.
    """
    answer = world.owner.get(f"/v1/audit-events?since={at}")

    assert (400, "invalid_value", "query.since") == (answer.status, answer.code, answer.field)


def test_event_is_found_by_its_id_in_its_own_organization(world: World) -> None:
    """
    An event is read by its id; the events of another organization do not exist.
    """
    world.account()
    event = world.owner.get("/v1/audit-events?type=account.created").json["items"][0]

    assert event == world.owner.get(f"/v1/audit-events/{event['id']}").json
    assert 404 == World.create().owner.get(f"/v1/audit-events/{event['id']}").status
    assert 404 == world.owner.get("/v1/audit-events/0.0").status


def test_refused_change_is_an_event(world: World) -> None:
    """
    A change that a rule or a missing permission refuses leaves an event with actor, operation and code.
    """
    account = world.account()
    caller = world.caller("grant:create")
    caller.post(f"/v1/service-accounts/{account.id}/grants", {"permission": "report:write"})
    caller.delete(f"/v1/service-accounts/{account.id}")
    events = world.owner.get("/v1/audit-events?type=change.refused").json["items"]

    assert [("delete_service_account", "permission_missing"), ("create_grant", "ceiling_exceeded")] == [
        (event["subject"]["id"], event["after"]["code"]) for event in events
    ]
    assert {caller.id} == {event["actor"]["id"] for event in events}
    assert account.id == events[1]["after"]["object"]


def test_refused_changes_do_not_fill_the_log() -> None:
    """
    Thirty refusals of one principal a minute are recorded; other principals are not affected.
    """
    quota = Quota()
    taken = [quota.take("sa_1", now=n / 10) for n in range(40)]

    assert [True] * 30 + [False] * 10 == taken
    assert quota.take("sa_2", now=4.0)
    assert quota.take("sa_1", now=61.0)
