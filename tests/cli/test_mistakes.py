"""What a mistake is told: the closest match, the help that explains the command, the page of an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.cli.exits import Exit
from tests.cli.answers import NEW_TOKEN, problem
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer


@pytest.mark.parametrize(
    ("line", "suggested", "explained"),
    [
        ("acount list", '"account"', "retinue --help"),
        ("key isue etl", '"issue"', "retinue key --help"),
        ("account list --stat enabled", "--state", "retinue account list --help"),
        ("account list --output jsn", '"json"', "retinue account list --help"),
        ("sa create", "NAME requires an argument", "retinue sa create --help"),
        ("verify --fle token", "--file", "retinue verify --help"),
        ("serve --prot 1", "--port", "retinue serve --help"),
        ("init --organisation acme", "--organization", "retinue init --help"),
    ],
)
def test_mistyped_word(line: str, suggested: str, explained: str, run: Run) -> None:
    """A mistyped word is answered with the one that was meant, and with the help of that very command."""
    outcome = run(*line.split())

    assert (Exit.USAGE, "") == (outcome.code, outcome.out)
    assert suggested in outcome.err
    assert f"  try: {explained}\n" in outcome.err


def test_error_leads_to_the_page_of_the_control_plane(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is printed with the whole address of its page; the control plane has it, also if a node answered."""
    server.replies["GET", "/v1/me"] = problem(401, "token_unknown")
    own = run("whoami")
    monkeypatch.setenv("RETINUE_URL", "https://control.example/retinue/")
    server.replies["POST", "/v1/verify"] = problem(401, "caller_required")
    Path("F").write_text(NEW_TOKEN)
    nodes = run("verify", "--file", "F")

    assert f"documentation: {server.url}/docs/errors/token_unknown\n" in own.err
    assert "documentation: https://control.example/retinue/docs/errors/caller_required\n" in nodes.err
