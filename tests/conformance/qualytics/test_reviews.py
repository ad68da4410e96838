"""Qualytics: audits of tokens, and recurring access reviews."""

from __future__ import annotations

from tests.conformance.callers import KEYS
from tests.conformance.server import Organization


def test_QU21_administrators_audit_the_tokens(organization: Organization) -> None:
    """
    An Admin sees every token with its account, state, end and last use, can narrow the list, and takes the result
    of a review away; that, too, is in the audit log. A member sees none of it.
    """
    account = organization.account("scanner")
    active, revoked = organization.key(account), organization.key(account, expires="30d")
    organization.admin.post(f"{KEYS}/{revoked['key']['id']}/revoke")
    path, items = organization.review()
    result = organization.admin.post(f"{path}/export")
    member = organization.server.caller(active["token"])

    assert [revoked["key"]["id"]] == [
        each["id"] for each in organization.admin.get(KEYS, state="revoked", account=account["id"])["items"]
    ]
    assert {"expires_at", "last_used_at", "status", "account"} <= set(
        organization.admin.get(KEYS)["items"][0]
    )
    assert [active["key"]["id"]] == [each["id"] for each in items[account["id"]]["evidence"]["keys"]]
    assert len(items) == len(result["items"])
    assert ["review.exported"] == [each["type"] for each in organization.events(type="review.exported")]
    assert {403} == {member.call("GET", each).status for each in (KEYS, "/v1/reviews", "/v1/audit-events")}


def test_QU29_access_reviews_recur(organization: Organization) -> None:
    """
    The organization says how often; one review after the other is opened and carried out, and each shows what
    has changed since the last. (That one is opened when it is due is shown with another clock, in the tests of
    governance.)
    """
    stated = organization.set_policy(reviews={"every_days": 30, "grace_days": 7})
    account = organization.account("scanner")
    token = organization.key(account)["token"]
    first, items = organization.review("first")
    for item in items.values():
        organization.decided(first, item, "keep")
    organization.admin.post(f"{first}/apply")
    quiet = organization.review("second")[1][account["id"]]["evidence"]["changes_since_last_review"]
    organization.admin.patch(f"/v1/service-accounts/{account['id']}", description="scans at night")
    third, items = organization.review("third")
    for ident, item in items.items():
        organization.decided(third, item, "disable" if ident == account["id"] else "keep")
    organization.admin.post(f"{third}/apply")

    assert (30, 7) == (
        stated["in_force"]["reviews"]["every_days"],
        stated["in_force"]["reviews"]["grace_days"],
    )
    assert (0, 1) == (quiet, items[account["id"]]["evidence"]["changes_since_last_review"])
    assert "account_disabled" == organization.decide(token)
    assert {"first", "third"} == {
        each["name"] for each in organization.admin.get("/v1/reviews", state="applied")["items"]
    }
