"""Takes in what nodes ship: decisions into the request log, uses into the counters. Exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from retinue.server.errors import Refused
from retinue.server.traffic.models import Request, SpoolProgress, Usage

MOST_RECORDS = 1_000


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One decision as a node ships it. ``at_ms`` is milliseconds since 1970, ``duration_us`` microseconds."""

    at_ms: int
    organization: str
    account: str
    account_name: str
    account_kind: str
    credential_id: str
    allowed: bool
    reason: str = ""
    permission: str = ""
    method: str = ""
    path: str = ""
    address: str = ""
    client: str = ""
    revision: int = 0
    duration_us: int = 0
    request_id: str = ""


def ingest(node: str, spool: str, first: int, entries: Sequence[Entry]) -> int:
    """Store a batch of a spool that begins with sequence number ``first``; returns the next one expected.

    What was stored before is skipped, a gap is counted as missing. The rows, the counters and the progress
    commit together, so that a batch is stored exactly once however often it is sent.
    """
    if len(entries) > MOST_RECORDS:
        raise Refused("too_large", f"at most {MOST_RECORDS} records", field="records")
    if first < 0 or not 1 <= len(spool) <= 64:
        raise Refused(
            "invalid_value", "a spool's name has 1 to 64 characters, sequences begin at 0", field="spool"
        )
    with transaction.atomic():
        progress = _progress(node, spool)
        fresh = list(entries[max(progress.next - first, 0) :])
        if not fresh:
            return progress.next
        progress.missing += max(first - progress.next, 0)
        progress.next = first + len(entries)
        progress.updated_at = timezone.now()
        Request.objects.bulk_create([_row(node, entry) for entry in fresh], batch_size=500)
        _count(node, fresh)
        progress.save()
        return progress.next


def _progress(node: str, spool: str) -> SpoolProgress:
    """Return the spool's row, locked until the commit."""
    SpoolProgress.objects.get_or_create(node=node, spool=spool, defaults={"updated_at": timezone.now()})
    return SpoolProgress.objects.select_for_update().get(node=node, spool=spool)


def _row(node: str, entry: Entry) -> Request:
    return Request(
        at=_at(entry.at_ms),
        organization=entry.organization[:64],
        account=entry.account[:64],
        account_kind=entry.account_kind[:16],
        account_name=_text(entry.account_name, 255),
        credential=entry.credential_id[:64],
        allowed=entry.allowed,
        reason=entry.reason[:32],
        permission=entry.permission[:128],
        method=_text(entry.method, 16),
        path=_text(entry.path.partition("?")[0], 2048),
        address=entry.address[:45],
        client=_text(entry.client, 255),
        node=node,
        revision=max(entry.revision, 0),
        duration_us=min(max(entry.duration_us, 0), 2_000_000_000),
    )


def _at(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        raise Refused("invalid_value", "milliseconds since 1970", field="records.at_ms") from None


def _text(text: str, most: int) -> str:
    """PostgreSQL stores no NUL; nothing that is logged may break a line."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:most])


def _count(node: str, entries: Sequence[Entry]) -> None:
    """Move first use, last use and count of each used credential forward, in one statement."""
    used: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.allowed:
            used.setdefault(entry.credential_id, []).append(entry)
    if not used:
        return
    latest = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    earliest = "LEAST" if connection.vendor == "postgresql" else "MIN"
    table = Usage._meta.db_table
    # The names of functions and tables are constants of this module; the values are parameters.
    statement = f"""
        INSERT INTO {table} (credential, account, first_used_at, last_used_at,
                             last_address, last_client, last_node, count)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (credential) DO UPDATE SET
            first_used_at = {earliest}({table}.first_used_at, excluded.first_used_at),
            last_used_at = {latest}({table}.last_used_at, excluded.last_used_at),
            last_address = CASE WHEN excluded.last_used_at >= {table}.last_used_at
                           THEN excluded.last_address ELSE {table}.last_address END,
            last_client = CASE WHEN excluded.last_used_at >= {table}.last_used_at
                          THEN excluded.last_client ELSE {table}.last_client END,
            last_node = CASE WHEN excluded.last_used_at >= {table}.last_used_at
                        THEN excluded.last_node ELSE {table}.last_node END,
            count = {table}.count + excluded.count
    """  # noqa: S608
    adapt = connection.ops.adapt_datetimefield_value
    rows = []
    for credential, uses in sorted(used.items()):
        last = max(uses, key=lambda entry: entry.at_ms)
        first_at, last_at = min(entry.at_ms for entry in uses), last.at_ms
        rows.append(
            (
                credential[:64],
                last.account[:64],
                adapt(_at(first_at)),
                adapt(_at(last_at)),
                last.address[:45],
                _text(last.client, 255),
                node,
                len(uses),
            )
        )
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
