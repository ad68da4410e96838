"""The databases on which the control plane's tests run, one after the other, in one process.

``server_database`` stands here once, for all suites: two fixtures of that kind would undo each other's work.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server_support import django_setup
from tests.support.requirements import need


@pytest.fixture(scope="session", params=django_setup.kinds())
def server_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The kind of the database that Django uses; all tests of one kind run together."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('database') / 'retinue.db'}"
    else:
        need("postgres")
        url = request.getfixturevalue("postgres_server").create_database()
    with django_setup.database(url):
        yield request.param
