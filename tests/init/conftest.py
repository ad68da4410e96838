"""Places for ``init``: on SQLite, and on either database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.init.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with its database in the home, as by default."""
    return Place(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place on each kind of database."""
    if request.param == "sqlite":
        return Place(tmp_path)
    return Place(tmp_path, str(request.getfixturevalue("postgres_url")))
