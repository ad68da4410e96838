"""Profiles, and which place of a setting comes first."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from retinue.cli import profiles
from tests.cli.conftest import OWN_TOKEN, Run
from tests.cli.control_plane import FakeServer


@pytest.fixture(autouse=True)
def no_address(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment names a server."""
    monkeypatch.delenv("RETINUE_URL")


def test_life_of_a_profile(run: Run) -> None:
    """Added, used, listed, removed."""
    added = [
        run("profile", "add", "work", "https://a.example/", "--org", "acme"),
        run("profile", "add", "home", "http://127.0.0.1:1"),
        run("profile", "use", "home"),
    ]
    items = json.loads(run("profile", "list", "-o", "json").out)["items"]
    removed = run("profile", "remove", "home")

    assert [0, 0, 0, 0] == [each.code for each in (*added, removed)]
    assert [
        ("home", True, "http://127.0.0.1:1", "", False),
        ("work", False, "https://a.example", "acme", False),
    ] == [(i["name"], i["in_use"], i["url"], i["org"], i["signed_in"]) for i in items]
    assert "work\n" == run("profile", "list", "-o", "name").out


def test_first_place_wins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flag, environment, project, profile, system: in this order."""
    Path("system/retinue").mkdir(parents=True)
    Path("system/retinue/config.toml").write_text('org = "of-system"\n')
    seen = [profiles.setting("org", "RETINUE_ORG")]
    run("profile", "add", "default", "http://127.0.0.1:1", "--org", "of-profile")
    seen.append(profiles.setting("org", "RETINUE_ORG"))
    Path(".retinue.toml").write_text('org = "of-project"\n')
    Path("below").mkdir()
    monkeypatch.chdir("below")
    seen.append(profiles.setting("org", "RETINUE_ORG"))
    monkeypatch.setenv("RETINUE_ORG", "of-environment")
    seen.append(profiles.setting("org", "RETINUE_ORG"))

    assert ["of-system", "of-profile", "of-project", "of-environment"] == [
        None if each is None else each.value for each in seen
    ]


def test_flag_comes_before_all(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--profile` names the server, `--org` the organization, whatever else is set; before the noun too."""
    run("profile", "add", "other", server.url, "--org", "of-profile")
    monkeypatch.setenv("RETINUE_PROFILE", "default")
    first = run("--profile", "other", "account", "list")
    second = run("account", "list", "--profile", "other", "--org", "by-flag")

    assert [0, 0] == [first.code, second.code]
    assert ["of-profile", "by-flag"] == [call.headers["retinue-organization"] for call in server.calls]


def test_project_chooses_a_profile(run: Run, server: FakeServer) -> None:
    """A project's file names the profile that its users have."""
    run("profile", "add", "theirs", server.url)
    Path(".retinue.toml").write_text('profile = "theirs"\n')

    assert (0, 1) == (run("account", "list").code, len(server.calls))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'token = "{OWN_TOKEN}"\n', "holds a token"),
        ("ca_file = 'mine.pem'\n", "unknown: ca_file"),
        ("url = 1 2\n", "not TOML"),
        ('profile = "../x"\n', "not a name of a profile"),
    ],
)
def test_project_files_that_are_refused(text: str, says: str, run: Run) -> None:
    """A token, a setting that a project may not make, a broken file: exit 2, nothing repeated."""
    Path(".retinue.toml").write_text(text)
    outcome = run("account", "list")

    assert (2, True, False) == (outcome.code, says in outcome.err, OWN_TOKEN in outcome.err)


def test_a_strangers_file_says_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another user has put into a folder above is not read, and that is told."""
    Path(".retinue.toml").write_text('org = "evil"\n')
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    monkeypatch.setattr("retinue.cli.profiles._TRUSTED", ())

    assert ({}, None) == profiles.project()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("profile", "use", "nothing"), 3),
        (("profile", "remove", "nothing"), 3),
        (("profile", "add", "a b", "http://127.0.0.1:1"), 2),
        (("account", "list", "--profile", "a/b"), 2),
    ],
)
def test_mistakes(words: tuple[str, ...], code: int, run: Run) -> None:
    """An unknown profile, a bad name."""
    assert code == run(*words).code


def test_files_are_private(run: Run) -> None:
    """The files of the configuration are replaced at once, with mode 0600."""
    run("profile", "add", "work", "https://a.example")
    path = Path("config/config.toml")

    assert (0o600, [".lock", "config.toml"]) == (
        path.stat().st_mode & 0o777,
        sorted(each.name for each in Path("config").iterdir()),
    )


def test_commands_side_by_side_lose_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who changes the profiles reads them when nobody else is about to write them."""
    read = profiles.configuration

    def slow() -> dict[str, Any]:
        found = read()
        time.sleep(0.03)
        return found

    monkeypatch.setattr(profiles, "configuration", slow)
    with ThreadPoolExecutor(4) as pool:
        for place in range(4):
            pool.submit(profiles.save, f"p{place}", {"url": "https://a.example"}, use=False)

    assert {"p0", "p1", "p2", "p3"} == set(profiles.all_profiles())


def test_open(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`open` prints the address of a page of the console of one's own organization."""
    monkeypatch.setenv("RETINUE_URL", server.url)
    opened = run("open", "accounts")

    assert (0, f"{server.url}/o/acme/accounts\n") == (opened.code, opened.out)
    assert {"url": f"{server.url}/o/acme/accounts"} == json.loads(run("open", "accounts", "-o", "json").out)
