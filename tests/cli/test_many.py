"""`--where`: a preview, the number that is meant, one call for all; and other long work."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from retinue.cli import progress
from retinue.cli.session import Session
from tests.cli.answers import ETL_ID, EVENT, NEW_TOKEN
from tests.cli.bulk_answers import DIGEST
from tests.cli.conftest import Run, Terminal
from tests.cli.control_plane import FakeServer

WAYS = [
    ("key", "revoke", "--where", "account=etl", "--where", "status=expired"),
    ("key", "delete", "--where", "state=revoked"),
    ("key", "expire", "--where", "unused_for=90d", "--in", "7d"),
    ("key", "restrict", "--where", "account=etl", "--read-only"),
    ("key", "rotate", "--where", "expires_within=14d", "--overlap", "24h", "--out", "-"),
    ("account", "enable", "--where", "state=disabled"),
    ("account", "disable", "--where", "owner=admin@acme.example"),
    ("account", "delete", "--where", "search=old", "--where", "role=auditor"),
]


@pytest.mark.parametrize("words", WAYS, ids=lambda words: "-".join(words[:2]))
def test_one_call_for_all_that_fit(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """First a preview, then one call for just those that it has shown; each refusal is shown, and exit is 8."""
    outcome = run(*words, "--confirm", "2", "-o", "json")
    preview, act = server.changes()

    assert (8, preview.path) == (outcome.code, act.path)
    assert (True, None, 2) == (preview.body["preview"], act.body.get("preview"), act.body["expected"])
    assert (None, DIGEST) == (preview.body.get("digest"), act.body["digest"])
    assert preview.body["where"] == act.body["where"]
    printed = outcome.out[outcome.out.rindex('{\n  "items"') :]
    assert ["done", "refused"] == [each["result"] for each in json.loads(printed)["items"]]


def test_names_in_filters_become_ids(run: Run, server: FakeServer) -> None:
    """The API's filters take ids."""
    run("key", "revoke", "--where", "account=etl", "--confirm", "2")

    assert {"account": ETL_ID} == server.changes()[-1].body["where"]


def test_what_is_done_to_keys_goes_with_each_call(run: Run, server: FakeServer) -> None:
    """The end, the restrictions, the overlap are in the preview and in the act; days are numbers."""
    run("key", "expire", "--where", "unused_for=90d", "--now", "--confirm", "2")
    run("key", "restrict", "--where", "account=etl", "--network", "10.0.0.0/8", "--confirm", "2")
    run("key", "restrict", "--where", "account=etl", "--none", "--confirm", "2")
    calls = server.changes()
    sent = [
        {name: value for name, value in call.body.items() if name not in ("preview", "expected", "digest")}
        for call in calls
    ]

    assert sent[::2] == sent[1::2]
    assert [
        {"where": {"unused_for": 90}, "expires": "now"},
        {"where": {"account": ETL_ID}, "networks": ["10.0.0.0/8"]},
        {"where": {"account": ETL_ID}, "networks": [], "endpoints": [], "methods": [], "times": []},
    ] == sent[::2]


def test_tokens_of_many_go_into_one_private_file(run: Run, server: FakeServer) -> None:
    """A line of JSON for each new key, mode 0600, nothing of it printed; without a place nothing is sent."""
    words = ("key", "rotate", "--where", "account=etl", "--confirm", "2")
    refused = run(*words)
    sent = len(server.changes())
    outcome = run(*words, "--out", "tokens")
    again = run(*words, "--out", "tokens")
    lines = [json.loads(line) for line in Path("tokens").read_text().splitlines()]

    assert (2, 0, 8, 6) == (refused.code, sent, outcome.code, again.code)
    assert [("etl/k1", NEW_TOKEN)] == [(line["key"], line["token"]) for line in lines]
    assert 0o600 == Path("tokens").stat().st_mode & 0o777
    assert NEW_TOKEN not in outcome.out + outcome.err


def test_no_file_of_tokens_stays_behind_a_dry_run(run: Run, server: FakeServer) -> None:
    """The reserved file goes away where no token came."""
    words = ("key", "rotate", "--where", "account=etl", "--out", "tokens")

    assert (0, False) == (run(*words, "--dry-run").code, Path("tokens").exists())
    assert (10, False) == (run(*words).code, Path("tokens").exists())


@pytest.mark.parametrize("words", WAYS, ids=lambda words: "-".join(words[:2]))
def test_nothing_without_the_number(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """Without a terminal the number must be given; `--yes` is not enough, a wrong number is wrong usage."""
    codes = [run(*words).code, run(*words, "--yes").code, run(*words, "--confirm", "3").code]

    assert [10, 10, 2] == codes
    assert all(call.body["preview"] for call in server.changes())


def test_dry_run_of_many(run: Run, server: FakeServer) -> None:
    """A dry run is the preview."""
    outcome = run(*WAYS[0], "--dry-run")

    assert (0, 1, True) == (outcome.code, len(server.changes()), server.changes()[0].body["preview"])
    assert "etl/k1" in outcome.out


@pytest.mark.parametrize(
    "words",
    [
        ("key", "revoke", "etl/k1", "--where", "state=active"),
        ("key", "expire", "etl/k1", "--where", "state=active", "--now"),
        ("key", "restrict", "etl/k1", "--where", "state=active", "--read-only"),
        ("key", "rotate", "etl/k1", "--where", "state=active", "--out", "-"),
        ("key", "rotate", "--where", "state=active", "--out", "-", "--name", "n"),
        ("key", "expire", "--where", "unused_for=0d", "--now"),
        ("key", "expire", "--now"),
        ("key", "restrict", "--read-only"),
        ("key", "rotate", "--out", "-"),
        ("key", "revoke", "--where", "state"),
        ("key", "revoke", "--where", "color=red"),
        ("key", "revoke", "--where", "state=active", "--where", "state=revoked"),
        ("account", "disable", "etl", "--where", "state=enabled"),
    ],
)
def test_mistakes(words: tuple[str, ...], run: Run, server: FakeServer) -> None:
    """Names beside a filter, a filter that is none: nothing is sent that changes anything."""
    assert (2, []) == (run(*words, "--confirm", "2").code, server.changes())


def test_export_of_the_audit_log(run: Run, server: FakeServer) -> None:
    """Whole events, over all pages, into a file of mode 0600 that is never overwritten."""
    first = {**EVENT, "id": "9.1", "reason": "=1+1"}
    server.series["GET", "/v1/audit-events"] = [
        (200, {"items": [first], "next": "more"}),
        (200, {"items": [EVENT], "next": None}),
    ] * 2
    lines = run("audit", "export", "--out", "events.jsonl", "--since", "7d")
    rows = run("audit", "export", "--out", "-", "--format", "csv")
    again = run("audit", "export", "--out", "events.jsonl")
    found = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]

    assert (0, 0, 6) == (lines.code, rows.code, again.code)
    assert ["9.1", EVENT["id"]] == [event["id"] for event in found]
    assert EVENT["after"] == found[1]["after"]
    assert 0o600 == Path("events.jsonl").stat().st_mode & 0o777
    assert "'=1+1" == next(csv.DictReader(rows.out.splitlines()))["reason"]


def test_a_failed_export_leaves_no_file(run: Run, server: FakeServer) -> None:
    """Half of a log is taken for the whole too easily."""
    from tests.cli.answers import problem

    server.series["GET", "/v1/audit-events"] = [
        (200, {"items": [EVENT], "next": "more"}),
        problem(503, "database_unavailable"),
    ]

    assert (9, False) == (run("audit", "export", "--out", "F").code, Path("F").exists())


@pytest.mark.parametrize("words", [("key", "revoke", "etl/k1", "etl/k2", "--confirm", "2"),
                                   ("key", "import", "keys.csv", "--scheme", "old")])  # fmt: skip
def test_interrupt_tells_how_far_it_came(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Ctrl-C in the middle of several is exit code 130, and says how many are done: here one of two."""
    Path("keys.csv").write_text("account,name,digest\n" + f"etl,old,{'0' * 64}\n" * 2)
    monkeypatch.setattr("retinue.cli.key_import.AT_ONCE", 1)
    perform, calls = Session.perform, list[object]()

    def once(self: Session, *asked: Any) -> Any:
        calls.append(asked)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return perform(self, *asked)

    monkeypatch.setattr(Session, "perform", once)
    outcome = run(*words)

    assert (130, 1) == (outcome.code, len(server.changes()))
    assert "interrupted: 1 of 2 are done, and perhaps the next; they stand\n" in outcome.err


def test_progress_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a second, with count and total, on a terminal; the line is gone at the end; else nothing."""
    clock = [0.0]
    monkeypatch.setattr("retinue.cli.progress.time.monotonic", lambda: clock[0])

    def shown(stream: object) -> str:
        monkeypatch.setattr(sys, "stderr", stream)
        clock[0] = 0.0
        with progress.Progress("read", 300) as found:
            found.step(100)
            clock[0] = 0.6
            found.step(100)
        return str(stream.getvalue())  # type: ignore[attr-defined]

    import io

    assert ("\rread: 200 of 300\r\x1b[K", "") == (shown(Terminal()), shown(io.StringIO()))
