"""Reads of the last thing that was decided."""

from __future__ import annotations

from datetime import datetime

from retinue.server.traffic.models import Request
from retinue.server.traffic.queries import requests


def latest_but(organization_id: str, since: datetime, node: str) -> Request | None:
    """Return the last decision for an organization that another node than ``node`` made."""
    rows = requests(organization_id, since=since).exclude(node=node)
    return rows.order_by("-at", "-id").first()
