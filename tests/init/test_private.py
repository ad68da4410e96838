"""Nobody else on the machine reads an installation: hashes, sessions and events stand in its database."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.init.place import Place
from tests.support.installation import Installation


@pytest.fixture(autouse=True)
def usual_umask() -> object:
    """What files get where nobody thinks of it, here and in the processes that are started."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def _open_to_others(home: Path) -> dict[str, str]:
    """Return what others may do with anything in a home, by its path."""
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (home, *home.rglob("*"))}
    return {str(path): f"{mode:04o}" for path, mode in modes.items() if mode & 0o077}


def test_what_init_makes_is_private(place: Place) -> None:
    """
    Home and files, database included, are the owner's alone; also when SQLite makes -wal and -shm anew.
    """
    place.init(*place.flags())
    made = _open_to_others(place.home)
    place.look()

    assert ({}, {}) == (made, _open_to_others(place.home))


def test_empty_home_is_closed(place: Place) -> None:
    """
    A folder that was made for it beforehand is closed to others.
    """
    place.home.mkdir(mode=0o755)
    done = place.init(*place.flags())

    assert (0, {}) == (done.returncode, _open_to_others(place.home))


def test_home_with_other_things_is_refused(place: Place) -> None:
    """
    A folder that others may have a use for is neither closed to them nor filled.
    """
    place.home.mkdir(mode=0o755)
    (place.home / "theirs").touch()
    done = place.init(*place.flags())

    assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert f"{place.home}: mode 0755 lets others in" in done.stderr
    assert ["theirs"] == [path.name for path in place.home.iterdir()]
    assert 0o755 == stat.S_IMODE(place.home.stat().st_mode)


def test_database_elsewhere_is_private_too(tmp_path: Path) -> None:
    """
    A SQLite file outside the home has mode 0600; its folder is left as it is.
    """
    folder = tmp_path / "elsewhere"
    folder.mkdir(mode=0o755)
    place = Place(tmp_path, f"sqlite:///{folder}/r.db")
    place.init(*place.flags())

    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert 0o755 == stat.S_IMODE(folder.stat().st_mode)


def test_serve_closes_what_was_open(tmp_path: Path) -> None:
    """
    An installation that others could read is theirs no more once it is served: home, database, and all that
    is made meanwhile by every process.
    """
    installation = Installation(tmp_path / "home")
    installation.init()
    home = installation.home
    for path in (home, *home.glob("retinue.db*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    installation.start()
    installation.cli("whoami")
    serving = _open_to_others(home)
    names = {path.name for path in home.iterdir()}
    installation.stop()

    assert {"retinue.db", "retinue.db-wal", "retinue.db-shm"} <= names
    assert ({}, {}) == (serving, _open_to_others(home))
