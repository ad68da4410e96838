"""Whaly: what a service account is, and what it may do."""

from __future__ import annotations

import time
from itertools import count

from tests.conformance.callers import ACCOUNTS, JSON
from tests.conformance.console import signs_in
from tests.conformance.server import Organization, Server
from tests.support.processes import wait_for


def test_WH1_belongs_to_an_organization_and_to_no_person(organization: Organization, server: Server) -> None:
    """
    A service account authenticates as itself in its organization; no address of a person, and no person stands
    in it, and in another organization its token is unknown.
    """
    account = organization.account("Sync")
    me = organization.caller(account).get("/v1/me")
    elsewhere = server.organization("whaly")

    assert ("service_account", account["id"], None) == (
        me["principal"]["kind"], me["principal"]["id"], me["principal"]["email"],
    )  # fmt: skip
    assert organization.id == me["organization"]["id"]
    assert [] == account["owners"]
    token = organization.key(account)["token"]
    assert "allowed" == organization.decide(token, organization=organization.id)
    assert "token_unknown" == organization.decide(token, organization=elsewhere.id)


def test_WH2_has_no_interactive_login(organization: Organization, server: Server) -> None:
    """
    Neither its name nor its id signs in with its token as a password, and no answer to it sets a cookie; a
    person does sign in.
    """
    account = organization.account("Sync", roles=["admin-builder"])
    token = organization.key(account)["token"]
    answers = [server.caller(token).call("GET", path) for path in ("/v1/me", ACCOUNTS)]

    assert not signs_in(server, account["id"], token)
    assert not signs_in(server, account["handle"], token)
    assert [200, 200] == [answer.status for answer in answers]
    assert [] == [answer.headers for answer in answers if "set-cookie" in answer.headers]
    assert signs_in(server, *server.person)


def test_WH3_creates_users_on_the_fly(organization: Organization) -> None:
    """
    An account that may create users creates one; one that may not is refused. Downloading data is decided alike.
    """
    able, unable = organization.account("Provisioning"), organization.account("Other")
    organization.grant(able, "user:create")
    body = {"email": "ada@whaly.example", "name": "Ada"}
    refused = organization.caller(unable).refused("POST", "/v1/users", body)
    made = organization.caller(able).post("/v1/users", **body)

    assert 403 == refused[0]
    assert "user:create" in refused[1]
    assert "ada@whaly.example" in [each["email"] for each in organization.admin.get("/v1/users")["items"]]
    assert able["id"] == made["created_by"]["id"]
    downloads = organization.key(organization.account("Download", roles=["viewer"]))["token"]
    assert {"dataset:read"} == organization.may(downloads, "dataset:read", "dataset:delete")


def test_WH4_the_token_of_a_key_is_what_is_sent(organization: Organization, server: Server) -> None:
    """
    The token authenticates as a bearer; a changed token does not, nor does the same one in another scheme.
    """
    token = organization.key(organization.account())["token"]
    changed = token[:-1] + ("0" if token[-1] != "0" else "1")

    assert "allowed" == organization.decide(token, "dataset:read")
    assert "allowed" != organization.decide(changed, "dataset:read")
    assert 200 == server.present("dataset:read", f"Bearer {token}").status
    assert 401 == server.present("dataset:read", f"Bearer {changed}").status
    assert 401 == server.present("dataset:read", f"Apikey {token}").status
    assert 401 == server.present("dataset:read").status


def test_WH5_outlives_every_person(organization: Organization) -> None:
    """
    Its creator is deleted, its owner loses the role, is disabled and deleted: what the account may do, and its
    token, stay as they were.
    """
    creator = organization.account("Creator", roles=["admin-builder"])
    owner = organization.admin.post("/v1/users", email="olga@whaly.example", name="Olga", roles=["editor"])
    made = organization.caller(creator).post(ACCOUNTS, name="Sync", roles=["viewer"], owners=[owner["id"]])
    token = organization.key(made)["token"]
    seen = [organization.may(token, "dataset:read", "dataset:update")]
    organization.admin.patch(f"/v1/users/{owner['id']}", roles=[])
    organization.admin.post(f"/v1/users/{owner['id']}/disable")
    seen.append(organization.may(token, "dataset:read", "dataset:update"))
    organization.admin.delete(f"/v1/users/{owner['id']}")
    organization.admin.delete(f"{ACCOUNTS}/{creator['id']}")
    seen.append(organization.may(token, "dataset:read", "dataset:update"))

    assert [{"dataset:read"}] * 3 == seen
    now = organization.admin.get(f"{ACCOUNTS}/{made['id']}")
    assert ("enabled", "ownerless") == (now["state"], now["status"])


def test_WH6_a_role_decides_what_it_may_call(organization: Organization) -> None:
    """
    A viewer reads and does not create; as an editor it does, with the token that it had. It has one role.
    """
    account = organization.account("Sync", roles=["viewer"])
    token, names = organization.key(account)["token"], ("dataset:read", "dataset:create", "dataset:delete")
    viewer = organization.may(token, *names)
    organization.admin.patch(f"{ACCOUNTS}/{account['id']}", roles=["editor"])

    assert {"dataset:read"} == viewer
    assert {"dataset:read", "dataset:create"} == organization.may(token, *names)
    for roles in ([], ["viewer", "editor"]):
        assert organization.admin.refused("PATCH", f"{ACCOUNTS}/{account['id']}", {"roles": roles})[0] >= 400


def test_WH7_access_is_fine_grained(organization: Organization) -> None:
    """
    Beside its role an account is granted one permission, on one resource, and no more.
    """
    account = organization.account("Sync", roles=["report-viewer"])
    token = organization.key(account)["token"]
    before = organization.decide(token, "dataset:update", resource="orders")
    grant = organization.grant(account, "dataset:update", resource={"ids": ["orders"]})

    assert "permission_missing" == before
    assert "allowed" == organization.decide(token, "dataset:update", resource="orders")
    assert "resource_not_covered" == organization.decide(token, "dataset:update", resource="people")
    assert "permission_missing" == organization.decide(token, "dataset:delete", resource="orders")
    organization.take_back(grant)
    assert "permission_missing" == organization.decide(token, "dataset:update", resource="orders")


def test_WH8_requests_are_logged_with_the_name(organization: Organization) -> None:
    """
    Each request stands in the log with id and name of the account, denied ones too; renamed, the old lines keep
    the old name.
    """
    account = organization.account("Old name")
    token = organization.key(account)["token"]
    organization.decide(token, "dataset:read", method="GET", path="/datasets")
    time.sleep(0.005)  # the log tells milliseconds apart, not which of two workers was first within one
    organization.decide(token, "dataset:delete", method="DELETE", path="/datasets/1")
    first = organization.logged(account, 2)
    organization.admin.patch(f"{ACCOUNTS}/{account['id']}", name="New name")
    asked = count(len(first) + 1)

    def ask_again() -> JSON | None:
        """A rename takes nothing away: whoever renames waits for a slow node only a moment."""
        organization.decide(token, "dataset:read", method="GET", path="/again")
        newest = organization.logged(account, next(asked))[0]
        return newest if newest["account"]["name"] == "New name" else None

    last = wait_for("the node has the new name", ask_again, every=0.1)

    assert {("Old name", account["id"])} == {
        (each["account"]["name"], each["account"]["id"]) for each in first
    }
    assert [("denied", "DELETE", "/datasets/1"), ("allowed", "GET", "/datasets")] == [
        (each["decision"], each["method"], each["path"]) for each in first
    ]
    assert last is not None
    assert (account["id"], "/again") == (last["account"]["id"], last["path"])
    assert first == organization.logged(account)[-2:]


def test_WH12_the_form_asks_for_name_and_role(organization: Organization) -> None:
    """
    With name and role an account is made; without either it is refused by that field, and nothing is made.
    """
    refused = [
        organization.admin.refused("POST", ACCOUNTS, body)
        for body in ({"name": "Sync"}, {"roles": ["viewer"]})
    ]
    made = organization.admin.post(ACCOUNTS, name="Sync", roles=["viewer"])

    assert [(400, "body.roles"), (400, "body.name")] == [(status, field) for status, _, field in refused]
    assert ("Sync", ["viewer"]) == (made["name"], made["roles"])
    assert ["Sync"] == [each["name"] for each in organization.admin.get(ACCOUNTS, search="Sync")["items"]]


def test_WH24_purpose_systems_and_owner_are_kept(organization: Organization) -> None:
    """
    What an account is for, which systems use it and who answers for it stand with it and are found; and an
    organization can ask for them.
    """
    owner = organization.admin.post("/v1/users", email="olga@whaly.example", name="Olga")
    account = organization.account(
        "Sync", purpose="nightly copy to the warehouse", systems=["airflow", "snowflake"], owners=[owner["id"]],
        documentation="https://wiki.example/sync",
    )  # fmt: skip
    found = organization.admin.get(ACCOUNTS, search="warehouse")["items"]
    organization.set_policy(accounts__required=["name", "role", "owner", "purpose", "systems"])
    refused = organization.admin.refused("POST", ACCOUNTS, {"name": "Bare", "roles": ["viewer"]})

    assert [account["id"]] == [each["id"] for each in found]
    assert (["airflow", "snowflake"], [owner["id"]], "https://wiki.example/sync") == (
        found[0]["systems"], [each["id"] for each in found[0]["owners"]], found[0]["documentation"],
    )  # fmt: skip
    assert (400, "missing_field") == refused[:2]
