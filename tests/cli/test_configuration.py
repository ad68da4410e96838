"""``retinue export``, ``plan`` and ``apply``: access as YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

DOCUMENT = {
    "version": 1,
    "roles": [{"handle": "reporter", "name": "Reporter", "permissions": ["report:read"]}],
}
STEP = {"act": "create", "section": "roles", "key": "reporter", "fields": []}
PLAN = {"steps": [STEP], "digest": "d" * 32, "needs": ["role:create"], "broken_total": 0, "refused": None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A document."""
    path = tmp_path / "access.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    return path


@pytest.fixture(autouse=True)
def replies(server: FakeServer) -> None:
    """What the control plane says of the document."""
    server.replies["GET", "/v1/configuration"] = (200, DOCUMENT)
    server.replies["POST", "/v1/configuration/plan"] = (200, PLAN)
    server.replies["POST", "/v1/configuration/apply"] = (200, {"steps": [STEP], "digest": "d" * 32})


def _planned(server: FakeServer, **more: Any) -> None:
    server.replies["POST", "/v1/configuration/plan"] = (200, {**PLAN, **more})


def test_an_export_is_yaml_that_plan_takes(run: Run, tmp_path: Path, server: FakeServer) -> None:
    """On standard output or in a file; and what was exported is sent as it is."""
    printed = run("export")
    written = run("export", "--out", str(tmp_path / "out.yaml"))
    run("plan", "-f", str(tmp_path / "out.yaml"))

    assert (0, DOCUMENT) == (printed.code, yaml.safe_load(printed.out))
    assert (0, "") == (written.code, written.out)
    assert DOCUMENT == server.calls[-1].body["document"]


def test_a_plan_with_changes_is_a_negative_answer(run: Run, file: Path, server: FakeServer) -> None:
    """Exit 7 with the steps; 0 where nothing differs, so that a pipeline can tell drift."""
    differs = run("plan", "-f", str(file), "-o", "json")
    _planned(server, steps=[])
    same = run("plan", "-f", str(file))

    assert (7, [STEP]) == (differs.code, json.loads(differs.out)["steps"])
    assert "1 to create" in differs.err
    assert (0, "", "nothing to change\n") == (same.code, same.out, same.err)


def test_a_difference_is_a_negative_answer(run: Run, file: Path, server: FakeServer) -> None:
    """`diff` shows each step with its fields and ends with 7; without one with 0 and nothing on stdout."""
    field = {"field": "permissions", "before": ["report:read"], "after": []}
    _planned(server, steps=[{**STEP, "act": "update", "fields": [field]}])
    differs = run("diff", "-f", str(file), "--prune")
    asked = server.calls[-1].body
    as_json = run("diff", "-f", str(file), "-o", "json")
    _planned(server, steps=[])
    same = run("diff", "-f", str(file))

    assert (7, '~ roles reporter\n    permissions: ["report:read"] -> []\n') == (differs.code, differs.out)
    assert {"document": DOCUMENT, "prune": True} == asked
    assert (7, [field]) == (as_json.code, json.loads(as_json.out)["steps"][0]["fields"])
    assert (0, "", "no difference\n") == (same.code, same.out, same.err)


def test_apply_sends_the_digest_of_the_plan_that_was_shown(run: Run, file: Path, server: FakeServer) -> None:
    """Only with a confirmation; and what the caller says about pruning and breaking goes with it."""
    unasked = run("apply", "-f", str(file))
    calls = len(server.calls)
    done = run("apply", "-f", str(file), "--yes", "--prune", "--accept", "2", "--justification", "J")
    sent = server.calls[-1]

    assert (10, 1) == (unasked.code, calls)
    assert (0, "/v1/configuration/apply") == (done.code, sent.path)
    assert {
        "document": DOCUMENT, "prune": True, "justification": "J", "digest": "d" * 32, "accept": 2
    } == sent.body  # fmt: skip


def test_what_would_be_refused_is_not_sent(run: Run, file: Path, server: FakeServer) -> None:
    """Apply ends with the reason that the plan gave."""
    obstacle = {"code": "ceiling_exceeded", "detail": "you do not hold report:read", "field": None}
    _planned(server, refused=obstacle)
    outcome = run("apply", "-f", str(file), "--yes")

    assert (6, 1) == (outcome.code, len(server.calls))
    assert "you do not hold report:read" in outcome.err


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "\x00", "just words"])
def test_what_is_no_document_is_refused_here(run: Run, tmp_path: Path, server: FakeServer, text: str) -> None:
    """Nothing is sent, and the file is named."""
    (tmp_path / "bad.yaml").write_text(text)
    outcome = run("plan", "-f", str(tmp_path / "bad.yaml"))

    assert (2, []) == (outcome.code, server.calls)
    assert "bad.yaml" in outcome.err
