"""Whaly: regular review of accounts and keys, and a prompt end of what nobody needs."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization


def test_WH20_accounts_and_keys_are_reviewed(organization: Organization) -> None:
    """
    A review asks about every account whether it is still required, with its permissions, its keys and their use
    before the reviewer; nothing changes until it is applied, and then exactly what was decided.
    """
    kept, ended = (
        organization.account("kept", roles=["viewer"]),
        organization.account("ended", roles=["editor"]),
    )
    issued = {each["id"]: organization.key(each) for each in (kept, ended)}
    path, items = organization.review()
    evidence = items[ended["id"]]["evidence"]
    early = organization.admin.refused("POST", f"{path}/apply", {})
    for account, item in items.items():
        organization.decided(path, item, "disable" if account == ended["id"] else "keep")
    before = {each: organization.decide(issued[each]["token"]) for each in issued}
    organization.admin.post(f"{path}/apply")

    assert "dataset:create" in evidence["permissions_held"]
    assert issued[ended["id"]]["key"]["id"] in [each["id"] for each in evidence["keys"]]
    assert (409, "state_conflict") == early[:2]
    assert {kept["id"]: "allowed", ended["id"]: "allowed"} == before
    assert {kept["id"]: "allowed", ended["id"]: "account_disabled"} == {
        each: organization.decide(issued[each]["token"]) for each in issued
    }


def test_WH21_what_is_not_used_is_ended_promptly(organization: Organization) -> None:
    """
    Keys that were never used are found, and accounts without a use are seen as such in a review; deleting and
    revoking them is over with the call. What is used goes on. (That days without use are counted is shown with
    another clock, in tests/api/test_idle.py.)
    """
    used, unused = organization.account("used"), organization.account("unused")
    working, idle, spare = organization.key(used), organization.key(unused), organization.key(used)
    organization.decide(working["token"], "dataset:read")
    organization.used(f"{KEYS}/{working['key']['id']}")
    never = {each["id"] for each in organization.admin.get(KEYS, status="never_used", limit=200)["items"]}
    path, items = organization.review()
    for account, item in items.items():
        organization.decided(path, item, "delete" if account == unused["id"] else "keep")
    organization.admin.post(f"{path}/apply")
    organization.admin.post(f"{KEYS}/{spare['key']['id']}/revoke")

    assert {idle["key"]["id"], spare["key"]["id"]} <= never
    assert working["key"]["id"] not in never
    assert (True, False) == (
        items[unused["id"]]["evidence"]["last_used_at"] is None, items[used["id"]]["evidence"]["last_used_at"] is None,
    )  # fmt: skip
    assert ["allowed", "account_deleted", "credential_revoked"] == [
        organization.decide(each["token"], "dataset:read") for each in (working, idle, spare)
    ]
    assert "deleted" == organization.admin.get(f"{ACCOUNTS}/{unused['id']}")["state"]
