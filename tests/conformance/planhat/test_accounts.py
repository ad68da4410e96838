"""Planhat: service accounts with permissions of their own."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.console import signs_in
from tests.conformance.server import Organization, Server

DATA = ("company:read", "company:update", "company.email:update", "dataset:read")


def test_PL1_belongs_to_an_application(organization: Organization) -> None:
    """
    An application calls with a token of the account, and manages the account's own tokens with it: it rotates
    what it has, and issues none for itself.
    """
    account = organization.account("CRM sync")
    issued = organization.key(account)
    application = organization.server.caller(issued["token"])
    refused = application.refused("POST", f"{ACCOUNTS}/{account['id']}/keys", {"name": "more"})
    rotated = application.post(f"{KEYS}/{issued['key']['id']}/rotate")

    assert ("service_account", account["id"]) == tuple(
        application.get("/v1/me")["principal"][name] for name in ("kind", "id")
    )
    assert 403 == refused[0]
    assert account["id"] == rotated["key"]["account"]["id"]
    assert "allowed" == organization.decide(rotated["token"])


def test_PL2_its_permissions_are_the_scope_of_its_tokens(organization: Organization) -> None:
    """
    Each account has its own permissions, and its tokens may exactly that; roles it has none.
    """
    one, two = organization.account("one"), organization.account("two")
    organization.grant(one, "company:read")
    organization.grant(two, "company:update")
    refused = organization.admin.refused("PATCH", f"{ACCOUNTS}/{one['id']}", {"roles": ["auditor"]})

    assert [{"company:read"}, {"company:update"}] == [
        organization.may(organization.key(each)["token"], *DATA) for each in (one, two)
    ]
    assert refused[0] in (403, 409, 422)


def test_PL3_full_control_over_the_data(organization: Organization) -> None:
    """
    A permission is granted on some companies, and reaches no other; a property is not reached by its model.
    """
    account = organization.account("CRM sync")
    token = organization.key(account)["token"]
    organization.grant(account, "company:update", resource={"ids": ["c-1", "c-2"]})

    assert ["allowed", "allowed", "resource_not_covered"] == [
        organization.decide(token, "company:update", resource=each) for each in ("c-1", "c-2", "c-3")
    ]
    assert "permission_missing" == organization.decide(token, "company.email:update", resource="c-1")


def test_PL5_is_disabled_enabled_and_deleted_at_any_point(organization: Organization) -> None:
    """
    From every state it goes on: disabled, enabled again, deleted; and deleted is final.
    """
    account = organization.account("CRM sync")
    token, path = organization.key(account)["token"], f"{ACCOUNTS}/{account['id']}"
    seen = []
    for act in ("disable", "enable", "disable"):
        organization.admin.post(f"{path}/{act}")
        seen.append(organization.decide(token))
    organization.admin.delete(path)
    seen.append(organization.decide(token))

    assert ["account_disabled", "allowed", "account_disabled", "account_deleted"] == seen
    assert {409} == {
        organization.admin.refused("POST", f"{path}/{act}", {})[0] for act in ("enable", "restore")
    }
    assert [] == organization.admin.get(ACCOUNTS, search="CRM")["items"]


def test_PL8_who_holds_the_permission_sees_them(organization: Organization) -> None:
    """
    Without the permission nobody sees service accounts; an administrator grants it, and then they are seen.
    """
    account = organization.account("looker")
    looker = organization.caller(account)
    refused = looker.refused("GET", ACCOUNTS)
    organization.grant(account, "service_account:read")

    assert (403, "permission_missing") == refused[:2]
    assert account["id"] in [each["id"] for each in looker.get(ACCOUNTS)["items"]]


def test_PL10_permissions_are_copied(organization: Organization) -> None:
    """
    A new account starts from scratch, from another account, or from a role; what is copied is a copy: a later
    change of the source changes nothing.
    """
    source = organization.account("source")
    grant = organization.grant(source, "company:read")
    role = organization.admin.post("/v1/roles", name="Sync", handle="sync", permissions=["company:update"])
    scratch = organization.account("scratch")
    as_account = organization.account("as account", copy_from={"account": source["id"], "mode": "copy"})
    as_role = organization.account("as role", copy_from={"role": role["id"], "mode": "copy"})
    tokens = [organization.key(each)["token"] for each in (scratch, as_account, as_role)]
    before = [organization.may(token, *DATA) for token in tokens]
    organization.take_back(grant)
    organization.admin.patch(f"/v1/roles/{role['id']}", permissions=["dataset:read"])

    assert [set(), {"company:read"}, {"company:update"}] == before
    assert before == [organization.may(token, *DATA) for token in tokens]
    assert set() == organization.may(organization.key(source)["token"], *DATA)


def test_PL11_permissions_can_be_changed_later(organization: Organization) -> None:
    """
    A permission is added and taken away again, with effect on the token that is in use.
    """
    account = organization.account("CRM sync")
    token = organization.key(account)["token"]
    seen = [organization.may(token, *DATA)]
    grant = organization.grant(account, "company:update")
    seen.append(organization.may(token, *DATA))
    organization.take_back(grant)
    seen.append(organization.may(token, *DATA))

    assert [set(), {"company:update"}, set()] == seen


def test_PL13_says_what_it_is_used_for(organization: Organization) -> None:
    """
    A description is given after the account was made, is kept and found; tokens are issued beside it.
    """
    account = organization.account("CRM sync")
    path = f"{ACCOUNTS}/{account['id']}"
    organization.admin.patch(path, description="copies companies from the warehouse")
    issued = organization.key(account)

    assert "copies companies from the warehouse" == organization.admin.get(path)["description"]
    assert [account["id"]] == [
        each["id"] for each in organization.admin.get(ACCOUNTS, search="warehouse")["items"]
    ]
    assert "allowed" == organization.decide(issued["token"])


def test_PL20_no_password_no_browser_no_cookie(organization: Organization, server: Server) -> None:
    """
    Name and token open no session, and no answer to the account sets a cookie.
    """
    account = organization.account("CRM sync")
    token = organization.key(account)["token"]

    assert signs_in(server, *server.person)
    assert not signs_in(server, "crm@planhat.example", token)
    assert not signs_in(server, account["id"], token)
    assert "set-cookie" not in server.caller(token).call("GET", "/v1/me").headers


def test_PL21_is_in_no_list_of_users(organization: Organization) -> None:
    """
    Service accounts stand in a list of their own, and people in theirs; neither is found in the other's, by
    whatever search.
    """
    account = organization.account("CRM sync")
    person = organization.admin.post("/v1/users", email="crm@planhat.example", name="CRM person")
    people = [each["id"] for each in organization.admin.get("/v1/users", search="CRM")["items"]]
    accounts = [each["id"] for each in organization.admin.get(ACCOUNTS, search="CRM")["items"]]

    assert ([person["id"]], [account["id"]]) == (people, accounts)
    assert 404 == organization.admin.refused("GET", f"/v1/users/{account['id']}")[0]


def test_PL25_disabled_its_tokens_stop_and_enabled_they_work(organization: Organization) -> None:
    """
    All tokens of a disabled account stop and go on when it is enabled; but not one that was revoked meanwhile.
    """
    account = organization.account("CRM sync")
    issued = [organization.key(account) for _ in range(3)]
    organization.admin.post(f"{ACCOUNTS}/{account['id']}/disable")
    stopped = [organization.decide(each["token"]) for each in issued]
    organization.admin.post(f"{KEYS}/{issued[0]['key']['id']}/revoke")
    organization.admin.post(f"{ACCOUNTS}/{account['id']}/enable")

    assert ["account_disabled"] * 3 == stopped
    assert ["credential_revoked", "allowed", "allowed"] == [
        organization.decide(each["token"]) for each in issued
    ]
