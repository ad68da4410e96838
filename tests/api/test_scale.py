"""Lists of a large organization: whatever is asked for, the database goes to it by an index.

10,000 accounts, 50,000 keys, 100,000 requests, 60,000 events. What is measured is work, not time: rows that
PostgreSQL visits, steps of SQLite's machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from retinue.server import housekeeping
from retinue.server.api import limits, routes  # noqa: F401  (routes fill the table)
from retinue.server.api.operations import OPERATIONS
from retinue.server.api.schemas import ListQuery
from retinue.server.ledger import feed as ledger
from retinue.server.ledger.transaction import SYSTEM
from retinue.server.nodes import epochs
from retinue.server.nodes.history import Doubt
from tests.api import epoch_cases, webhook_cases
from tests.api.bulk import fill
from tests.api.world import World
from tests.server_support import django_setup

MOST_ROWS, MOST_STEPS = 2_500, 60_000
#: What is ordered by no index, counted, or decided: each account with its keys, each assignment and item of a review
#: is looked at, but only once or twice, and so are the accounts that the users of a page own; a search of the request
#: log looks at so many of it at once, and no more.
WHOLE_ROWS, WHOLE_STEPS = 80_000, 700_000
WHOLE = (
    "/assignments", "/decisions/who", "/roles", "/groups", "/grants?permission", "/grants?pending", "/principals?kind=all",
    *(f"/service-accounts?{each}" for each in ("status", "environment", "group", "team", "unused", "expires")),
    "/reviews", "/users", *(
        f"{each}/requests?{name}=" for each in ("", "/service-accounts/sa_0005000")
        for name in ("path", "status", "address", "node", "method", "permission", "client")
    ),
)  # fmt: skip
ONE = "/service-accounts/sa_0005000"
#: What is asked of each list, for each of its parameters. ``search`` looks into the middle of names, which no
#: index finds; ``role`` may have to look at each account: they are not bounded here. Nor are open findings: they
#: are stored nowhere, but found among all accounts and credentials when they are asked for.
UNBOUNDED = {"search", "role"}
FOUND = {"kind", "subject"}
CASES: dict[str, list[str]] = {
    "list_service_accounts": [
        "/service-accounts", "/service-accounts?sort=-created_at", "/service-accounts?state=disabled",
        "/service-accounts?state=deleted", "/service-accounts?handle=bulk_0005000",
        "/service-accounts?owner={rare}", "/service-accounts?owner=usr_nobody",
        "/service-accounts?awaits_approval=true", "/service-accounts?awaits_approval=false",
        *(f"/service-accounts?status={each}" for each in (
            "deleted", "disabled", "ownerless", "idle", "attention", "active",
        )),
        "/service-accounts?environment=nowhere", "/service-accounts?group={group}", "/service-accounts?team={team}",
        "/service-accounts?unused_for=90", "/service-accounts?unused_for=3650", "/service-accounts?expires_within=14",
    ],
    "list_keys": [
        "/keys", "/keys?account=sa_0005000", "/keys?account=bulk_0005000", "/keys?account=nobody",
        "/keys?state=revoked", "/keys?state=deleted", "/keys?name=k_0005000",
        *(f"/keys?status={each}" for each in (
            "active", "idle", "never_used", "expiring", "retiring", "expired", "suspended", "revoked", "deleted", "usable",
        )),
    ],
    "list_keys_of_account": [
        f"{ONE}/keys", f"{ONE}/keys?status=usable", f"{ONE}/keys?name=k_0005000", f"{ONE}/keys?state=deleted",
    ],
    "list_grants": [f"{ONE}/grants"],
    "list_all_grants": [
        "/grants", "/grants?subject=sa_0005000", "/grants?permission=report:read", "/grants?permission=report:write",
        "/grants?pending=true", "/grants?pending=false",
    ],
    "list_assignments": [
        "/assignments", "/assignments?subject=sa_0005000", "/assignments?pending=true", "/assignments?pending=false",
    ],
    "list_who_may": ["/decisions/who?permission=report:read", "/decisions/who?permission=report:read&resource=a"],
    "list_permissions": ["/permissions", "/permissions?management=true"],
    "list_roles": ["/roles", "/roles?handle=auditor"],
    "list_groups": ["/groups", "/groups?name=People"],
    "list_members_of_group": ["/groups/{group}/members"],
    "list_teams": ["/teams", "/teams?name=Blue"],
    "list_members_of_team": ["/teams/{team}/members"],
    "list_resources_of_team": ["/teams/{team}/resources"],
    "list_access_policies": ["/access-policies", "/access-policies?name=none"],
    "list_findings": ["/findings?state=accepted", "/findings?state=accepted&account=sa_0005000"],
    "list_webhooks": ["/webhooks"],
    "list_deliveries": ["/webhooks/{webhook}/deliveries", "/webhooks/{webhook}/deliveries?state=failed"],
    "list_mails": ["/mails", "/mails?state=failed"],
    "list_saved_views": ["/saved-views", "/saved-views?list=requests"],
    "list_reviews": ["/reviews", "/reviews?state=open"],
    "list_review_items": ["/reviews/{review}/items", "/reviews/{review}/items?decided=true"],
    "list_epochs": ["/epochs"],
    "list_lost": ["/epochs/{epoch}/lost", "/epochs/{epoch}/lost?outcome=waiting"],
    "list_users": ["/users", "/users?email=nobody@x.example", "/users?state=disabled"],
    "list_principals": [
        "/principals", "/principals?kind=user", "/principals?kind=all", "/principals?state=deleted",
        "/principals?sort=-created_at",
    ],
    "list_organizations": [
        "/organizations", "/organizations?state=disabled", "/organizations?handle=nowhere",
    ],
    "list_policy_versions": ["/policy/versions"],
    "list_audit_events": [
        "/audit-events", "/audit-events?type=key.revoked", "/audit-events?type=node.removed",
        "/audit-events?actor=usr_rare", "/audit-events?actor=usr_nobody", "/audit-events?subject=key_0000500",
        "/audit-events?since=2026-02-01T00:00:00Z", "/audit-events?since=2036-01-01T00:00:00Z",
        "/audit-events?until=2026-01-31T00:00:00Z", "/audit-events?entries=true",
        "/audit-events?account=sa_0005000", "/audit-events?account=sa_0005000&without=session,receipt",
    ],
    "list_requests": [
        "/requests", "/requests?account=sa_0005000", "/requests?credential=key_0000500",
        "/requests?credential=key_nobody", "/requests?decision=denied", "/requests?reason=credential_revoked",
        "/requests?request_id=req_0000500", "/requests?since=2036-01-01T00:00:00Z",
        "/requests?until=2026-01-05T00:00:00Z", "/requests?path=/none", "/requests?status=5xx",
        "/requests?address=10.0.0.0/8", "/requests?node=none", "/requests?method=PUT",
        "/requests?permission=report:none", "/requests?client=none",
    ],
    "list_requests_of_account": [
        f"{ONE}/requests", f"{ONE}/requests?decision=denied", f"{ONE}/requests?credential=key_0005000",
        f"{ONE}/requests?reason=x", f"{ONE}/requests?request_id=x", f"{ONE}/requests?since=2026-02-01T00:00:00Z",
        f"{ONE}/requests?until=2026-02-01T00:00:00Z", f"{ONE}/requests?path=/none",
        f"{ONE}/requests?status=5xx", f"{ONE}/requests?address=10.0.0.0/8", f"{ONE}/requests?node=none",
        f"{ONE}/requests?method=PUT", f"{ONE}/requests?permission=report:none", f"{ONE}/requests?client=none",
    ],
    "list_nodes": ["/nodes"],
    "list_my_tokens": ["/me/tokens"],
    "list_personal_tokens": [
        "/personal-access-tokens", "/personal-access-tokens?user=usr_nobody", "/personal-access-tokens?state=revoked",
        "/personal-access-tokens?status=usable",
    ],
    "list_ingest_tokens": [
        "/ingest-tokens", "/ingest-tokens?state=revoked", "/ingest-tokens?status=usable", "/ingest-tokens?name=nobody",
    ],
    "list_credentials": [
        "/credentials", "/credentials?kind=api_key", "/credentials?account=sa_0005000", "/credentials?state=deleted",
        "/credentials?status=usable", "/credentials?format=native", "/credentials?name=k_0005000",
        "/credentials?used_within=3600", "/credentials?unused_for=30", "/credentials?expires_within=9",
        "/credentials?sort=name", "/credentials?sort=issued_at",
    ],
}  # fmt: skip


class Work:
    """Adds up what the database does for the statements of a call."""

    def __init__(self) -> None:
        self.done = 0

    def is_little(self, path: str) -> bool:
        """Whether it is far less than the size of the tables, or what is asked for needs it."""
        is_whole = path.startswith(WHOLE)
        if connection.vendor == "sqlite":
            return self.done <= (WHOLE_STEPS if is_whole else MOST_STEPS)
        return self.done <= (WHOLE_ROWS if is_whole else MOST_ROWS)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the statements inside."""
        self.done = 0
        if connection.vendor == "sqlite":
            connection.connection.set_progress_handler(self._step, 100)
            try:
                yield
            finally:
                connection.connection.set_progress_handler(None, 0)
            return
        with connection.execute_wrapper(self._explained):
            yield

    def _step(self) -> int:
        self.done += 100
        return 0

    def _explained(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith("SELECT") and not many:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0]
            self._add((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return execute(sql, params, many, context)

    def _add(self, node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            self.done += int(seen * node["Actual Loops"])
        for each in node.get("Plans", ()):
            self._add(each)


def test_every_parameter_of_every_list_has_a_case() -> None:
    """
    A new list, or a new way to narrow one, cannot be forgotten here.
    """
    for each in OPERATIONS:
        if isinstance(each.query, type) and issubclass(each.query, ListQuery):
            asked = {
                name
                for name in each.query.model_fields
                if any(f"{name}=" in path for path in CASES[each.name])
            }
            free = UNBOUNDED | (FOUND if each.name == "list_findings" else set())
            assert set(each.query.model_fields) - free - {"limit", "cursor", "sort"} <= asked, each.name


def test_lists_of_a_large_organization_are_read_by_an_index(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A page, the first and the next, takes about as much work as it shows, not as much as there is.
    """
    monkeypatch.setattr(limits, "START_SECONDS", 60.0)  # work counts here, whatever else the machine does
    with django_setup.database(database_url):
        world = World.create()
        fill(world)
        ids = _ids(world)
        housekeeping.measure()
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        connection.close()  # statistics are read when a connection is opened
        assert "" == "\n".join(_slow(world, ids))


def _ids(world: World) -> dict[str, str]:
    """What stands in the addresses: a group of all accounts, a team of some and a review of all."""
    [group] = world.owner.get("/v1/groups?name=Service%20accounts").json["items"]
    team = world.owner.post("/v1/teams", {"name": "Blue"}).json["id"]
    some = [f"sa_{number:07}" for number in range(1, 101)]
    assert 200 == world.owner.post(f"/v1/teams/{team}/add", {"members": some}).status
    review = world.owner.post("/v1/reviews", {"name": "All"})
    assert 201 == review.status, review.text
    epochs.begin(SYSTEM, Doubt("declared", ledger.position().epoch))
    epoch_cases.settle()
    return {
        "webhook": webhook_cases.many_messages(world, 10_000),
        "rare": world.owner.get(f"/v1{ONE}").json["owners"][0]["id"],
        "group": group["id"],
        "team": team,
        "review": review.json["id"],
        "epoch": str(ledger.position().epoch),
    }


def _slow(world: World, ids: dict[str, str]) -> Iterator[str]:
    work, operator = Work(), world.operator()
    for path in (path for paths in CASES.values() for path in paths):
        asked: str | None = "/v1" + path.format_map(ids)
        for page in ("first", "next"):
            with work.measured():
                answer = (
                    operator if path.startswith(("/nodes", "/organizations", "/epochs")) else world.owner
                ).get(asked or "")
            if 200 != answer.status:
                yield f"{path}, {page} page: {answer.text}"
                break
            if not work.is_little(path):
                yield f"{path}, {page} page: {work.done}"
            if answer.json["next"] is None:
                break
            asked = f"{asked}{'&' if '?' in path else '?'}cursor={answer.json['next']}"


@pytest.mark.parametrize("status", ["active", "deleted", "revoked"])
def test_a_status_gives_the_keys_that_have_it(world: World, status: str) -> None:
    """
    A key is in the list of its status, and in no other: also a deleted one, which no other list shows.
    """
    path = f"/v1/keys/{world.key(world.account())[0].id}"
    if status != "active":
        world.owner.post(f"{path}/revoke")
    if status == "deleted":
        world.owner.delete(path)
    shown = {
        each
        for each in ("never_used", "deleted", "revoked")
        if world.owner.get(f"/v1/keys?status={each}").json["items"]
    }

    assert {status.replace("active", "never_used")} == shown
