"""Whaly: keys and their tokens."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization


def test_WH13_a_key_comes_with_the_account(organization: Organization) -> None:
    """
    Creating an account issues its first key, whose token stands in the answer and works; reading the account
    again shows the key and no token.
    """
    made = organization.account("Sync")
    listed = organization.admin.get(f"{ACCOUNTS}/{made['id']}/keys")["items"]
    again = organization.admin.get(f"{ACCOUNTS}/{made['id']}")

    assert "allowed" == organization.decide(made["token"], "dataset:read")
    assert [made["key"]["id"]] == [each["id"] for each in listed]
    assert 1 == again["keys"]["usable"]
    assert made["token"] not in str(again)


def test_WH14_the_token_is_visible_once(organization: Organization) -> None:
    """
    No later answer about the key holds its token or its secret part: neither single nor list, nor the audit log.
    """
    issued = organization.key(organization.account())
    secret = issued["token"][-30:]
    paths = (f"{KEYS}/{issued['key']['id']}", KEYS, "/v1/audit-events", ACCOUNTS)
    texts = [organization.admin.call("GET", path).body.decode() for path in paths]

    assert [] == [text for text in texts if secret in text]
    assert issued["key"]["id"] in texts[0]
    assert 404 == organization.admin.refused("GET", f"{KEYS}/{issued['key']['id']}/token")[0]


def test_WH15_a_lost_token_is_replaced_by_another_key(organization: Organization) -> None:
    """
    On the same account another key is issued; the lost one is revoked, and the account goes on.
    """
    account = organization.account()
    lost = organization.key(account)
    fresh = organization.key(account)
    organization.admin.post(f"{KEYS}/{lost['key']['id']}/revoke")

    assert lost["token"] != fresh["token"]
    assert account["id"] == fresh["key"]["account"]["id"]
    assert ["credential_revoked", "allowed"] == [
        organization.decide(each["token"], "dataset:read") for each in (lost, fresh)
    ]


def test_WH16_an_account_holds_many_keys(organization: Organization) -> None:
    """
    Thirty keys of one account, without a name of their own, are all listed and all work: there is no limit.
    """
    account = organization.account()
    path = f"{ACCOUNTS}/{account['id']}/keys"
    tokens = [organization.admin.post(path)["token"] for _ in range(30)]
    listed = organization.admin.get(path, limit=100)["items"]

    assert 30 == len({*tokens})
    assert {"allowed"} == {organization.decide(token, "dataset:read") for token in tokens}
    assert 30 <= len([each for each in listed if each["state"] == "active"])
