"""A guard of an installation that runs, in either of its two ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from retinue.guard import Guard
from tests.support.installation import ORGANIZATION, Installation


@pytest.fixture(params=["in process", "over HTTP"])
def guard(
    request: pytest.FixtureRequest, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Guard]:
    """A guard of the installation, found by its environment."""
    for name in ("RETINUE_HOME", "RETINUE_REPLICA", "RETINUE_NODE_URL"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "in process":
        monkeypatch.setenv("RETINUE_HOME", str(installation.home))
    else:
        monkeypatch.setenv("RETINUE_NODE_URL", installation.node_url)
    made = Guard(ORGANIZATION)
    yield made
    made.close()
