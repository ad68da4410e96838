"""What the commands of access send, say and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retinue.cli.exits import Exit
from tests.cli.access_answers import ACCESS_POLICY, GROUP, MAY_NOT, ROLE, UNUSED
from tests.cli.answers import ETL_ID, GRANT, problem
from tests.cli.commands import COMMANDS
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        (("--permission", "report:read"), {"permission": "report:read"}),
        (("--permission", "p:x", "--resource", "own"), {"permission": "p:x", "resource": "own"}),
        (
            ("--permission", "p:x", "--resource", "r-1", "--resource", "r-2"),
            {"permission": "p:x", "resource": {"ids": ["r-1", "r-2"]}},
        ),
        (
            ("--permission", "p:x", "--where", "region=eu,us", "--where", "tier=gold"),
            {"permission": "p:x", "resource": {"where": {"region": ["eu", "us"], "tier": ["gold"]}}},
        ),
        (("--role", "auditor", "--expires", "30d"), {"role": "auditor", "expires": "30d"}),
    ],
)
def test_grant_says_on_what_and_until_when(
    words: tuple[str, ...], sent: dict[str, Any], run: Run, server: FakeServer
) -> None:
    """`grant add` sends the selector as the API takes it, and nothing that was not said."""
    outcome = run("grant", "add", "etl", *words)

    assert (0, [{"subject": ETL_ID, **sent}]) == (outcome.code, [call.body for call in server.changes()])


@pytest.mark.parametrize(
    ("text", "ident"),
    [
        ("group:Data", GROUP["id"]),
        ("group:data", GROUP["id"]),
        ("role:auditor", ROLE["id"]),
        ("policy:P7", ACCESS_POLICY["id"]),
        (GROUP["id"], GROUP["id"]),
        (ETL_ID, ETL_ID),
    ],
)
def test_subject_by_kind_and_name(text: str, ident: str, run: Run, server: FakeServer) -> None:
    """A subject is a principal, or KIND:NAME, or an id."""
    outcome = run("grant", "add", text, "--permission", "report:read")

    assert (0, ident) == (outcome.code, server.changes()[0].body["subject"])


def test_roles_and_permissions_are_one_list(run: Run) -> None:
    """`grant list` tells permissions and roles; each line has one of the two, and `--limit` counts both."""
    items = json.loads(run("grant", "list", "etl", "-o", "json").out)["items"]
    one = json.loads(run("grant", "list", "etl", "--limit", "1", "-o", "json").out)["items"]

    assert [("report:read", None), (None, "auditor")] == [
        (each["permission"], each["role"]) for each in items
    ]
    assert items[:1] == one


def test_removing_a_role_takes_its_assignment(run: Run, server: FakeServer) -> None:
    """`grant remove` finds what was given by its name; what is given twice is refused with the ids."""
    done = run("grant", "remove", "etl", "--role", "auditor", "--permission", "report:read", "--confirm", "2")
    paths = [call.path for call in server.changes()]
    twice = {"items": [GRANT, {**GRANT, "id": "grt_" + "H" * 16}], "next": None}
    server.replies["GET", "/v1/grants"] = (200, twice)
    refused = run("grant", "remove", "etl", "--permission", "report:read", "--yes")

    assert (0, ["/v1/assignments/asg_AAAAAAAAAAAAAAAA", f"/v1/grants/{GRANT['id']}"]) == (done.code, paths)
    assert (Exit.CONFLICT, True) == (refused.code, "grt_" + "H" * 16 in refused.err)


def test_permissions_of_a_role_are_changed_one_by_one(run: Run, server: FakeServer) -> None:
    """`role add` and `role remove` keep the others; taking out what is not in is refused."""
    run("role", "add", "auditor", "--permission", "report:write")
    run("role", "remove", "auditor", "--permission", "report:list", "--yes")
    wrong = run("role", "remove", "auditor", "--permission", "report:write", "--yes")

    assert [["report:read", "report:list", "report:write"], ["report:read"]] == [
        call.body["permissions"] for call in server.changes()
    ]
    assert Exit.NOT_FOUND == wrong.code


def test_a_held_role_is_taken_only_when_that_is_said(run: Run, server: FakeServer) -> None:
    """`role delete` leaves a role that is held, unless `--from-holders`."""
    run("role", "delete", "auditor", "--yes")
    run("role", "delete", "auditor", "--yes", "--from-holders", "--reason", "away")

    assert [{}, {"holders": "lose", "reason": "away"}] == [call.query for call in server.changes()]


@pytest.mark.parametrize("form", ["table", "json", "yaml", "tsv"])
def test_explain_no(form: str, run: Run, server: FakeServer) -> None:
    """`explain` ends with 7 when the answer is no, and says why."""
    server.replies["POST", "/v1/decisions/explain"] = (200, MAY_NOT)

    outcome = run(
        "explain", "etl", "report:read", "--resource", "r-1", "--attribute", "region=eu", "-o", form
    )

    assert (Exit.NEGATIVE, True) == (outcome.code, "permission_missing" in outcome.out)
    asked = {
        "principal": "etl", "permission": "report:read", "resource": "r-1", "attributes": {"region": "eu"},
    }  # fmt: skip
    assert asked == server.calls[-1].body


def test_catalogue_file_is_sent_as_it_stands(run: Run, server: FakeServer) -> None:
    """`permission import` sends the entries; withdrawing others needs a confirmation; no list is refused."""
    done = run("permission", "import", "permissions.yaml")
    asked = run("permission", "import", "permissions.yaml", "--withdraw-others")
    Path("other.yaml").write_text("roles: []")
    wrong = run("permission", "import", "other.yaml")

    [call] = server.changes()
    assert {"permissions": [{"name": "report:read"}, {"name": "report:write", "label": "W"}]} == call.body
    assert (0, Exit.NEEDS_CONFIRMATION, Exit.USAGE) == (done.code, asked.code, wrong.code)


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("--like", "etl"), {"account": "etl", "mode": "copy"}),
        (("--like", "etl", "--link"), {"account": "etl", "mode": "link"}),
        (("--like", "role:auditor"), {"role": "auditor", "mode": "copy"}),
    ],
)
def test_account_like_another(
    words: tuple[str, ...], source: dict[str, str], run: Run, server: FakeServer
) -> None:
    """`account create --like` copies or links the permissions of an account or role."""
    outcome = run("account", "create", "loader", *words)

    assert (0, {"name": "loader", "copy_from": source}) == (outcome.code, server.changes()[0].body)


def test_refused_approval_is_a_conflict(run: Run, server: FakeServer) -> None:
    """Who created an account and approves it ends with 6 and is told why."""
    server.replies["POST", f"/v1/service-accounts/{ETL_ID}/approve"] = problem(409, "approval_required")

    outcome = run("account", "approve", "etl")

    assert (Exit.CONFLICT, True) == (outcome.code, "approval_required" in outcome.err)


def test_what_waits_is_told(run: Run, server: FakeServer) -> None:
    """A grant that waits says so, and `account list --waiting` asks for the accounts that do."""
    server.replies["POST", "/v1/grants"] = (201, {**GRANT, "state": "pending"})

    granted = run("grant", "add", "etl", "--permission", "report:read")
    run("account", "list", "--waiting")

    assert "once a second person approves" in granted.err
    assert "true" == server.calls[-1].query["awaits_approval"]


def _trimmed(server: FakeServer, run: Run, held: list[dict[str, object]], *words: str) -> list[object]:
    server.replies["GET", f"/v1/service-accounts/{ETL_ID}/permissions"] = (200, {"items": held, "next": None})
    before = len(server.changes())
    assert 0 == run("account", "trim", "etl", "--yes", *words).code
    return [call.body for call in server.changes()[before:]]


def test_trim_takes_what_was_not_used_in_the_window(run: Run, server: FakeServer) -> None:
    """A grant is used if any permission that it gives was; that a role gives the same and is used counts for neither."""
    step = {"kind": "direct", "id": UNUSED["id"], "name": "report:*"}

    def held(last: str | None, ident: object = UNUSED["id"]) -> list[dict[str, object]]:
        source = {"text": "x", "resource": "*", "path": [{**step, "id": ident}]}
        other: dict[str, object] = {
            "permission": "report:list",
            "held": "explicit",
            "last_used_at": None,
            "sources": [source],
        }
        return [{**other, "permission": "report:read", "last_used_at": last}, other]

    take = [{"take": ["report:read"]}]
    assert take == _trimmed(server, run, held(None))
    assert take == _trimmed(server, run, held("2025-11-30T11:00:00.000Z"))
    assert [] == _trimmed(server, run, held("2025-12-02T12:00:00.000Z"))
    assert [] == _trimmed(server, run, held("2025-11-30T11:00:00.000Z"), "--used-in", "100d")
    assert take == _trimmed(server, run, held("2026-02-28T12:00:00.000Z", "grt_" + "X" * 16))


@pytest.mark.parametrize(
    "more",
    [{"granted_at": "2026-01-01T00:00:00.000Z"}, {"resource": "r-1"}, {"state": "pending"}],
    ids=["young", "of one resource", "pending"],
)
def test_trim_leaves_what_it_cannot_judge(run: Run, server: FakeServer, more: dict[str, str]) -> None:
    """What the account has not had for so long, or has on some resources, or has not yet, stays."""
    grants = {"items": [{**UNUSED, **more}], "next": None}
    server.replies["GET", f"/v1/service-accounts/{ETL_ID}/grants"] = (200, grants)

    assert [] == _trimmed(server, run, [])


def test_filters_of_accounts_reach_the_api(run: Run, server: FakeServer) -> None:
    """Days are numbers; what contradicts itself is not sent."""
    run(*COMMANDS["account-list-narrowed"])
    sent = {name: value for name, value in server.calls[-1].query.items() if name != "limit"}
    calls = len(server.calls)
    refused = [
        run("account", "list", *words).code
        for words in (("--ownerless", "--status", "idle"), ("--idle", "0d"))
    ]

    assert {
        "status": "ownerless", "environment": "prod", "group": "Data", "team": "Blue", "unused_for": "90",
        "expires_within": "14",
    } == sent  # fmt: skip
    assert ([2, 2], calls) == (refused, len(server.calls))
