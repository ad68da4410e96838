"""`--dry-run`: the server tries the change; nothing is made, asked, handed over or suggested."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import COMMANDS
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer
from tests.cli.test_reasons import CHANGING

#: Reach beyond what a database takes back, or are there to be written down.
IN_EARNEST = {"epoch-create", "epoch-edit", "review-export"}


@pytest.mark.parametrize("name", sorted(CHANGING.keys() - IN_EARNEST))
def test_every_change_can_be_tried(name: str, run: Run, server: FakeServer) -> None:
    """Each call that changes something says that it is a try; no file is made, no confirmation is needed."""
    words = [word for word in COMMANDS[name] if word != "--yes"]
    outcome = run(*words, "--dry-run")

    assert (0, False) == (outcome.code, Path("token").exists()), outcome.err
    assert {"true"} == {call.headers.get("retinue-dry-run") for call in server.changes()}
    assert all("retinue-dry-run" not in call.headers for call in server.calls if call.method == "GET")
    assert "next:" not in outcome.err
    assert "dry run: " in outcome.err


@pytest.mark.parametrize("name", sorted(IN_EARNEST))
def test_what_cannot_be_tried_is_refused(name: str, run: Run, server: FakeServer) -> None:
    """There it is refused before anything is sent, and so nothing is done."""
    outcome = run(*COMMANDS[name], "--dry-run")

    assert (2, []) == (outcome.code, server.changes())
    assert "no dry run" in outcome.err


def test_the_probe_is_no_dry_run(run: Run, server: FakeServer) -> None:
    """It issues a key on the nodes."""
    assert (2, []) == (run("node", "verify", "--dry-run").code, server.changes())


@pytest.mark.parametrize("words", [("key", "issue", "etl"), ("key", "issue", "etl", "--local")])
def test_no_token_comes_of_a_try(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """Neither the server's nor one that was made here."""
    from tests.cli.answers import ISSUED

    server.replies["POST", "/v1/service-accounts/sa_EEEEEEEEEEEEEEEE/keys"] = (201, {**ISSUED, "token": ""})
    outcome = run(*words, "--dry-run", "--out", "F")

    assert (0, "", False) == (outcome.code, outcome.out, Path("F").exists())


def test_curl_of_a_try(run: Run) -> None:
    """`--print-curl` shows the header."""
    assert "-H 'Retinue-Dry-Run: true'" in run("account", "enable", "etl", "--dry-run", "--print-curl").out
