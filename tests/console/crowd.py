"""An organization in which every page has many rows: made once for each database, by the API's own operations."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from django.test import RequestFactory

from retinue.server.access.queries import effective
from retinue.server.api import inside
from retinue.server.ledger.queries import events
from retinue.server.ledger.transaction import Actor
from retinue.server.traffic import actions as traffic
from retinue.server.traffic.rules import Entry
from tests.console.people import Person, make_person, set_policy
from tests.server_support.findings import look

MANY = 32


@dataclass
class Crowd:
    """The organization's owner, and an id of each kind of thing by the name that addresses have for it."""

    person: Person
    ids: dict[str, str] = field(default_factory=dict)

    def call(self, operation: str, /, *, path: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        """Call an operation as the owner; it must be done."""
        who = self.person.principal
        actor = Actor(who.kind, who.id, who.name, who.organization_id, is_operator=True, channel="api")
        done = inside.call(
            RequestFactory().post("/"), who, actor, operation, path=path, body=body, held=effective(who)
        )
        assert done.is_done, (operation, done.body)
        return done.body


@cache
def crowd(database: str) -> Crowd:
    """Return the organization of a database."""
    person = make_person(operator=True)
    set_policy(person, {"ingest.enabled": True})
    made = Crowd(person)
    _access(made)
    accounts = _accounts(made)
    _people(made)
    _tokens(made)
    _traffic(made, accounts)
    shared: dict[str, Any] = {
        "list": "service-accounts",
        "name": "Idle",
        "filters": {"status": "idle"},
        "shared": True,
    }
    made.ids["view_id"] = made.call("create_saved_view", **shared)["id"]
    made.ids["review_id"] = made.call("open_review", name="Q4", template="full", due_days=14)["id"]
    made.ids["event_id"] = events(person.principal.organization_id)[0].id
    look(person.principal.organization_id)
    return made


def _access(made: Crowd) -> None:
    names = [f"thing{n}:{act}" for n in range(MANY // 2) for act in ("read", "write")]
    made.call("import_permissions", permissions=[{"name": name, "label": name} for name in names])
    for n in range(MANY):
        role = made.call("create_role", name=f"Role {n}", permissions=names[n : n + 1])
        group = made.call("create_group", name=f"Group {n}", roles=[role["handle"]])
        team = made.call("create_team", name=f"Team {n}")
        policy = made.call("create_access_policy", name=f"Rule {n}", roles=[role["handle"]], enabled=False)
    paths = {"team_id": team["id"]}
    made.call("change_resources_of_team", path=paths, add=[f"resource:{n}" for n in range(MANY)])
    made.ids |= {"role_id": role["id"], "policy_id": policy["id"], "group": group["id"], "team": team["id"]}


def _accounts(made: Crowd) -> list[dict[str, Any]]:
    found = []
    for n in range(MANY):
        account = made.call(
            "create_service_account",
            name=f"job-{n}",
            purpose="Loads the reports.",
            owners=[made.person.email],
            roles=[f"role-{n}", "auditor"],
            permissions=["thing1:read"],
            groups=["Group 1"],
            teams=["Team 1"],
            key={"name": "first"},
        )
        found.append(account)
    made.ids |= {"account_id": found[0]["id"], "key_id": found[0]["key"]["id"]}
    gone = made.call("revoke_key", path={"key_id": found[-1]["key"]["id"]}, reason="other", text="a test")
    made.ids["receipt_id"] = gone["receipt"]["id"]
    path = {"account_id": found[0]["id"]}
    for n in range(8):
        made.call("issue_key", path=path, name=f"more-{n}")
    old = made.call("issue_key", path={"account_id": found[1]["id"]}, name="old")["key"]["id"]
    made.call("rotate_key", path={"key_id": old}, overlap="24h")
    made.ids |= {"retiring": old, "rotated": found[1]["id"]}
    everybody = [each["id"] for each in found]
    for kind in ("group", "team"):
        path = {f"{kind}_id": made.ids[kind]}
        made.call(f"add_to_{kind}", path=path, members=everybody)
    return found


def _people(made: Crowd) -> None:
    for n in range(MANY):
        user = made.call("create_user", email=f"user-{n}@{secrets.token_hex(6)}.example", name=f"User {n}")
    made.ids["user_id"] = user["id"]


def _tokens(made: Crowd) -> None:
    for n in range(MANY // 4):
        mine = made.call("issue_my_token", name=f"mine-{n}")
        ingest = made.call("issue_ingest_token", name=f"ingest-{n}", endpoints=["/events/*"])
    made.ids |= {
        "my_token": mine["key"]["id"],
        "token_id": mine["key"]["id"],
        "ingest_token": ingest["key"]["id"],
    }


def _traffic(made: Crowd, accounts: list[dict[str, Any]]) -> None:
    now = datetime.now(UTC) - timedelta(minutes=5)
    entries = [
        Entry(
            at_ms=int(now.timestamp() * 1000) + n,
            organization=made.person.principal.organization_id,
            account=each["id"],
            account_name=each["name"],
            account_kind="service_account",
            credential_id=each["key"]["id"],
            allowed=n % 3 > 0,
            reason=None if n % 3 else "permission_missing",
            permission="thing1:read",
            method="GET",
            path=f"/things/{n}",
            address=f"10.0.0.{n}",
            client="curl/8",
            revision=1,
            duration_us=40,
        )
        for n, each in enumerate(accounts * 2)
    ]
    traffic.ingest("node-a", secrets.token_hex(8), 0, entries)
