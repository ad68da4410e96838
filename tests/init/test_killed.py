"""``kill -9`` in the middle of ``init``: the next run makes the installation whole."""

from __future__ import annotations

import signal

import pytest

from tests.init.place import EMAIL, Place
from tests.init.program import DATABASE, FILES

WHOLE = {
    "organizations": ["acme"],
    "operators": [EMAIL],
    "credentials": {"node": 1, "pat": 1},
    "revision": 1,
    "node token opens": True,
    "token opens": True,
    "files": [
        "ledger-key",
        "node-token",
        "pepper",
        "permissions.yaml",
        "replica",
        "retinue.toml",
        "secret-key",
        "spool",
    ],
}


def _check_completed(place: Place, point: str) -> None:
    flags = place.flags()

    assert -signal.SIGKILL == place.kill(point, *flags)
    again = place.init(*flags)

    assert (0, "") == (again.returncode, again.stdout)
    assert place.look() == WHOLE


@pytest.mark.parametrize("point", FILES)
def test_run_that_was_killed_among_its_files_is_completed(point: str, place: Place) -> None:
    """
    Whatever files a killed run had made, the same command then makes one whole installation.
    """
    _check_completed(place, point)


@pytest.mark.parametrize("point", DATABASE)
def test_run_that_was_killed_in_the_database_is_completed(point: str, each_place: Place) -> None:
    """
    Whatever a killed run had written, the same command then makes one installation, whose tokens open it.
    """
    _check_completed(each_place, point)


def test_completed_with_another_place_for_the_token(place: Place) -> None:
    """
    A token that waits for its place goes where the run says that completes the killed one.
    """
    place.kill("the commit is done", *place.flags(token_file=str(place.folder / "first")))
    again = place.init(*place.flags())

    assert 0 == again.returncode
    assert f"{place.token}: completed" in again.stderr
    assert not (place.folder / "first").exists()
    assert place.look() == WHOLE


def test_completion_overwrites_nothing(place: Place) -> None:
    """
    If another file stands in the token's place meanwhile, it stays, and the token goes on waiting.
    """
    place.kill("the commit is done", *place.flags())
    place.token.write_text("something else")
    refused = place.init(*place.flags())
    place.token.unlink()
    again = place.init(*place.flags())

    assert (1, 0) == (refused.returncode, again.returncode)
    assert f"{place.token} exists and is not overwritten" in refused.stderr
    assert place.look() == WHOLE


def test_token_without_its_row_is_thrown_away(place: Place) -> None:
    """
    A token that a killed run staged and never committed is not handed out by a later run.
    """
    place.kill("both tokens are staged, nothing is committed", *place.flags())
    worthless = (place.home / ".token.staged").read_text()
    place.init(*place.flags())

    assert worthless != place.token.read_text()
    assert place.look() == WHOLE


def test_setup_code_that_was_lost_is_replaced(each_place: Place) -> None:
    """
    A run that was killed before it could print its code is completed: the next one prints another.
    """
    flags = each_place.flags(admin_email=None, admin_password_file=None, token_file=None)

    assert -signal.SIGKILL == each_place.kill("the commit is done", *flags, "--no-admin")
    again = each_place.init(*flags, "--no-admin")

    assert 0 == again.returncode
    assert again.stdout.startswith("rtnboot_")
    assert "the one before has ended" in again.stderr
