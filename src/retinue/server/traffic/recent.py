"""Reads of what was used last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from retinue.server.traffic.models import Request, Usage
from retinue.server.traffic.queries import requests


def latest_but(organization_id: str, since: datetime, node: str) -> Request | None:
    """Return the last decision for an organization that another node than ``node`` made."""
    rows = requests(organization_id, since=since).exclude(node=node)
    return rows.order_by("-at", "-id").first()


def used_among(credentials: QuerySet[Any, Any], since: datetime) -> int:
    """Return how many of the credentials, whose ids a query gives, were used since an instant."""
    return Usage.objects.filter(credential__in=credentials, last_used_at__gt=since).count()
