"""Qualytics: personal access tokens stand beside service accounts, and follow their user."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS
from tests.conformance.server import Organization
from tests.support.processes import wait_for

NEED = "dataset:update"


def test_QU7_a_user_issues_tokens_of_their_own(organization: Organization) -> None:
    """
    A user issues, sees and revokes personal access tokens without anybody's help; nobody else issues one for
    them, an administrator sees none of them, and a service account has none.
    """
    user, caller = organization.person("Uma", "editor")
    issued = caller.post("/v1/me/tokens", name="laptop")
    own = [each["id"] for each in caller.get("/v1/me/tokens")["items"]]
    wait_for("the node knows it", lambda: organization.decide(issued["token"], NEED) == "allowed", seconds=60)
    account = organization.caller(organization.account(roles=["editor"]))
    seen = organization.admin.call("GET", "/v1/personal-access-tokens")

    assert ("personal_access_token", user["id"]) == (issued["key"]["kind"], issued["key"]["account"]["id"])
    assert issued["key"]["id"] in own
    assert "forbidden_for_service" == account.refused("POST", "/v1/me/tokens", {"name": "x"})[1] or (
        403 == account.refused("POST", "/v1/me/tokens", {"name": "x"})[0]
    )
    assert 404 == organization.admin.refused("POST", f"/v1/me/tokens/{issued['key']['id']}/revoke", {})[0]
    assert seen.status == 403 or [] == seen.json()["items"]
    caller.post(f"/v1/me/tokens/{issued['key']['id']}/revoke")
    assert "credential_revoked" == organization.decide(issued["token"], NEED)


def test_QU8_a_personal_token_breaks_with_its_user(organization: Organization) -> None:
    """
    What a personal access token may follows the role of its user at the next decision; disabling the user stops
    it, and deleting the user ends it for good. A key of a service account does not care.
    """
    user, caller = organization.person("Uma", "editor")
    token = caller.post("/v1/me/tokens", name="laptop")["token"]
    account = organization.account(roles=["editor"], owners=[user["id"]])
    key, path = organization.key(account)["token"], f"/v1/users/{user['id']}"
    wait_for("the node knows it", lambda: organization.decide(token, NEED) == "allowed", seconds=60)
    seen = []
    organization.admin.patch(path, roles=["member"])
    seen.append(organization.decide(token, NEED))
    organization.admin.patch(path, roles=["editor"])
    seen.append(organization.decide(token, NEED))
    organization.admin.post(f"{path}/disable")
    seen.append(organization.decide(token, NEED))
    organization.admin.post(f"{path}/enable")
    seen.append(organization.decide(token, NEED))
    organization.admin.delete(path)
    seen.append(organization.decide(token, NEED))

    assert ["permission_missing", "allowed", "account_disabled", "allowed", "account_deleted"] == seen
    assert "allowed" == organization.decide(key, NEED)
    assert "enabled" == organization.admin.get(f"{ACCOUNTS}/{account['id']}")["state"]
