"""Precisely: service users, their groups and what they may do."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS, JSON, KEYS
from tests.conformance.server import Organization

DATA = ("dataset:read", "dataset:create", "report:read", "report:export")


def _group(organization: Organization, name: str, *permissions: str) -> JSON:
    """Make a group that gets its permissions as this preset wants it: a role, by an access policy."""
    group: JSON = organization.admin.post("/v1/groups", name=name)
    handle = name.lower().replace(" ", "-")
    organization.admin.post("/v1/roles", name=name, handle=handle, permissions=list(permissions))
    organization.admin.post("/v1/access-policies", name=name, subjects=[group["id"]], roles=[handle])
    return group


def test_PR1_replaces_personal_credentials(organization: Organization) -> None:
    """
    A service user calls APIs with a key of its own: no person's credential stands behind it, and the key is that
    of the service user in every answer.
    """
    account = organization.account("finance team")
    issued = organization.key(account)
    decision = organization.server.ask(token=issued["token"])

    assert ("service_account", account["id"], "finance team") == tuple(
        decision["account"][name] for name in ("kind", "id", "name")
    )
    assert issued["key"]["id"] == decision["credential_id"]
    assert [] == account["owners"]


def test_PR2_api_access_leaves_a_trail(organization: Organization) -> None:
    """
    Every call that a service user makes, allowed or denied, stands in the request log with its key, and every
    change to it in the audit log with who made it.
    """
    account = organization.account("finance team")
    issued = organization.key(account)
    organization.decide(issued["token"], "dataset:read", method="GET", path="/ledger")
    organization.admin.post(f"{KEYS}/{issued['key']['id']}/revoke")
    organization.decide(issued["token"], "dataset:read", method="GET", path="/ledger")
    log = organization.logged(account, 2)
    events = [each["type"] for each in organization.events(subject=issued["key"]["id"])]

    assert ["credential_revoked", "permission_missing"] == [each["reason"] for each in log]
    assert {issued["key"]["id"]} == {each["credential_id"] for each in log}
    assert ["key.revoked", "key.issued"] == events
    assert ["account.created"] == [each["type"] for each in organization.events(subject=account["id"])]


def test_PR3_groups_control_permissions(organization: Organization) -> None:
    """
    What a service user may do follows its groups: each adds its part, and leaving one takes just that away.
    """
    readers, exporters = (
        _group(organization, "Readers", "dataset:read"),
        _group(organization, "Exporters", "report:read", "report:export"),
    )
    account = organization.account("finance team")
    token = organization.key(account)["token"]
    seen = [organization.may(token, *DATA)]
    for act, group in (
        (organization.join, readers),
        (organization.join, exporters),
        (organization.leave, readers),
    ):
        act(group, account)
        seen.append(organization.may(token, *DATA))

    exports = {"report:read", "report:export"}
    assert [set(), {"dataset:read"}, {"dataset:read", *exports}, exports] == seen


def test_PR4_access_is_by_least_privilege(organization: Organization) -> None:
    """
    A new service user may nothing, whatever the host offers; it gets one permission and has that alone.
    """
    account = organization.account("finance team")
    token = organization.key(account)["token"]
    names = (*DATA, "company:read", "alert:read", "usage:write")
    before = organization.may(token, *names)
    organization.join(_group(organization, "Readers", "dataset:read"), account)

    assert (set(), {"dataset:read"}) == (before, organization.may(token, *names))
    held = organization.admin.get(f"{ACCOUNTS}/{account['id']}/permissions")["items"]
    assert ["dataset:read"] == [each["permission"] for each in held]


def test_PR6_the_name_is_required_and_free(organization: Organization) -> None:
    """
    A name with spaces is kept as it is; without one, and with one that is taken in another spelling, it is refused.
    """
    made = organization.account("finance team")

    assert ("finance team", "finance team") == (made["name"], made["handle"])
    assert (400, "body.name") == organization.admin.refused("POST", ACCOUNTS, {})[::2]
    assert (409, "duplicate_name") == organization.admin.refused("POST", ACCOUNTS, {"name": "Finance Team"})[
        :2
    ]


def test_PR7_a_description_is_optional(organization: Organization) -> None:
    """
    With and without a description a service user is made; it can be given later.
    """
    bare = organization.account("bare")
    told = organization.account("told", description="reads the ledger\nfor the month end")
    later = organization.admin.patch(f"{ACCOUNTS}/{bare['id']}", description="for tests")

    assert ("", "reads the ledger\nfor the month end") == (bare["description"], told["description"])
    assert "for tests" == later["description"]


def test_PR8_groups_are_optional_at_creation(organization: Organization) -> None:
    """
    A service user is made with groups, and has their permissions from the start, or without any; a group that
    does not exist is refused and nothing is made.
    """
    group = _group(organization, "Readers", "dataset:read")
    inside, outside = organization.account("inside", groups=[group["id"]]), organization.account("outside")
    refused = organization.admin.refused("POST", ACCOUNTS, {"name": "x", "groups": ["grp_0000000000000000"]})

    assert [{"dataset:read"}, set()] == [
        organization.may(organization.key(each)["token"], *DATA) for each in (inside, outside)
    ]
    assert (404, "body.groups.0") == refused[::2]
    assert [] == organization.admin.get(ACCOUNTS, handle="x")["items"]


def test_PR9_never_a_workspace_owner(organization: Organization) -> None:
    """
    The group of workspace owners takes no service user, on creation or later; it takes a person. Other default
    groups take service users.
    """
    owners, members = organization.group("Workspace owner"), organization.group("Workspace member")
    account = organization.account("finance team")
    person = organization.admin.post("/v1/users", email="ada@precise.example", name="Ada")
    refused = [
        organization.admin.refused("POST", f"/v1/groups/{owners['id']}/add", {"members": [account["id"]]}),
        organization.admin.refused("POST", ACCOUNTS, {"name": "another", "groups": [owners["id"]]}),
    ]
    organization.join(owners, person)
    organization.join(members, account)

    assert ["forbidden_for_service"] * 2 == [code for _, code, _ in refused]
    assert {person["id"]} == organization.members(owners)
    assert {account["id"]} == organization.members(members)


def test_PR20_permissions_name_apis_and_resources(organization: Organization) -> None:
    """
    A third party's service user may call one API on one resource: not another API, and not another resource.
    """
    role = organization.admin.post("/v1/roles", name="Partner", handle="partner")
    organization.grant(role, "dataset:read", resource={"ids": ["ledger"]})
    account = organization.account("partner", roles=["partner"])
    token = organization.key(account)["token"]

    assert "allowed" == organization.decide(token, "dataset:read", resource="ledger")
    assert "resource_not_covered" == organization.decide(token, "dataset:read", resource="payroll")
    assert "permission_missing" == organization.decide(token, "dataset:create", resource="ledger")
