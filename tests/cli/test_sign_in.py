"""Signing in, staying signed in, signing out; which token goes to which server."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retinue.cli import store
from tests.cli.answers import ME, PAT
from tests.cli.conftest import OWN_TOKEN, Run
from tests.cli.control_plane import FakeServer

_KEYRING = store._keyring  # before fixtures replace it
SESSION = "rtnpat_SessionSess1_" + "s" * 40
CODE: dict[str, Any] = {
    "device_code": "dc-" + "d" * 40,
    "user_code": "BCDF-GHJK",
    "verification_uri": "http://127.0.0.1/device/",
    "expires_in": 600,
    "interval": 2,
    "pairing_words": "amber falcon fern",
}


@pytest.fixture(autouse=True)
def no_token_of_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal of their own: no token is set."""
    monkeypatch.delenv("RETINUE_TOKEN_FILE")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the command would have waited."""
    waited: list[float] = []
    monkeypatch.setattr("retinue.cli.device.time.sleep", waited.append)
    return waited


def in_hours(hours: float) -> str:
    """An instant so many hours from now."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def answering(server: FakeServer, *polls: dict[str, Any]) -> None:
    """Let the server give a code, and then these answers to who polls."""
    rest = [(400 if "error" in each else 200, each) for each in polls]
    server.replies["POST", "/v1/oauth/device"] = (200, CODE)
    server.series["POST", "/v1/oauth/token"] = rest
    ends_in(server, 12)


def ends_in(server: FakeServer, hours: float, ident: str = "pat_SessionSess1") -> None:
    """Let the server say when the credential of the caller ends."""
    credential: dict[str, Any] = {
        **dict(ME["credential"]),  # type: ignore[call-overload]
        "id": ident,
        "kind": "personal_access_token",
        "expires_at": in_hours(hours),
    }
    server.replies["GET", "/v1/me"] = (200, {**ME, "credential": credential})


def kept() -> str:
    """What the file of the sign-ins holds."""
    return (Path("config") / store.FILE).read_text()


def by_token(run: Run, server: FakeServer, hours: float = 24 * 90, *words: str) -> None:
    """Sign in with a token."""
    ends_in(server, hours)
    assert 0 == run("login", server.url, "--with-token", *words, stdin=OWN_TOKEN + "\n").code
    server.calls.clear()


def test_by_a_code(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """The code and its words are told, the answer is waited for as the server wants, the session is kept."""
    answering(
        server,
        {"error": "authorization_pending"},
        {"error": "slow_down"},
        {"access_token": SESSION, "expires_in": 43200},
    )
    outcome = run("login", server.url)
    who = run("whoami", "-o", "name")

    assert (0, "") == (outcome.code, outcome.out)
    assert all(CODE[name] in outcome.err for name in ("user_code", "verification_uri", "pairing_words"))
    assert [2, 2, 7] == pauses
    assert f"Bearer {SESSION}" == server.calls[-1].headers["authorization"]
    assert (0, SESSION in outcome.err, CODE["device_code"] in outcome.err) == (who.code, False, False)


@pytest.mark.parametrize(
    ("error", "code"), [("access_denied", 5), ("expired_token", 1), ("invalid_grant", 1), ("server_error", 1)]
)
def test_no_session(error: str, code: int, run: Run, server: FakeServer, pauses: list[float]) -> None:
    """Refused, too late, used: each is told, and nothing is kept."""
    answering(server, {"error": error})

    assert (code, False) == (run("login", server.url).code, (Path("config") / store.FILE).exists())


def test_in_two_steps(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """A script begins, tells a person in its own way, and goes on; the device code is shown to nobody."""
    answering(server, {"access_token": SESSION})
    begun = run("login", server.url, "--start", "-o", "json")
    told = json.loads(begun.out)
    finished = run("login", "--finish", told["id"])
    again = run("login", "--finish", told["id"])

    assert (0, CODE["user_code"], 0, 3) == (begun.code, told["user_code"], finished.code, again.code)
    assert CODE["device_code"] not in begun.out + begun.err
    assert SESSION in kept()


def test_what_a_session_may_is_asked_for(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """`--read-only` asks for the scope `read`."""
    answering(server, {"access_token": SESSION})
    run("login", server.url, "--read-only")

    assert "read" == server.calls[0].body["scope"]


def test_by_token(run: Run, server: FakeServer) -> None:
    """A token on standard input is tried, and kept in a file that is nobody else's; one warning names it."""
    ends_in(server, 24 * 90)
    outcome = run("login", server.url, "--with-token", stdin=OWN_TOKEN + "\n")
    path = Path("config") / store.FILE

    assert (0, "", 0o600, 0o700) == (
        outcome.code,
        outcome.out,
        stat.S_IMODE(path.stat().st_mode),
        stat.S_IMODE(path.parent.stat().st_mode),
    )
    assert 1 == outcome.err.count("warning: ")
    assert store.FILE in outcome.err
    assert OWN_TOKEN not in outcome.err
    assert 0 == run("account", "list").code


def test_a_token_that_is_refused_is_not_kept(run: Run, server: FakeServer) -> None:
    """Exit 4, and nothing is kept."""
    from tests.cli.answers import problem

    server.replies["GET", "/v1/me"] = problem(401, "token_unknown")
    outcome = run("login", server.url, "--with-token", stdin=OWN_TOKEN)

    assert (4, False) == (outcome.code, (Path("config") / store.FILE).exists())


def test_keyring(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has a keyring, the token is there and in no file; `logout` takes it out."""
    held: dict[tuple[str, str], str] = {}

    class Memory:
        priority = 5.0

        def set_password(self, service: str, name: str, text: str) -> None:
            held[service, name] = text

        def get_password(self, service: str, name: str) -> str | None:
            return held.get((service, name))

        def delete_password(self, service: str, name: str) -> None:
            del held[service, name]

    monkeypatch.setattr(store, "_keyring", Memory)
    by_token(run, server)
    text, used = kept(), run("whoami")
    out = run("logout")

    assert (OWN_TOKEN in text, 0, 0, {}) == (False, used.code, out.code, held)
    assert {("retinue", "default"): OWN_TOKEN} != held


def test_a_back_end_that_keeps_nothing_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is installed, and the host has no keyring: the file takes the token."""
    import keyring
    from keyring.backends import fail, null

    for backend in (fail.Keyring(), null.Keyring()):  # type: ignore[no-untyped-call]
        monkeypatch.setattr(keyring, "get_keyring", lambda found=backend: found)
        assert _KEYRING() is None


def test_a_session_lasts_as_long_as_it_is_used(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """With less than six hours left, a use extends it; with more, and for `--print-curl`, nothing is sent."""
    answering(server, {"access_token": SESSION})
    run("login", server.url)
    server.calls.clear()
    run("account", "list")
    fresh = len(server.changes())
    store.change("default", expires_at=in_hours(5))
    run("account", "list", "--print-curl")
    shown = len(server.changes())
    server.replies["POST", "/v1/me/tokens/pat_SessionSess1/expire"] = (
        200,
        {"key": PAT, "expiry": {"at": in_hours(12), "because": "requested"}},
    )
    run("account", "list")
    run("account", "list")
    (change,) = server.changes()

    assert (0, 0, {"expires": "12h"}) == (fresh, shown, change.body)


def test_signing_out_revokes_the_session(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """A session is revoked at the server and forgotten here."""
    answering(server, {"access_token": SESSION})
    run("login", server.url)
    server.calls.clear()
    outcome = run("logout")

    assert (0, "/v1/me/tokens/pat_SessionSess1/revoke") == (outcome.code, server.changes()[0].path)
    assert SESSION not in kept()
    assert 4 == run("whoami").code


def test_signing_out_leaves_a_token_of_ones_own(run: Run, server: FakeServer) -> None:
    """A token that was given is forgotten and stays what it is."""
    by_token(run, server)
    outcome = run("logout")

    assert (0, [], False) == (outcome.code, server.changes(), OWN_TOKEN in kept())


def test_signing_out_without_a_server(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """The token is forgotten; that the session goes on until its end is told, and by exit 8."""
    from tests.cli.answers import problem

    answering(server, {"access_token": SESSION})
    run("login", server.url)
    server.replies["POST", "/v1/me/tokens/pat_SessionSess1/revoke"] = problem(503, "database_unavailable")
    outcome = run("logout")

    assert (8, False) == (outcome.code, SESSION in kept())
    assert "could not be revoked" in outcome.err


def test_one_way_at_a_time(run: Run, server: FakeServer) -> None:
    """Two ways to sign in are refused before anything is read or sent."""
    assert (2, []) == (run("login", "--device", "--with-token").code, server.calls)


def test_signing_in_again_ends_the_session_before(run: Run, server: FakeServer, pauses: list[float]) -> None:
    """The session of before is revoked with the new one."""
    answering(server, {"access_token": SESSION})
    run("login", server.url)
    answering(server, {"access_token": OWN_TOKEN})
    ends_in(server, 12, "pat_AnotherAnoth")
    server.calls.clear()
    run("login", server.url)

    (ended,) = [call for call in server.changes() if call.path.endswith("/revoke")]
    assert "/v1/me/tokens/pat_SessionSess1/revoke" == ended.path
    assert f"Bearer {OWN_TOKEN}" == ended.headers["authorization"]
