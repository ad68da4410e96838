"""The command line asks and speaks as the organization wants it."""

from __future__ import annotations

import sys

import pytest

from retinue.cli.__main__ import main
from tests.cli.answers import ETL_ID, PAT, issued
from tests.cli.conftest import Run, Terminal
from tests.cli.control_plane import FakeServer
from tests.cli.organization_answers import DISABLING


def test_disabling_asks_as_the_organization_wants(run: Run, server: FakeServer) -> None:
    """Nothing, a yes, or the handle: without a terminal the last needs `--confirm`, and it is sent along."""
    path = f"/v1/service-accounts/{ETL_ID}/disable"
    ended: dict[str, list[int]] = {}
    for mode in ("none", "dialog", "typed"):
        phrase = "etl" if mode == "typed" else None
        server.replies["GET", path] = 200, {**DISABLING, "confirm": mode, "phrase": phrase}
        flags: tuple[tuple[str, ...], ...] = ((), ("--yes",), ("--confirm", "etl"))
        ended[mode] = [run("account", "disable", "etl", *each).code for each in flags]
    sent = [call.body for call in server.calls if (call.method, call.path) == ("POST", path)]

    assert {"none": [0, 0, 0], "dialog": [10, 0, 0], "typed": [10, 10, 0]} == ended
    assert [{}] * 5 + [{"confirm": "etl"}] == [body or {} for body in sent]


def test_person_sees_what_uses_an_account_and_the_words_of_the_organization(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the question has the live use, is asked in the pack's words, and takes the handle alone."""
    server.replies["GET", f"/v1/service-accounts/{ETL_ID}/disable"] = (
        200,
        {**DISABLING, "confirm": "typed", "phrase": "etl"},
    )
    for name in ("stdin", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    terminal = sys.stderr
    for answer in ("y\n", "etl\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        main(["account", "disable", "etl"])
    said = terminal.getvalue()  # type: ignore[union-attr]

    assert "used 12304 times in the last 24 hours" in said
    assert "Deactivate etl? Type its handle:" in said
    assert "deactivated service account etl" in said
    assert 1 == len(server.changes())


def test_note_about_personal_tokens_is_told(run: Run, server: FakeServer) -> None:
    """What the organization says to who issues a personal access token stands beside it, not in the data."""
    server.replies["POST", "/v1/me/tokens"] = 201, {**issued(PAT), "warning": "Use a service account."}
    outcome = run("pat", "issue", "--name", "ci")

    assert "note: Use a service account." in outcome.err
    assert "Use a service account." not in outcome.out
