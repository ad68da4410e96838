"""Where probes are made and read; an operator must be there who answers for their canary."""

from __future__ import annotations

from retinue.server.nodes import probing
from retinue.server.nodes.models import Probe
from tests.storage.estate import operate


def new() -> str:
    """Return where a probe is made."""
    operate()
    return "/v1/probes"


def one() -> str:
    """Return the address of a probe."""
    operate()
    found = Probe.objects.order_by("started_at").last()
    if found is None:
        view = probing.run()
        assert view is not None
        found = view.probe
    return f"{new()}/{found.id}"
