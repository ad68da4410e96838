"""``init`` where something stands already: nothing changes, or it is refused with what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.init.place import EMAIL, Place


def _content(place: Place) -> dict[str, bytes]:
    """Return the files of the home, but those of the database."""
    return {
        str(path.relative_to(place.home)): path.read_bytes()
        for path in sorted(place.home.rglob("*"))
        if path.is_file() and not path.name.startswith("retinue.db")
    }


@pytest.fixture
def made(each_place: Place) -> Place:
    """A place with an installation, on each kind of database."""
    assert each_place.init(*each_place.flags()).returncode == 0
    return each_place


def test_second_run_changes_nothing_and_says_so(made: Place) -> None:
    """
    With the same flags, with none, and with others, a further run leaves files and database as they are.
    """
    before, stood = _content(made), made.look()
    other = made.flags(organization="other", admin_email="eve@acme.example", token_file="other")
    for flags in (made.flags(), ["--no-input"], other, ["--no-input", "--no-admin"]):
        done = made.init(*flags)

        assert (0, "") == (done.returncode, done.stdout)
        assert "already initialized: organization acme" in done.stderr
        assert "nothing changed" in done.stderr
    assert (before, stood) == (_content(made), made.look())


def test_two_runs_at_once_make_one_installation(each_place: Place) -> None:
    """
    Of two runs at the same moment one makes the installation, and its tokens are in their places.
    """
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: each_place.init(*each_place.flags()), range(2)))

    assert sum("administrator  " in run.stderr for run in runs) == 1
    assert all(run.returncode == 0 or "error: " in run.stderr for run in runs)
    assert "Traceback" not in runs[0].stderr + runs[1].stderr
    found = each_place.look()
    assert (["acme"], [EMAIL], {"node": 1, "pat": 1}) == (
        found["organizations"],
        found["operators"],
        found["credentials"],
    )
    assert (True, True) == (found["node token opens"], found["token opens"])


def test_another_home_for_the_same_database_is_refused(tmp_path: Path, postgres_url: str) -> None:
    """
    A database whose pepper is elsewhere is not touched, and the home is not made.
    """
    first, second = Place(tmp_path, postgres_url, "first"), Place(tmp_path, postgres_url, "second")
    first.init(*first.flags())
    stood = first.look()
    done = second.init(*second.flags(token_file=str(tmp_path / "other")))

    assert (1, False) == (done.returncode, second.home.exists())
    assert "is not its pepper" in done.stderr
    assert stood == first.look()


def test_home_whose_database_is_gone_is_refused(place: Place) -> None:
    """
    A home that belongs to an installation is not filled with another one.
    """
    place.init(*place.flags())
    for path in place.home.glob("retinue.db*"):
        path.unlink()
    before = _content(place)
    done = place.init(*place.flags(token_file=str(place.folder / "other")))

    assert (1, before) == (done.returncode, _content(place))
    assert "RETINUE_DATABASE_URL" in done.stderr


@pytest.mark.parametrize("name", ["secret-key", "permissions.yaml", "retinue.toml", "spool", "replica"])
def test_file_that_can_be_made_anew_is(name: str, place: Place) -> None:
    """
    A lost file that holds nothing of its own is made again, and the rest stays.
    """
    place.init(*place.flags())
    path = place.home / name
    path.rmdir() if path.is_dir() else path.unlink()
    done = place.init(*place.flags())

    assert (0, True) == (done.returncode, path.exists())


def _code(place: Place) -> str:
    flags = place.flags(admin_email=None, admin_password_file=None, token_file=None)
    done = place.init(*flags, "--no-admin")
    assert (0, True) == (done.returncode, done.stdout.startswith("rtnboot_")), done.stderr
    return done.stdout.strip()


def test_setup_code_is_alone_on_standard_output(each_place: Place) -> None:
    """
    `--no-admin` makes everything but the administrator, and prints one code, the talk beside it.
    """
    code = _code(each_place)
    found = each_place.look()

    assert ["rtnboot", 12, 49] == [code.split("_")[0], *map(len, code.split("_")[1:])]
    assert ([], {"node": 1, "boot": 1}) == (found["operators"], found["credentials"])


def test_second_setup_code_ends_the_first(each_place: Place) -> None:
    """
    A second run prints another code; one code is valid at a time.
    """
    first, second = _code(each_place), _code(each_place)

    assert first != second
    assert {"node": 1, "boot": 1} == each_place.look()["credentials"]


def test_setup_code_goes_to_a_file(place: Place) -> None:
    """
    With `--token-file` the code is in the file, mode 0600, and printed nowhere.
    """
    flags = place.flags(admin_email=None, admin_password_file=None)
    done = place.init(*flags, "--no-admin")

    assert (0, "", 0o600) == (done.returncode, done.stdout, place.token.stat().st_mode & 0o777)
    assert place.token.read_text().startswith("rtnboot_")


def test_administrator_can_be_made_by_flags_later(each_place: Place) -> None:
    """
    Instead of the page, a run with the administrator's flags ends the set-up: the code is worth nothing.
    """
    _code(each_place)
    done = each_place.init(*each_place.flags())
    found = each_place.look()

    assert 0 == done.returncode
    assert ([EMAIL], {"node": 1, "pat": 1}, True) == (
        found["operators"],
        found["credentials"],
        found["token opens"],
    )


def test_later_administrator_belongs_to_the_organization_that_stands(place: Place) -> None:
    """
    Another organization's name in the second run is a mistake that is named.
    """
    _code(place)
    done = place.init(*place.flags(organization="other"))

    assert 1 == done.returncode
    assert "--organization: acme here, not other" in done.stderr
