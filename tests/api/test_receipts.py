"""The receipt over HTTP: in the answer of what takes access away, and by itself; RFC 7240 for who cannot wait."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db import OperationalError

import retinue.server.api.routes  # noqa: F401  (it fills OPERATIONS)
from retinue.server.api.operations import OPERATIONS, Access
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.nodes import receipts
from retinue.server.nodes.models import Lease
from tests.api.world import Answer, World
from tests.cluster import revokers
from tests.storage.estate import Follower

ADDITIVE = {
    "create_service_account", "enable_service_account", "approve_service_account", "restore_service_account", "duplicate_service_account",
    "issue_key", "rename_key", "create_user", "invite_user", "enable_user", "reassign_accounts",
    "create_organization", "enable_organization", "update_own_organization", "create_grant", "enrol_node", "renew_node_credential",
    "begin_epoch", "skip_journals",
    "reset_sign_in",  # ends sessions of the console, which no node decides about
    "accept_finding", "add_to_group", "add_to_team", "approve_access_policy",
    "approve_assignment", "approve_grant", "approve_member_of_group", "approve_member_of_team",
    "assign_role", "cancel_review", "clone_role", "create_access_policy",
    "create_group", "grant_to_service_accounts", "create_role", "create_team", "decide_review_item",
    "enable_service_accounts", "export_review", "hand_out_grant", "import_keys",
    "issue_ingest_token", "issue_my_token", "open_review", "rename_ingest_token",
    "rename_my_token", "reopen_finding", "restore_ingest_token", "restore_key", "extend_rotation",
    "restore_my_token", "create_webhook", "update_webhook", "enable_webhook", "disable_webhook", "rotate_webhook",
    "test_webhook", "delete_webhook", "retry_delivery", "set_owners_of_service_accounts",
    "create_saved_view", "update_saved_view", "delete_saved_view",
}  # fmt: skip


@dataclass
class Given:
    """A key that can be revoked, and a node that has just been heard and says nothing more."""

    world: World
    path: str
    follower: Follower

    def revoke(self, **headers: str) -> Answer:
        """Revoke the key."""
        return self.world.owner.post(
            f"{self.path}/revoke", {}, {"Prefer": headers["prefer"]} if headers else {}
        )


@pytest.fixture
def given(world: World) -> Given:
    """See :class:`Given`. Nodes of other tests are gone."""
    Lease.objects.all().delete()
    key, _ = world.key(world.account())
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    return Given(world, f"/v1/keys/{key.id}", follower)


def test_every_operation_is_of_one_class() -> None:
    """
    Each operation that changes something either only adds access, by a closed list, or carries a receipt.
    """
    changing = {each.name for each in OPERATIONS if each.changes and each.needs is not Access.NODE}
    reducing = {each.name for each in OPERATIONS if each.reduces}

    assert reducing
    assert set() == reducing & ADDITIVE
    assert changing - ADDITIVE == reducing


def test_every_reducing_operation_is_drawn_under_faults() -> None:
    """
    The clients of the fault runs take access away by each operation that can, unless a reason is given.
    """
    reducing = {each.name for each in OPERATIONS if each.reduces}

    assert reducing == revokers.OPERATIONS | revokers.NOT_DRAWN.keys()
    assert not revokers.OPERATIONS & revokers.NOT_DRAWN.keys()


def test_without_nodes_the_receipt_is_complete(given: Given) -> None:
    """
    The answer is 200 and carries the receipt; asked by itself it says the same.
    """
    Lease.objects.all().delete()
    answer = given.revoke()
    receipt = answer.json["receipt"]
    again = given.world.owner.get(f"/v1/receipts/{receipt['id']}")

    assert (200, "revoked") == (answer.status, answer.json["state"])
    assert (True, "complete", "key.revoked", "10.5s") == tuple(
        receipt[name] for name in ("complete", "state", "change", "bound")
    )
    assert answer.headers["retinue-revision"] == str(receipt["revision"])
    assert (200, receipt) == (again.status, again.json)


def test_who_cannot_wait_gets_it_pending(given: Given) -> None:
    """
    With Prefer: wait=0 the answer is 202 with the receipt's address; it names the node that is waited for, and
    is complete once that has confirmed.
    """
    answer = given.revoke(prefer="handling=lenient, wait=0; foo=bar")
    receipt = answer.json["receipt"]
    assert (202, "pending", False) == (answer.status, receipt["state"], receipt["complete"])
    assert ("wait=0", f"/v1/receipts/{receipt['id']}") == (
        answer.headers["preference-applied"], answer.headers["location"],
    )  # fmt: skip
    assert [(given.follower.node.name, "waiting")] == [
        (each["node"], each["how"]) for each in receipt["nodes"]
    ]
    given.follower.catch_up()
    given.follower.poll()
    done = given.world.owner.get(answer.headers["location"], {"Prefer": "wait=5"})

    assert (200, "complete") == (done.status, done.json["state"])
    assert [(given.follower.node.name, "confirmed")] == [
        (each["node"], each["how"]) for each in done.json["nodes"]
    ]


def test_who_repeats_gets_the_same_receipt(given: Given) -> None:
    """
    A revoke of what is revoked already is answered with the receipt of the first, pending as it is.
    """
    first = given.revoke(prefer="respond-async")
    second = given.revoke(prefer="wait=0")

    assert (202, 202) == (first.status, second.status)
    assert first.json["receipt"]["id"] == second.json["receipt"]["id"]


def test_a_database_that_fails_now_promises_nothing(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The change is committed and said to be; but it is 202, because nobody knows what the nodes have.
    """

    def fail(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(receipts, "follow", fail)
    answer = given.revoke()

    assert (202, "revoked") == (answer.status, answer.json["state"])
    assert "receipt" not in answer.json


@pytest.mark.parametrize("prefer", ["wait=-1", "wait=1.5", "wait=", "wait=99999", "wait=x"])
def test_a_preference_that_is_none_is_refused(given: Given, prefer: str) -> None:
    """
    The error names the header, and nothing is changed.
    """
    answer = given.revoke(prefer=prefer)

    assert (400, "invalid_value", "header.Prefer") == (answer.status, answer.code, answer.json["field"])
    assert "active" == given.world.owner.get(given.path).json["state"]


def test_a_receipt_is_its_organizations(given: Given) -> None:
    """
    Another organization's receipt does not exist, and without credential:read there is none.
    """
    address = given.revoke(prefer="wait=0").headers["location"]

    assert 404 == World.create().owner.get(address).status
    assert 403 == given.world.caller().get(address).status
    assert 404 == given.world.owner.get("/v1/receipts/rcp_none").status


def test_only_what_is_additive_by_the_catalogue_has_no_receipt() -> None:
    """
    The class of an operation follows from its events: these never take access away.
    """
    assert EVENTS["key.issued"].additive
    assert not EVENTS["key.revoked"].additive


def test_who_finds_the_work_of_a_pending_change_waits_for_it(given: Given) -> None:
    """
    A deleted account has taken its keys along: a revoke of one of them changes nothing, and promises nothing
    before the deletion is promised. The same for a role that is gone already.
    """
    world = given.world
    account = world.account("gone", roles=("auditor",))
    key, _ = world.key(account)
    path, later = f"/v1/service-accounts/{account.id}", {"Prefer": "wait=0"}
    roles = [world.owner.patch(path, {"roles": []}, later) for _ in range(2)]
    world.owner.delete(path, later)
    revoked = world.owner.post(f"/v1/keys/{key.id}/revoke", {}, later)

    assert [202, 202, 202] == [*(each.status for each in roles), revoked.status]
    assert {"pending"} == {each.json["receipt"]["state"] for each in (*roles, revoked)}


def test_an_organization_that_is_ended_already_is_waited_for(given: Given) -> None:
    """
    Who disables an organization again, or is another operator who does, waits for the receipt of the first one
    and may read it; people of a third organization may not.
    """
    first, second = (World.create().user(operator=True)[1] for _ in range(2))
    path, later = f"/v1/organizations/{World.create().organization.id}/disable", {"Prefer": "wait=0"}
    told = [each.post(path, {}, later) for each in (first, first, second)]
    address = told[0].headers["location"]

    assert [202, 202, 202] == [each.status for each in told]
    assert 1 == len({each.json["receipt"]["id"] for each in told})
    assert [200, 200, 404] == [each.get(address).status for each in (first, second, given.world.owner)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"environment": "staging"}, (202, "account.updated")),
        ({"name": "other"}, (202, "account.updated")),
        ({"description": "other"}, (200, None)),
    ],
)
def test_what_rules_look_at_is_waited_for(
    given: Given, body: dict[str, str], expected: tuple[int, str | None]
) -> None:
    """
    An account with another name or environment may leave a group or access policy that takes it in by a rule, or
    come under narrower networks: that carries a receipt. A description decides nothing.
    """
    path = f"/v1/service-accounts/{given.world.account('worker').id}"
    answer = given.world.owner.patch(path, body, {"Prefer": "wait=0"})

    assert expected == (answer.status, answer.json.get("receipt", {}).get("change"))


def test_a_user_with_another_name_is_waited_for(given: Given) -> None:
    """
    The conditions of groups and access policies look at the names of users, too.
    """
    user, _ = given.world.user()
    answer = given.world.owner.patch(f"/v1/users/{user.id}", {"name": "Other"}, {"Prefer": "wait=0"})

    assert (202, "user.updated") == (answer.status, answer.json["receipt"]["change"])
