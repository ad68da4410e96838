"""The databases on which the control plane's tests run, one after the other, in one process.

``server_database`` stands here once, for all suites: two fixtures of that kind would undo each other's work.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.server_support import django_setup
from tests.support import memory
from tests.support.requirements import need


@pytest.fixture(scope="session", params=django_setup.kinds())
def server_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The kind of the database that Django uses; all tests of one kind run together."""
    with _url(request) as url, django_setup.database(url):
        yield request.param


@contextmanager
def _url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "postgresql":
        need("postgres")
        yield request.getfixturevalue("postgres_server").create_database()
        return
    folder = memory.folder("retinue-database-")
    try:
        yield f"sqlite:///{folder / 'retinue.db'}"
    finally:
        shutil.rmtree(folder)
