"""Planhat: access tokens, the tenant token, and what is logged of both."""

from __future__ import annotations

from base64 import b64encode

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization, Server


def test_PL4_the_log_tab_lists_requests(organization: Organization) -> None:
    """
    The requests of an account are listed with time, method, path and outcome, the newest first, and no other's.
    """
    account, other = organization.account("CRM sync"), organization.account("other")
    organization.grant(account, "company:read")
    token = organization.key(account)["token"]
    organization.decide(token, "company:read", method="GET", path="/companies")
    organization.decide(token, "company:update", method="PUT", path="/companies/1")
    organization.decide(organization.key(other)["token"], "company:read", path="/other")
    log = organization.logged(account, 2)

    assert [
        ("PUT", "/companies/1", "denied", "permission_missing"),
        ("GET", "/companies", "allowed", None),
    ] == [(each["method"], each["path"], each["decision"], each["reason"]) for each in log]
    assert log[0]["at"] >= log[1]["at"]


def test_PL6_the_analytics_endpoint_takes_the_tenant_token(
    organization: Organization, server: Server
) -> None:
    """
    A token of the organization is accepted where usage is sent, and nowhere else; the main API takes tokens of
    service accounts alone.
    """
    tenant = organization.admin.post("/v1/ingest-tokens", name="analytics", endpoints=["/analytics/*"])
    account = organization.account("CRM sync")
    organization.grant(account, "company:read")
    token = organization.key(account)["token"]
    ask = {"method": "POST", "path": "/analytics/events"}

    assert "allowed" == organization.decide(tenant["token"], **ask)
    assert "allowed" != organization.decide(tenant["token"], method="POST", path="/companies")
    assert "allowed" != organization.decide(tenant["token"], "company:read", method="GET", path="/companies")
    assert "allowed" == organization.decide(token, "company:read", method="GET", path="/companies")
    assert 401 == server.caller(tenant["token"]).call("GET", ACCOUNTS).status or (
        403 == server.caller(tenant["token"]).call("GET", ACCOUNTS).status
    )


def test_PL15_a_token_is_displayed_once(organization: Organization) -> None:
    """
    No later answer holds it; lost, another one is issued.
    """
    account = organization.account("CRM sync")
    lost = organization.key(account)
    paths = (f"{KEYS}/{lost['key']['id']}", f"{ACCOUNTS}/{account['id']}/keys", KEYS, "/v1/audit-events")
    texts = [organization.admin.call("GET", path).body.decode() for path in paths]
    fresh = organization.key(account)

    assert [] == [text for text in texts if lost["token"][-30:] in text]
    assert "allowed" == organization.decide(fresh["token"])
    assert fresh["token"] != lost["token"]


def test_PL19_one_token_is_deleted_alone(organization: Organization) -> None:
    """
    One step deletes a token in use; the account and its other token go on.
    """
    account = organization.account("CRM sync")
    gone, kept = organization.key(account), organization.key(account)
    organization.admin.delete(f"{KEYS}/{gone['key']['id']}")

    assert ["credential_revoked", "allowed"] == [organization.decide(each["token"]) for each in (gone, kept)]
    assert "enabled" == organization.admin.get(f"{ACCOUNTS}/{account['id']}")["state"]
    assert [kept["key"]["id"]] == [
        each["id"] for each in organization.admin.get(f"{ACCOUNTS}/{account['id']}/keys")["items"]
    ]


def test_PL22_tokens_last_for_ever(organization: Organization) -> None:
    """
    A token has no end unless one is asked for; deleted, it ends.
    """
    account = organization.account("CRM sync")
    issued, dated = organization.key(account), organization.key(account, expires="900d")

    assert (None, None) == (issued["key"]["expires_at"], issued["expiry"]["at"])
    assert None is organization.server.ask(token=issued["token"])["expires_at"]
    assert "requested" == dated["expiry"]["because"]
    organization.admin.delete(f"{KEYS}/{issued['key']['id']}")
    assert "credential_revoked" == organization.decide(issued["token"])


def test_PL23_actions_are_those_of_the_account(organization: Organization) -> None:
    """
    What is done with a token is shown as done by the account: in the audit log, in the request log, and where an
    object says who made it.
    """
    account = organization.account("CRM sync")
    organization.grant(account, "user:create")
    issued = organization.key(account)
    made = organization.server.caller(issued["token"]).post(
        "/v1/users", email="new@planhat.example", name="New"
    )
    [event] = organization.events(subject=made["id"])
    log = [each for each in organization.logged(account) if each["method"] == "POST"]

    assert (account["id"], "CRM sync", "service_account") == (
        event["actor"]["id"], event["actor"]["name"], event["actor"]["kind"],
    )  # fmt: skip
    assert (account["id"], issued["key"]["id"]) == (made["created_by"]["id"], event["credential_id"])
    assert ["/v1/users"] == [each["path"] for each in log]


def test_PL24_an_account_has_several_tokens(organization: Organization, server: Server) -> None:
    """
    Fifteen tokens of one account work at once; each is a bearer, or a Basic user name without a password.
    """
    account = organization.account("CRM sync")
    organization.grant(account, "company:read")
    tokens = [organization.key(account)["token"] for _ in range(15)]
    basic = b64encode(f"{tokens[0]}:".encode()).decode()

    assert 15 == len({*tokens})
    assert {"allowed"} == {organization.decide(token, "company:read") for token in tokens}
    assert [200, 200] == [
        server.present(f"company:read@{organization.handle}", sent).status
        for sent in (f"Bearer {tokens[1]}", f"Basic {basic}")
    ]
