"""Tokens that are kept: their end is told in time, and each goes to its own server alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import OWN_TOKEN, Run
from tests.cli.control_plane import FakeServer
from tests.cli.test_sign_in import SESSION, by_token


@pytest.fixture(autouse=True)
def no_token_of_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal of their own: no token is set."""
    monkeypatch.delenv("RETINUE_TOKEN_FILE")


@pytest.mark.parametrize(("hours", "warned"), [(24 * 20, [0, 0]), (24 * 10, [1, 0]), (10, [1, 1])])
def test_the_end_is_told_in_time(hours: float, warned: list[int], run: Run, server: FakeServer) -> None:
    """In the last two weeks now and then, on the last day each time; the profile is named."""
    by_token(run, server, hours)

    told = [run("whoami").err for _ in range(2)]

    assert warned == [text.count("warning: the token of profile default ends in") for text in told]


def test_a_token_goes_to_its_own_server_alone(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in at one server sends nothing to another, whatever names that one."""
    by_token(run, server)
    monkeypatch.setenv("RETINUE_URL", server.url.replace("127.0.0.1", "localhost"))
    by_environment = run("whoami")
    monkeypatch.delenv("RETINUE_URL")
    Path(".retinue.toml").write_text(f'url = "{server.url.replace("127.0.0.1", "localhost")}"\n')
    by_project = run("whoami")

    assert (4, 4, []) == (by_environment.code, by_project.code, server.calls)


def test_a_projects_file_sends_no_token_of_the_environment(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes a project's file cannot have the token of the environment sent to a server of theirs."""
    monkeypatch.delenv("RETINUE_URL")
    monkeypatch.setenv("RETINUE_TOKEN", OWN_TOKEN)
    Path(".retinue.toml").write_text(f'url = "{server.url}"\n')

    assert (2, []) == (run("whoami").code, server.calls)


def test_a_token_of_the_environment_comes_first(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It overrides a sign-in, and the command says so in one line."""
    by_token(run, server)
    monkeypatch.setenv("RETINUE_TOKEN", SESSION)
    outcome = run("account", "get", "etl")

    assert {f"Bearer {SESSION}"} == {call.headers["authorization"] for call in server.calls}
    assert 1 == outcome.err.count("note: a token of the environment is used, not the sign-in")
