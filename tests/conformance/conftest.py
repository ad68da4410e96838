"""One server and one node for all tests of conformance, as processes; each test makes organizations of its own."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conformance.console import Visitor
    from tests.conformance.server import Server

#: What became of the test of each row in this run: passed, failed, or xfailed.
OUTCOMES = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A control plane and a node that serve organizations of every preset at once."""
    from tests.conformance.server import serve

    with serve(tmp_path_factory.mktemp("conformance") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def visitor(server: Server, request: pytest.FixtureRequest) -> Visitor:
    """A person who is signed in to the console of an organization with the preset of the test's folder."""
    from tests.conformance.console import Visitor

    preset = request.path.parent.name
    return Visitor(server.organization(preset, by_person=preset == "wavefront"))


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> dict[str, str]:
    """What became of the tests that have run so far, by the name of the test."""
    return request.config.stash.setdefault(OUTCOMES, {})


@pytest.fixture(scope="session")
def writes_page() -> bool:
    """Whether this run writes the page anew."""
    return os.environ.get("RETINUE_TEST_SNAPSHOT") == "write"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, object, object]:
    """Keep the outcome of each test; a failure in a fixture counts as one of the test."""
    report = yield
    if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed):
        known = item.config.stash.setdefault(OUTCOMES, {})
        known[item.name] = "xfailed" if hasattr(report, "wasxfail") else report.outcome
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The page is looked at when all of these have run."""
    items.sort(key=lambda item: item.name == "test_the_page_is_what_was_shown")
