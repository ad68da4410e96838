"""Wavefront: service accounts, the group Everyone, and permissions."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS
from tests.conformance.server import Organization

DATA = ("proxy:update", "alert:read", "dataset:read", "dataset:delete")


def test_WF1_a_service_authenticates_with_a_token(organization: Organization) -> None:
    """
    A service calls the API with the token of its account, and nothing without it.
    """
    account = organization.account("proxies")
    organization.grant(account, "proxy:update")
    token = organization.key(account)["token"]

    assert "allowed" == organization.decide(token, "proxy:update")
    assert "allowed" != organization.decide(f"{token[:-4]}0000", "proxy:update")
    assert account["id"] == organization.server.ask(token=token)["account"]["id"]


def test_WF2_has_no_permission_by_default(organization: Organization) -> None:
    """
    A new account may nothing, and none stands in the list of what it holds.
    """
    account = organization.account("proxies")

    assert set() == organization.may(organization.key(account)["token"], *DATA)
    assert [] == organization.admin.get(f"{ACCOUNTS}/{account['id']}/permissions")["items"]


def test_WF3_is_in_the_group_everyone(organization: Organization) -> None:
    """
    It belongs to Everyone from its creation, and has what that group is given, with the group as its source.
    """
    everyone, account = organization.group("Everyone"), organization.account("proxies")
    token = organization.key(account)["token"]
    before = organization.may(token, *DATA)
    organization.grant(everyone, "alert:read")

    assert account["id"] in organization.members(everyone)
    assert (set(), {"alert:read"}) == (before, organization.may(token, *DATA))
    [held] = organization.admin.get(f"{ACCOUNTS}/{account['id']}/permissions")["items"]
    assert "Everyone" in str(held["sources"])


def test_WF4_is_added_to_any_group(organization: Organization) -> None:
    """
    In a group it has the permissions of the group; it leaves, and has them no more.
    """
    group = organization.admin.post("/v1/groups", name="Proxy managers")
    organization.grant(group, "proxy:update")
    account = organization.account("proxies")
    token = organization.key(account)["token"]
    seen = [organization.may(token, *DATA)]
    organization.join(group, account)
    seen.append(organization.may(token, *DATA))
    organization.leave(group, account)
    seen.append(organization.may(token, *DATA))

    assert [set(), {"proxy:update"}, set()] == seen


def test_WF5_cannot_do_what_users_can_by_default(organization: Organization) -> None:
    """
    A new account reads and changes nothing here: no accounts, tokens, users, logs, groups or policy. It learns
    who it is, and no more.
    """
    caller = organization.caller(organization.account("proxies"))
    reads = (
        ACCOUNTS,
        "/v1/keys",
        "/v1/users",
        "/v1/requests",
        "/v1/audit-events",
        "/v1/groups",
        "/v1/policy",
    )

    assert {403} == {caller.call("GET", path).status for path in reads}
    assert {403} == {
        caller.call("POST", path, {"name": "x"}).status for path in (ACCOUNTS, "/v1/users", "/v1/groups")
    }
    assert [] == caller.get("/v1/me")["permissions"]


def test_WF6_each_task_needs_its_permission(organization: Organization) -> None:
    """
    To get, to modify and to delete are three permissions: one gives none of the others.
    """
    account = organization.account("proxies")
    token = organization.key(account)["token"]
    names = ("dataset:read", "dataset:update", "dataset:delete")
    seen = []
    for name in names:
        organization.grant(account, name)
        seen.append(organization.may(token, *names))

    assert [{names[0]}, {names[0], names[1]}, set(names)] == seen


def test_WF7_is_disabled_for_a_time_or_deleted_for_good(organization: Organization) -> None:
    """
    Disabled, it is enabled again as it was; deleted, nothing brings it back.
    """
    account = organization.account("proxies")
    organization.grant(account, "proxy:update")
    token, path = organization.key(account)["token"], f"{ACCOUNTS}/{account['id']}"
    organization.admin.post(f"{path}/disable")
    disabled = organization.decide(token, "proxy:update")
    organization.admin.post(f"{path}/enable")
    enabled = organization.decide(token, "proxy:update")
    organization.admin.delete(path)

    assert ("account_disabled", "allowed") == (disabled, enabled)
    assert "account_deleted" == organization.decide(token, "proxy:update")
    assert 409 == organization.admin.refused("POST", f"{path}/restore", {})[0]


def test_WF9_the_account_id_has_a_prefix(organization: Organization) -> None:
    """
    The id that people see begins with ``sa::``, is folded, and is taken once.
    """
    made = organization.account("Service-1")

    assert "sa::service-1" == made["handle"]
    assert (409, "duplicate_name") == organization.admin.refused("POST", ACCOUNTS, {"name": "service-1"})[:2]
    assert [made["id"]] == [
        each["id"] for each in organization.admin.get(ACCOUNTS, handle="sa::service-1")["items"]
    ]


def test_WF14_nobody_leaves_everyone(organization: Organization) -> None:
    """
    Nobody is taken out of Everyone, and it is not renamed or deleted; what it is given reaches all accounts, also
    later ones; other groups can be added beside it.
    """
    everyone, account = organization.group("Everyone"), organization.account("proxies")
    path = f"/v1/groups/{everyone['id']}"
    refused = [
        organization.admin.refused("POST", f"{path}/remove", {"members": [account["id"]]}),
        organization.admin.refused("PATCH", path, {"name": "Some"}),
        organization.admin.refused("DELETE", path),
    ]
    organization.grant(everyone, "dataset:read")
    later = organization.account("later")
    other = organization.admin.post("/v1/groups", name="Others")
    organization.join(other, account)

    assert [409] * 3 == [status for status, _, _ in refused]
    assert {account["id"], later["id"]} <= organization.members(everyone)
    assert [{"dataset:read"}] * 2 == [
        organization.may(organization.key(each)["token"], *DATA) for each in (account, later)
    ]
    assert {account["id"]} == organization.members(other)


def test_WF15_has_permissions_of_its_own(organization: Organization) -> None:
    """
    Proxies and alerts are permitted one by one on the account, and shown as its own.
    """
    account = organization.account("proxies")
    organization.grant(account, "proxy:update")
    organization.grant(account, "alert:read")
    held = organization.admin.get(f"{ACCOUNTS}/{account['id']}/permissions")["items"]

    assert {"proxy:update", "alert:read"} == organization.may(organization.key(account)["token"], *DATA)
    assert [("alert:read", "direct"), ("proxy:update", "direct")] == [
        (each["permission"], source["kind"]) for each in held for source in each["sources"]
    ]


def test_WF16_granting_is_the_same_for_users_and_accounts(organization: Organization) -> None:
    """
    The same calls grant and revoke a permission of a user and of an account, with the same answers.
    """
    account = organization.account("proxies")
    user = organization.admin.post("/v1/users", email="ada@wave.example", name="Ada")
    shapes, seen = [], []
    for subject, path in ((account, f"{ACCOUNTS}/{account['id']}"), (user, f"/v1/users/{user['id']}")):
        grant = organization.grant(subject, "proxy:update")
        held = organization.admin.get(f"{path}/permissions")["items"]
        organization.take_back(grant)
        left = organization.admin.get(f"{path}/permissions")["items"]
        shapes.append(sorted(grant))
        seen.append(([each["permission"] for each in held], [each["permission"] for each in left]))

    assert shapes[0] == shapes[1]
    assert [(["proxy:update"], [])] * 2 == seen
