"""How many nodes are live: each of them admits its share of what one account may ask."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from retinue.server.nodes.models import Lease

#: A node that was not heard for so long decides nothing any more, or soon will not.
HEARD_WITHIN = timedelta(seconds=30)
_KEPT_SECONDS = 1.0
_kept: tuple[str, float, int] = ("", 0.0, 1)


def live() -> int:
    """Return the number of live nodes, those that follow a relay included; at most a second old."""
    global _kept
    now, place = time.monotonic(), str(connection.settings_dict["NAME"])
    if _kept[0] != place or now - _kept[1] >= _KEPT_SECONDS:
        rows = Lease.objects.filter(is_superseded=False, last_contact_at__gt=timezone.now() - HEARD_WITHIN)
        found = rows.values_list("node", "followed_by")
        nodes = {node for node, _ in found}
        behind = {str(each.get("node")) for _, followers in found for each in followers}
        _kept = (place, now, max(len(nodes) + len(behind), 1))
    return _kept[2]
