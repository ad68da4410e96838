"""Commands on credentials: tokens that are made here, what is narrowed, what is compromised."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retinue.token import parse
from tests.cli.answers import ETL_ID, LIVE, account, compromised, issued, key
from tests.cli.conftest import Run
from tests.cli.control_plane import FakeServer

ISSUE = ("POST", f"/v1/service-accounts/{ETL_ID}/keys")


def test_local_token_is_never_sent(run: Run, server: FakeServer, tmp_path: Path) -> None:
    """`key issue --local` makes the token here: the file has it, and the server got its digest alone."""
    server.replies[ISSUE] = (201, {**issued(key()), "token": None})
    outcome = run("key", "issue", "etl", "--name", "k1", "--local", "--out", "token")
    text = (tmp_path / "token").read_text().strip()
    (sent,) = server.changes()

    token = parse(text)
    assert token is not None
    assert 0 == outcome.code, outcome.err
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert {"algorithm": "sha256", "value": digest, "key_id": token.kid, "prefix": "rtn"} == sent.body[
        "digest"
    ]
    assert text not in outcome.out + outcome.err + repr(sent)


def test_digest_of_another_maker_is_passed_on(run: Run, server: FakeServer) -> None:
    """`key issue --digest -` takes a key id with a digest, or a token that it digests itself; no token is told."""
    server.replies[ISSUE] = (201, {**issued(key()), "token": None})
    line = "abcdefghijkl " + "0" * 64
    outcome = run("key", "issue", "etl", "--name", "k1", "--digest", "-", stdin=line + "\n")
    (sent,) = server.changes()

    assert (0, "abcdefghijkl", "0" * 64) == (
        outcome.code, sent.body["digest"]["key_id"], sent.body["digest"]["value"],
    )  # fmt: skip
    assert 2 == run("key", "issue", "etl", "--digest", "-", stdin="neither\n").code
    assert 2 == run("key", "issue", "etl", "--digest", "-", "--out", "token", stdin=line).code


def test_key_is_narrowed_as_it_is_issued(run: Run, server: FakeServer) -> None:
    """Networks, paths and methods of the flags are what is sent; `--read-only` stands for the reading methods."""
    run("key", "issue", "etl", "--network", "10.0.0.0/8", "--endpoint", "/a", "--read-only", "--out", "token")
    (sent,) = server.changes()

    assert {"networks": ["10.0.0.0/8"], "endpoints": ["/a"], "methods": ["GET", "HEAD", "OPTIONS"]} == (
        sent.body["restrictions"]
    )


@pytest.mark.parametrize("flags", [(), ("--none", "--read-only")])
def test_narrowing_says_to_what(run: Run, server: FakeServer, flags: tuple[str, ...]) -> None:
    """`restrict` without a restriction, or with one and `--none`, does nothing."""
    outcome = run("key", "restrict", "etl/k1", *flags)

    assert (2, []) == (outcome.code, server.changes())


@pytest.mark.parametrize(
    ("text", "window"),
    [
        (
            "mon-fri 08:00-18:00 Europe/Berlin",
            {
                "days": ["mon", "tue", "wed", "thu", "fri"],
                "start": "08:00",
                "end": "18:00",
                "zone": "Europe/Berlin",
            },
        ),
        ("22:00-06:00", {"start": "22:00", "end": "06:00"}),
        ("sat-mon,wed", {"days": ["mon", "wed", "sat", "sun"]}),
        ("SUN UTC", {"days": ["sun"], "zone": "UTC"}),
    ],
)
@pytest.mark.parametrize("words", [("key", "restrict", "etl/k1"), ("pat", "restrict", "init")])
def test_times_are_said_in_a_line(
    run: Run, server: FakeServer, words: tuple[str, ...], text: str, window: dict[str, object]
) -> None:
    """Days, hours and zone; what is left out is not sent, so that the API's own words hold for it."""
    assert 0 == run(*words, "--time", text).code
    (sent,) = server.changes()

    assert {"times": [window]} == sent.body["restrictions"]


@pytest.mark.parametrize("text", ["", "Europe/Berlin", "mon-fry", "8-18", "mon 08:00-18:00 UTC more"])
def test_what_is_no_time_is_refused(run: Run, server: FakeServer, text: str) -> None:
    """Nothing is sent."""
    outcome = run("key", "restrict", "etl/k1", "--time", text)

    assert (2, []) == (outcome.code, server.changes())
    assert "mon-fri 08:00-18:00 Europe/Berlin" in outcome.err


def test_rotation_is_finished_or_compromised(run: Run, server: FakeServer) -> None:
    """`rotate --finish` ends the overlap, `--compromised` asks first and says so to the server."""
    finished = run("key", "rotate", "etl/spun", "--finish", "--yes")
    asked = run("key", "rotate", "etl/k1", "--compromised", "--out", "token")
    run("key", "rotate", "etl/k1", "--compromised", "--yes", "--out", "token")
    finish, rotate = server.changes()

    assert (0, 10) == (finished.code, asked.code)
    assert finish.path.endswith("/finish-rotation")
    assert rotate.body["compromised"] is True


def test_severe_compromise_asks_for_the_number(run: Run, server: FakeServer) -> None:
    """More than one credential ends only with the number of them, which goes to the server."""
    path = f"/v1/service-accounts/{ETL_ID}/compromise"
    server.replies["GET", path] = (200, compromised(key(), key(LIVE, "k2")))
    refused = run("compromise", "--account", "etl", "--yes")
    wrong = run("compromise", "--account", "etl", "--confirm", "3")
    done = run("compromise", "--account", "etl", "--confirm", "2")
    (sent,) = server.changes()

    assert [10, 2, 0] == [refused.code, wrong.code, done.code], done.err
    assert {"confirm": 2} == sent.body
    assert 2 == run("compromise").code == run("compromise", "etl/k1", "--account", "etl").code


def test_refused_token_is_a_negative_answer(run: Run, server: FakeServer) -> None:
    """`identify` exits 7 for a token that is known and not accepted, and says why."""
    answer = {"key": key(), "accepted": False, "reason": "credential_revoked"}
    server.replies["POST", "/v1/credentials/identify"] = (200, answer)
    outcome = run("identify", "-", stdin="rtnsa_whatever\n")

    assert (7, True) == (outcome.code, "credential_revoked" in outcome.err)


def test_first_key_comes_with_its_account(run: Run, server: FakeServer, tmp_path: Path) -> None:
    """Where each account gets a key, `account create` hands its token over, without being asked for a key."""
    server.replies["POST", "/v1/service-accounts"] = (201, {**account(), **issued(key())})
    outcome = run("account", "create", "etl", "--key", "--out", "token")
    plain = run("account", "create", "etl")
    text = issued(key())["token"]

    assert (0, text) == (outcome.code, (tmp_path / "token").read_text().strip())
    assert (0, text) == (plain.code, plain.out.strip())
    assert ["/v1/service-accounts"] * 2 == [each.path for each in server.changes()]


def test_overlap_ends_when_the_old_key_is_quiet(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`key rotate --wait-zero 1h` waits while the old key is called, then ends the overlap; no key is issued."""
    now, waited = datetime.now(UTC), list[float]()
    uses = [(now - timedelta(minutes=ago)).isoformat() for ago in (10, 59, 61)]
    server.series["GET", f"/v1/keys/{LIVE}"] = [
        (200, key(status="retiring", last_used_at=each)) for each in uses
    ]
    server.replies["POST", f"/v1/keys/{LIVE}/finish-rotation"] = (200, key(status="revoked"))
    monkeypatch.setattr("retinue.cli.quiet.time.sleep", waited.append)
    outcome = run("key", "rotate", LIVE, "--wait-zero", "1h")

    assert (0, [f"/v1/keys/{LIVE}/finish-rotation"]) == (outcome.code, [c.path for c in server.changes()])
    assert 60.0 == waited[0]
    assert 50 < waited[1] <= 60


def test_no_wait_for_a_key_that_does_not_retire(run: Run, server: FakeServer) -> None:
    """A key in no rotation is exit code 6; one whose overlap ends meanwhile is done, and nothing is sent."""
    not_rotated = run("key", "rotate", LIVE, "--wait-zero", "1h")

    assert (6, []) == (not_rotated.code, server.changes())
