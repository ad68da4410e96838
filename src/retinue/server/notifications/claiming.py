"""Takes what is due, a delivery or a mail, for one process. If that dies, another may after a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection, transaction

from retinue.server.ledger.transaction import one_writer
from retinue.server.notifications.models import PENDING, Delivery, Mail

#: So many are taken at once.
AT_ONCE = 50
#: While it is being tried nobody else tries it; after this its process must have died.
CLAIM = timedelta(seconds=60)
_T = TypeVar("_T", Delivery, Mail)


def claim(model: type[_T], now: datetime) -> list[_T]:
    """Take the rows of ``model`` that are due, the oldest first; each counts as tried once more."""
    with one_writer(), transaction.atomic(durable=True):
        rows = model.objects.filter(state=PENDING, next_at__lte=now).order_by("next_at", "id")
        skip = connection.vendor == "postgresql"
        found = list(rows.select_for_update(no_key=True, skip_locked=skip)[:AT_ONCE])
        for row in found:
            row.attempts += 1
            row.next_at = now + CLAIM
        model.objects.bulk_update(found, ["attempts", "next_at"])
    return found
