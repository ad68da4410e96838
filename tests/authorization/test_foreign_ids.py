"""Ids of another organization in a body: they name nothing here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from retinue.server.ledger.models import AuditEvent
from tests.api.world import JSON, World
from tests.authorization.people import Cast
from tests.authorization.specimens import ACCOUNTS, account, key

Make = Callable[[World, World], tuple[str, str, dict[str, Any]]]


@dataclass(frozen=True)
class There:
    """Ids of another organization."""

    user: str
    account: str
    key: str


def _there(world: World) -> There:
    ids = (account(world).rpartition("/")[2], key(world).rpartition("/")[2])
    return There(world.owner.id, *ids)


def _review(world: World) -> tuple[str, str]:
    made = account(world).rpartition("/")[2]
    body = {"name": "r", "template": "scope", "accounts": [made]}
    review = world.owner.post("/v1/reviews", body).json["id"]
    return review, world.owner.get(f"/v1/reviews/{review}/items").json["items"][0]["id"]


def _decide(here: World, there: There) -> tuple[str, str, dict[str, Any]]:
    review, item = _review(here)
    body = {"decision": "reassign", "assignee": there.user, "note": "x"}
    return "POST", f"/v1/reviews/{review}/items/{item}/decide", body


_NEW = {"name": "borrowed", "purpose": "x"}
#: Calls of the owner that name something of another organization.
CASES: dict[str, Callable[[World, There], tuple[str, str, dict[str, Any]]]] = {
    "owner of a new account": lambda here, there: ("POST", ACCOUNTS, _NEW | {"owners": [there.user]}),
    "account as an owner": lambda here, there: (
        "POST",
        ACCOUNTS,
        _NEW | {"owners": [account(here).rpartition("/")[2]]},
    ),
    "another owner": lambda here, there: ("PATCH", account(here), {"owners": [there.user]}),
    "accounts of a review": lambda here, there: (
        "POST",
        "/v1/reviews",
        {"name": "r", "template": "scope", "accounts": [there.account]},
    ),
    "fallback of a review": lambda here, there: (
        "POST",
        "/v1/reviews",
        {"name": "r", "template": "full", "fallback": there.user},
    ),
    "new owner by a review": _decide,
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_named_in_a_body_is_looked_for_here_alone(cast: Cast, case: str) -> None:
    """
    Whoever may everything here and names an object of another organization is told that there is none, and
    nothing happens, here or there.
    """
    method, path, body = CASES[case](cast.here, _there(cast.there))
    events = AuditEvent.objects.exclude(type="change.refused").count()
    answer = cast.here.owner.call(method, path, body)

    assert (404, "not_found") == (answer.status, answer.code), answer.text
    assert events == AuditEvent.objects.exclude(type="change.refused").count()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/bulk/service-accounts/disable", "accounts"),
        ("/v1/bulk/service-accounts/delete", "accounts"),
        ("/v1/bulk/service-accounts/take-back", "accounts"),
        ("/v1/bulk/service-accounts/set-owners", "accounts"),
        ("/v1/bulk/keys/revoke", "keys"),
        ("/v1/bulk/keys/expire", "keys"),
        ("/v1/bulk/keys/restrict", "keys"),
        ("/v1/bulk/keys/rotate", "keys"),
    ],
)
def test_bulk_acts_reach_nothing_elsewhere(cast: Cast, path: str, field: str) -> None:
    """
    Acts on many objects refuse an id of another organization, and do nothing to it.
    """
    there = _there(cast.there)
    ident = there.account if field == "accounts" else there.key
    events = AuditEvent.objects.filter(organization=cast.there.organization.id).count()
    given: dict[str, JSON] = {
        "take-back": {"permission": "grant:create"},
        "set-owners": {"owners": [cast.here.owner.id]},
        "expire": {"expires": "now"},
    }
    more = given.get(path.rpartition("/")[2], {})
    answer = cast.here.owner.post(path, {field: [ident], **more}, {"prefer": "wait=0"})

    assert (404, "not_found") == (answer.status, answer.code), answer.text
    assert events == AuditEvent.objects.filter(organization=cast.there.organization.id).count()


def test_a_filter_names_nothing_elsewhere(cast: Cast) -> None:
    """
    Filters by an account, user or credential of another organization find nothing, and tell nothing of it.
    """
    there = _there(cast.there)
    lists = [
        f"{ACCOUNTS}?owner={there.user}",
        f"/v1/keys?account={there.account}",
        f"/v1/requests?account={there.account}",
        f"/v1/requests?credential={there.key}",
        f"/v1/audit-events?subject={there.account}",
        f"/v1/audit-events?actor={there.user}",
        f"/v1/findings?subject={there.account}",
    ]
    answers = [cast.here.owner.get(path) for path in lists]

    assert {200, 404} >= {answer.status for answer in answers}
    assert [] == [item for answer in answers if answer.status == 200 for item in answer.json["items"]]
