"""One act on many objects: who it is about, a preview that is exact, and a result for each.

All of it is one transaction with one receipt. An item that is refused says why and leaves the rest. A preview
does everything and takes it back, so what it says is what would happen at this moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.operations import Call
from retinue.server.errors import NotFound, Refused
from retinue.server.traffic.counts import uses

MOST = 1_000
USED_WITHIN = timedelta(hours=24)
Row = TypeVar("Row")


class BulkItem(schemas.Answer):
    """What became, or would become, of one object."""

    id: str
    name: str | None
    result: Literal["done", "unchanged", "refused"]
    state: str | None = Field(description="The state it is in afterwards.")
    code: str | None = Field(description="Why it was refused: the code of a problem.")
    detail: str | None
    uses_24h: int = Field(description="Allowed uses within the last 24 hours.")


class BulkResult(schemas.Answer):
    """The result of one act on many objects."""

    preview: bool
    matched: int
    digest: str = Field(
        description="Digest of the ids that are meant. Sent back with the act, it keeps it to just these."
    )
    done: int
    unchanged: int
    refused: int
    items: list[BulkItem]


class Bulk(schemas.WithReason):
    """What every act on many takes. Either the objects by name, or a filter."""

    preview: bool = Field(False, description="Say what would happen, and change nothing.")
    expected: int | None = Field(
        None,
        description="How many objects are meant; with a filter it or `digest` is needed, but for a preview.",
    )
    digest: str | None = Field(
        None,
        max_length=64,
        description="As a preview has answered it: other objects than it has shown refuse the act.",
    )


class _TakenBack(Exception):
    """A preview is over."""


def digest_of(idents: Iterable[str]) -> str:
    """Return the digest of a set of ids, in whichever order they come: 64 hexadecimal characters."""
    return hashlib.sha256("\n".join(sorted(set(idents))).encode()).hexdigest()


def check_named(body: Bulk, named: Sequence[str], where: object | None) -> None:
    """Refuse a call that names nothing or too much, or gives a filter and says not what it shall find."""
    if bool(named) == (where is not None):
        raise Refused("invalid_value", "either objects by name, or a filter", field="where")
    if not body.preview and where is not None and body.expected is None and body.digest is None:
        raise Refused("missing_field", "with a filter: how many are meant", field="expected")


def check_meant(body: Bulk, found: Iterable[str]) -> None:
    """Refuse a call that is about other objects than were meant, by their number or by their digest."""
    idents = list(found)
    if len(idents) > MOST:
        raise Refused(
            "invalid_value", f"{len(idents)} objects or more; at most {MOST} at once", field="where"
        )
    if body.expected is not None and body.expected != len(idents):
        detail = f"{len(idents)} objects are in it, not {body.expected}"
        raise Refused("state_conflict", detail, field="expected")
    if body.digest is not None and body.digest != digest_of(idents):
        raise Refused(
            "state_conflict", "other objects are in it by now than the preview has shown", field="digest"
        )


def run(
    call: Call,
    body: Bulk,
    rows: Sequence[Row],
    act: Callable[[Row], Row | None],
    shown: Callable[[Row], tuple[str, str | None, str | None]],
    used_by: Literal["account", "credential"],
) -> schemas.JSON:
    """Do ``act`` to each row, and answer what became of each.

    ``act`` returns the row as it is now, or ``None`` if there was nothing to change; ``shown`` gives a row's
    id, name and state.
    """
    idents = [shown(row)[0] for row in rows]
    used = uses(call.organization, idents, since=call.now - USED_WITHIN, by=used_by)
    items: list[schemas.JSON] = []
    try:
        with call.tx.attempt():
            items = [_one(call, row, act, shown, used.get(shown(row)[0], 0)) for row in rows]
            if body.preview:
                raise _TakenBack
    except _TakenBack:
        pass
    results = [item["result"] for item in items]
    counts = {word: results.count(word) for word in ("done", "unchanged", "refused")}
    told = {"preview": body.preview, "matched": len(rows), "digest": digest_of(idents)}
    return {**told, **counts, "items": items}


def _one(
    call: Call,
    row: Row,
    act: Callable[[Row], Row | None],
    shown: Callable[[Row], tuple[str, str | None, str | None]],
    uses: int,
) -> schemas.JSON:
    ident, name, state = shown(row)
    item: schemas.JSON = {"id": ident, "name": name, "code": None, "detail": None, "uses_24h": uses}
    try:
        with call.tx.attempt():
            made = act(row)
    except Refused as refused:
        code = "not_found" if isinstance(refused, NotFound) else refused.code
        return {**item, "result": "refused", "state": state, "code": code, "detail": refused.detail}
    if made is None:
        return {**item, "result": "unchanged", "state": state}
    return {**item, "result": "done", "state": shown(made)[2]}
