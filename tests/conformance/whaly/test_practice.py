"""Whaly: the best practices that an organization can have enforced."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS, KEYS
from tests.conformance.server import Organization
from tests.support.processes import wait_for


def test_WH19_names_follow_a_convention(organization: Organization) -> None:
    """
    With a pattern for names others are refused on create and on rename; what is called otherwise already goes
    on working and is found.
    """
    old = organization.account("Some integration")
    token = organization.key(old)["token"]
    organization.set_policy(accounts__name_pattern="[a-z]+-[a-z]+")
    refused = organization.admin.refused("POST", ACCOUNTS, {"name": "Whatever", "roles": ["viewer"]})
    good = organization.account("airflow-sync")
    renamed = organization.admin.refused("PATCH", f"{ACCOUNTS}/{good['id']}", {"name": "Whatever"})
    found: list[str] = []

    def is_found() -> bool:
        items = organization.admin.get("/v1/findings", kind="naming")["items"]
        found[:] = [each["subject"]["id"] for each in items]
        return old["id"] in found

    wait_for("the account's name is found", is_found, seconds=60)
    assert ("body.name", "body.name") == (refused[2], renamed[2])
    assert good["id"] not in found
    assert "allowed" == organization.decide(token, "dataset:read")


def test_WH22_keys_are_rotated_regularly(organization: Organization) -> None:
    """
    With a rotation policy a key says by when it is to be rotated; once that is past, every decision warns and
    there is a finding. Rotating it ends both.
    """
    organization.set_policy(rotation__every_days=30)
    account = organization.account()
    key = organization.key(account)
    short = organization.key(account, expires="3s")
    assert key["key"]["rotate_by"] is not None
    assert key["key"]["rotate_by"] < "9999"

    def is_due() -> bool:
        return "rotation_due" in organization.server.ask(token=short["token"])["warnings"]

    assert not is_due()
    wait_for("the key is due", is_due, seconds=60)
    assert "rotation_due" not in organization.server.ask(token=key["token"])["warnings"]
    due = organization.admin.get(f"/v1/findings/fnd_rotation_due-{short['key']['id']}")
    assert ("open", short["key"]["id"]) == (due["state"], due["subject"]["id"])
    organization.admin.post(f"{KEYS}/{key['key']['id']}/rotate")


def test_WH23_the_minimum_of_permissions(organization: Organization) -> None:
    """
    An account may what its role and grants give and nothing by default; what it holds and does not use is told,
    so that it can be taken away.
    """
    account = organization.account("Sync", roles=["report-viewer"])
    token = organization.key(account)["token"]
    names = ("report:read", "dataset:read", "dataset:create", "company:read", "alert:read")

    assert {"report:read"} == organization.may(token, *names)
    held = organization.admin.get(f"{ACCOUNTS}/{account['id']}/permissions")["items"]
    assert {"report:read", "report:create", "report:export"} == {each["permission"] for each in held}
