"""Wavefront: tokens of service accounts."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization


def test_WF10_tokens_are_listed_and_renamed(organization: Organization) -> None:
    """
    The tokens of an account are listed, masked; each is given another name and keeps id and effect.
    """
    account = organization.account("proxies")
    issued = [organization.key(account, name=name) for name in ("first", "second")]
    path = f"{KEYS}/{issued[0]['key']['id']}"
    renamed = organization.admin.patch(path, name="west coast")
    listed = organization.admin.get(f"{ACCOUNTS}/{account['id']}/keys")["items"]

    assert issued[0]["key"]["id"] == renamed["id"]
    assert {"west coast", "second"} == {each["name"] for each in listed}
    assert "allowed" == organization.decide(issued[0]["token"])
    shown = {each["id"]: each["display"] for each in listed}
    assert shown[issued[0]["key"]["id"]].endswith(issued[0]["token"][-4:])
    assert issued[0]["token"][:-4] not in str(listed)


def test_WF11_a_revoked_token_authenticates_nothing(organization: Organization) -> None:
    """
    From the next decision on whoever uses the token is refused, for every permission; nothing undoes it.
    """
    account = organization.account("proxies")
    organization.grant(account, "proxy:update")
    issued = organization.key(account)
    path = f"{KEYS}/{issued['key']['id']}"
    before = organization.decide(issued["token"], "proxy:update")
    organization.admin.post(f"{path}/revoke")

    assert "allowed" == before
    assert ["credential_revoked"] * 2 == [
        organization.decide(issued["token"], *need) for need in (("proxy:update",), ())
    ]
    assert 409 == organization.admin.refused("POST", f"{path}/restore", {})[0]


def test_WF12_several_tokens_are_active_at_once(organization: Organization) -> None:
    """
    A token for each proxy: one is revoked and the others go on; at twenty one must be revoked first.
    """
    account = organization.account("proxies")
    organization.grant(account, "proxy:update")
    issued = [organization.key(account) for _ in range(20)]
    path = f"{ACCOUNTS}/{account['id']}/keys"
    refused = organization.admin.refused("POST", path, {"name": "one more"})
    organization.admin.post(f"{KEYS}/{issued[7]['key']['id']}/revoke")
    answers = [organization.decide(each["token"], "proxy:update") for each in issued]

    assert (409, "too_many_keys") == refused[:2]
    assert ["allowed"] * 7 + ["credential_revoked"] + ["allowed"] * 12 == answers
    assert "allowed" == organization.decide(organization.key(account)["token"], "proxy:update")


def test_WF17_no_token_of_a_disabled_account_works(organization: Organization) -> None:
    """
    Every token of it is refused, also one that is issued meanwhile.
    """
    account = organization.account("proxies")
    tokens = [organization.key(account)["token"] for _ in range(3)]
    organization.admin.post(f"{ACCOUNTS}/{account['id']}/disable")
    tokens.append(organization.key(account)["token"])

    assert ["account_disabled"] * 4 == [organization.decide(token) for token in tokens]
