"""Fixtures: a replica with known accounts and a worker process, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.control import Control, controlling
from tests.node.following import Home, make_home
from tests.node.traffic import LIMIT_SECONDS, GoodTraffic
from tests.node.world import Node, World, build, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A complete replica with known accounts."""
    return build(tmp_path_factory.mktemp("node") / "home")


@pytest.fixture(scope="module")
def node(world: World) -> Iterator[Node]:
    """A worker over ``world``."""
    with running(world, RETINUE_BENCH="1") as started:
        yield started


@pytest.fixture
def good_traffic(node: Node) -> Iterator[GoodTraffic]:
    """Good traffic during each probe; every single good question must be answered well."""
    traffic = GoodTraffic(node)
    traffic.start()
    yield traffic
    traffic.end()

    assert [] == traffic.failures
    assert traffic.answered >= 2
    assert traffic.slowest < LIMIT_SECONDS


@pytest.fixture
def control() -> Iterator[Control]:
    """A control plane in a script's hands, with some records, which sends few of them at once."""
    with controlling() as running:
        for number in range(40):
            running.truth.change(f"p{number:04d}")
        running.batch, running.page = 5, 7
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The files of a node, without a replica."""
    return make_home(tmp_path / "home")
