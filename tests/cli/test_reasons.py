"""Every command that changes something takes `--reason` and sends it."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import COMMANDS
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

READING = (
    "list",
    "get",
    "whoami",
    "verify",
    "identify",
    "check",
    "presets",
    "presentation",
    "history",
    "members",
    "resources",
    "explain",
    "who-can",
    "permissions",
    "drift",
    "preview",
    "simulate",
    "expiry-plan",
    "counts",
    "deliveries",
    "stats",
)
CHANGING = {name: words for name, words in COMMANDS.items() if not set(words) & set(READING)}


@pytest.mark.parametrize("name", CHANGING)
def test_reason_is_sent(name: str, run: Run, server: FakeServer) -> None:
    """The reason goes with the change: in its body, where a kind of reason stands there already as `text`; or in the query."""
    outcome = run(*CHANGING[name], "--reason", "ticket 7")
    (change,) = server.changes()

    assert 0 == outcome.code, outcome.err
    sent = change.query if change.method == "DELETE" else change.body
    assert "ticket 7" == sent["text" if change.path.endswith("/revoke") else "reason"]


def test_reason_stands_before_the_noun_too(run: Run, server: FakeServer) -> None:
    """Like the other global flags."""
    outcome = run("--reason", "ticket 7", "account", "restore", "etl")

    assert (0, {"reason": "ticket 7"}) == (outcome.code, server.changes()[0].body)


def test_curl_shows_the_reason(run: Run) -> None:
    """`--print-curl` shows the call as it would be made, in body or query."""
    body = run("account", "restore", "etl", "--reason", "why not", "--print-curl").out
    query = run("account", "delete", "etl", "--yes", "--reason", "why not", "--print-curl").out

    assert json.dumps({"reason": "why not"}) in body
    assert "?reason=why+not" in query


def test_other_reason_needs_words(run: Run, server: FakeServer) -> None:
    """`--because other` says nothing without `--reason`; nothing is sent."""
    outcome = run("key", "revoke", "etl/k1", "--yes", "--because", "other")

    assert (2, []) == (outcome.code, server.changes())
    assert "--reason" in outcome.err
