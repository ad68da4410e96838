"""Compiles credentials into the records that nodes hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retinue.replica import records
from retinue.server.credentials.models import Credential
from retinue.token import Kind

#: Node and setup credentials are presented to the control plane alone; nodes need not know them.
REPLICATED = (Kind.API_KEY.value, Kind.PERSONAL.value, Kind.INGEST.value)


def milliseconds(at: datetime | None) -> int:
    """Return an instant as records carry it; 0 for none."""
    return 0 if at is None else round(at.timestamp() * 1000)


def record(row: Credential) -> records.Credential:
    """Return the record of one row. Revoked and deleted credentials stay known, with their state."""
    return records.Credential(
        row.id,
        row.kind,
        row.organization_id,
        row.principal_id or "",
        row.state,
        (records.Digest(bytes(row.digest), row.pepper_id),),
        0,
        milliseconds(row.expires_at),
        milliseconds(row.retires_at),
        milliseconds(row.rotate_by),
    )


def compiled(kids: Sequence[str], kinds: Sequence[str] = REPLICATED) -> dict[str, records.Record]:
    """Return the records of these key ids; unknown ones are left out."""
    rows = Credential.objects.filter(kid__in=kids, kind__in=kinds)
    return {row.kid: record(row) for row in rows}


def page(after: str, limit: int) -> list[str]:
    """Return the next key ids after ``after``, in byte order."""
    rows = Credential.objects.filter(kid__gt=after, kind__in=REPLICATED).order_by("kid")
    return list(rows.values_list("kid", flat=True)[:limit])
