"""Compiles credentials into what nodes know of them: digests and times, never a token or a permission."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import connection

from retinue.replica import records
from retinue.server.credentials import narrowing
from retinue.server.ledger.feed import MILLISECONDS, Selection, select
from retinue.token import Kind

#: Node and setup credentials are presented to the control plane alone; nodes need not know them.
REPLICATED = (Kind.API_KEY.value, Kind.PERSONAL.value, Kind.INGEST.value)
#: What the control plane itself accepts.
ACCEPTED = (*REPLICATED, Kind.NODE.value)


_PERSONAL = Kind.PERSONAL.value
_COLUMNS = (
    "kid, id, kind, organization_id, principal_id, state, digest, pepper_id, scheme, previous,"
    " restrictions, issued_by, has_expired"
)
_INSTANTS = ("expires_at", "retires_at", "rotate_by")


def credentials(selection: Selection, kinds: tuple[str, ...] = REPLICATED) -> dict[str, bytes]:
    """Return the records of credentials of these kinds by key id, in one query.

    Revoked and deleted credentials have a record too: their holder learns why the token is refused.
    """
    instants = ", ".join(MILLISECONDS[connection.vendor].format(name) for name in _INSTANTS)
    among = ", ".join(["%s"] * len(kinds))
    statement = f"SELECT {_COLUMNS}, {instants} FROM credentials_credential WHERE kind IN ({among})"  # noqa: S608
    rows = select(statement, "kid", selection, *kinds)
    return {row[0]: records.encode(_credential(*row[1:])) for row in rows}


def _credential(
    ident: str,
    kind: str,
    organization: str,
    principal: str | None,
    state: str,
    digest: Any,
    pepper_id: str,
    scheme: str,
    previous: str,
    restrictions: str,
    issued_by: str,
    has_expired: bool | int,
    expires_at_ms: int,
    retires_at_ms: int,
    rotate_by_ms: int,
) -> records.Credential:
    return records.Credential(
        id=ident,
        kind=kind,
        organization=organization,
        principal=principal or "",
        state=state,
        # An imported key of which only a slow hash is known has no digest yet.
        digests=(*_present(bytes(digest), pepper_id, scheme), *_previous(previous)),
        expires_at_ms=expires_at_ms,
        retires_at_ms=retires_at_ms,
        rotate_by_ms=rotate_by_ms,
        restrictions=None if restrictions == "{}" else narrowing.record(json.loads(restrictions)),
        self_issued=kind == _PERSONAL and issued_by == principal,
        has_expired=bool(has_expired),
    )


def _present(digest: bytes, pepper_id: str, scheme: str) -> tuple[records.Digest, ...]:
    return (records.Digest(digest, pepper_id, 0, scheme),) if digest else ()


def _previous(text: str) -> tuple[records.Digest, ...]:
    """Return the older digests of a regenerated credential: those that ended are no use, and no harm."""
    if text == "[]":
        return ()
    return tuple(
        records.Digest(
            bytes.fromhex(each["digest"]),
            each["pepper_id"],
            milliseconds(datetime.fromisoformat(each["valid_until"])),
            each["scheme"],
        )
        for each in json.loads(text)
    )


def milliseconds(at: datetime | None) -> int:
    """Return an instant as records carry it; 0 stands for never."""
    return 0 if at is None else int(at.timestamp()) * 1_000 + at.microsecond // 1_000
