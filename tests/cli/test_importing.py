"""`retinue import`: lists of other systems become service accounts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

STEP = {"act": "create", "section": "service_accounts", "key": "loader", "fields": []}
PLAN = {"steps": [STEP], "digest": "d" * 32, "needs": [], "broken_total": 0, "refused": None}
GRAFANA = {
    "totalCount": 3,
    "serviceAccounts": [
        {
            "id": 1,
            "name": "loader",
            "login": "sa-1-loader",
            "isDisabled": False,
            "role": "Viewer",
            "tokens": 2,
        },
        {"id": 2, "name": "old", "login": "sa-1-old", "isDisabled": True, "role": "Admin", "tokens": 0},
        {"id": 3, "name": "etl", "login": "sa-1-etl", "isDisabled": False, "role": "None", "tokens": 1},
    ],
}
LISTS: dict[str, Any] = {
    "gitlab": [
        {"id": 57, "username": "loader", "name": "The loader"},
        {"username": "old", "state": "blocked"},
    ],
    "unkey": {
        "data": [
            {"keyId": "key_1", "start": "sk_", "name": "loader", "enabled": True, "roles": ["Viewer"]},
            {"keyId": "old", "enabled": False, "permissions": ["a.b"]},
        ]
    },
    "wavefront": {
        "response": [
            {
                "identifier": "sa::loader",
                "active": True,
                "tokens": ["id"],
                "roles": [{"id": "r", "name": "Viewer"}],
            },
            {"identifier": "sa::old", "active": False},
        ]
    },
    "csv": "name,enabled,roles\nloader,true,Viewer; Admin\nold,false,\n",
}


@pytest.fixture(autouse=True)
def replies(server: FakeServer) -> None:
    """What the control plane says of the document."""
    server.replies["POST", "/v1/configuration/plan"] = (200, PLAN)
    server.replies["POST", "/v1/configuration/apply"] = (200, {"steps": [STEP], "digest": "d" * 32})


def _write(found: Any) -> str:
    Path("list").write_text(found if isinstance(found, str) else json.dumps(found))
    return "list"


def test_accounts_are_taken_over(run: Run, server: FakeServer) -> None:
    """With the roles that were mapped alone, disabled ones disabled; what we have already is left out, exit 8."""
    words = (
        "import",
        _write(GRAFANA),
        "--from",
        "grafana",
        "--owner",
        "admin@acme.example",
        "--purpose",
        "moved",
    )
    asked = run(*words)
    done = run(*words, "--role", "Viewer=auditor", "--justification", "ticket", "--yes")
    applied = [each for each in server.calls if each.path.endswith("/apply")]
    loader, old = applied[0].body["document"]["service_accounts"]

    assert (10, 8, 1) == (asked.code, done.code, len(applied)), done.err
    assert ("loader", "enabled", ["auditor"], ["admin@acme.example"], "moved") == tuple(
        loader[name] for name in ("handle", "state", "roles", "owners", "purpose")
    )
    assert ("old", "disabled", []) == tuple(old[name] for name in ("handle", "state", "roles"))
    assert "left out: etl: the handle 'etl' is taken by sa_1" in done.err
    assert "roles that are not taken over (--role THEIRS=OURS): Admin" in done.err
    assert ("d" * 32, "ticket") == tuple(applied[0].body[name] for name in ("digest", "justification"))


@pytest.mark.parametrize("system", LISTS)
def test_each_system_is_read(run: Run, server: FakeServer, system: str) -> None:
    """An enabled account and a disabled one, of each system's own form."""
    outcome = run("import", _write(LISTS[system]), "--from", system, "--role", "Viewer=auditor", "--yes")
    (document,) = [each.body["document"] for each in server.calls if each.path.endswith("/apply")]
    found = [(each["handle"], each["state"], each["roles"]) for each in document["service_accounts"]]
    role = [] if system == "gitlab" else ["auditor"]

    assert (0, [("loader", "enabled", role), ("old", "disabled", [])]) == (outcome.code, found), outcome.err


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ("grafana", "<html>"), ("grafana", '{"items": []}'), ("grafana", "[1]"), ("unkey", "[{}]"),
        ("wavefront", '{"response": {"items": {}}}'), ("csv", "handle\nx\n"), ("csv", "name,roles\nx\n"),
        ("csv", "name,enabled\nx,perhaps\n"), ("csv", 'name\n"x'), ("csv", "name\n,\n"), ("gitlab", "[" * 100_000),
    ],
)  # fmt: skip
def test_what_is_no_list_is_wrong_usage(run: Run, server: FakeServer, system: str, text: str) -> None:
    """Exit 2 with the reason, and nothing is asked."""
    outcome = run("import", _write(text), "--from", system, "--yes")

    assert (2, []) == (outcome.code, server.calls)
    assert outcome.err.startswith("error: list: "), outcome.err


def test_what_our_policy_refuses_stands_in_the_answer(run: Run, server: FakeServer) -> None:
    """The plan of a batch is looked at before it is applied: exit 6, and nothing is made."""
    obstacle = {"code": "missing_field", "detail": "owner is required", "field": "owners", "required": []}
    server.replies["POST", "/v1/configuration/plan"] = (200, {**PLAN, "refused": obstacle})
    refused = run("import", _write("name\nloader\n"), "--from", "csv", "--yes")
    server.replies["POST", "/v1/configuration/plan"] = (200, {**PLAN, "steps": [{**STEP, "act": "update"}]})
    raced = run("import", "list", "--from", "csv", "--yes")

    assert [6, 6] == [refused.code, raced.code]
    assert "owner is required" in refused.err
    assert not [each for each in server.calls if each.path.endswith("/apply")]
    assert 2 == run("import", "list", "--from", "csv", "--role", "Viewer").code
