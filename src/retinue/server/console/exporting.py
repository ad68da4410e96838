"""Files for elsewhere: the audit log line by line, a review with all its evidence, lists as tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from retinue.server.api.inside import Outcome
from retinue.server.console import logs, receipts
from retinue.server.console.viewer import Trouble, Viewer, page

MANY = "200"
#: What begins so would be a formula to a spreadsheet.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def _answer(content: Iterable[bytes], name: str, type_: str) -> HttpResponseBase:
    day = f"{timezone.now():%Y-%m-%d}"
    headers = {"Content-Disposition": f'attachment; filename="{name.format(day=day)}"'}
    return StreamingHttpResponse(content, content_type=type_, headers=headers)


def every(viewer: Viewer, operation: str, query: dict[str, str], first: Outcome) -> Iterator[dict[str, Any]]:
    """Yield all items of a list, page after page, from its ``first`` page on."""
    outcome = first
    while True:
        yield from outcome.body["items"]
        if not outcome.body["next"]:
            return
        outcome = viewer.call(operation, query={**query, "cursor": outcome.body["next"]})
        if not outcome.is_done:  # taken away meanwhile: the file is cut off, and browsers say so
            raise Trouble(operation, outcome)


def table(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """Yield a table as CSV (RFC 4180). What a spreadsheet would compute gets an apostrophe in front."""
    names, out = list(columns), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    yield out.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, list | tuple):
        value = ", ".join(str(each) for each in value)
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return "" if value is None else value


def listed(
    viewer: Viewer, operation: str, query: dict[str, str], columns: tuple[str, ...], told: Any, name: str
) -> HttpResponseBase:
    """Answer with a list that an operation gives, as a table; all pages of it. Raises :class:`Trouble`."""
    query = {**query, "limit": MANY}
    first = viewer.call(operation, query=query)
    if not first.is_done:
        raise Trouble(operation, first)
    rows = (told(each) for each in every(viewer, operation, query, first))
    return _answer(table(columns, rows), name + "-{day}.csv", "text/csv; charset=utf-8")


@require_safe
@page
def audit(viewer: Viewer) -> HttpResponseBase:
    """The audit log as the page filters it, an event a line, the newest first."""
    given = viewer.request.GET
    query = {each.name: given[each.name].strip() for each in logs.AUDIT.filters if given.get(each.name)}
    query = {**query, "limit": MANY}
    first = viewer.call("list_audit_events", query=query)
    if not first.is_done:
        raise Trouble("list_audit_events", first)
    lines = (msgspec.json.encode(each) + b"\n" for each in every(viewer, "list_audit_events", query, first))
    return _answer(lines, "audit-{day}.jsonl", "application/x-ndjson")


@require_POST
@page
def review(viewer: Viewer, review_id: str) -> HttpResponseBase:
    """A review with all its accounts, evidence, decisions and outcomes; the audit log says who took it."""
    outcome = viewer.call("export_review", {"review_id": review_id}, body={})
    if not outcome.is_done:
        receipts.say(viewer, outcome, "")
        return viewer.leave(viewer.url("review", review_id))
    if viewer.request.POST.get("form") == "csv":
        columns = ("account", "decision", "note", "decided_by", "decided_at", "outcome", "last_used_at")
        rows = (_row(each) for each in outcome.body["items"])
        return _answer(table(columns, rows), "review-{day}.csv", "text/csv; charset=utf-8")
    content = [msgspec.json.format(msgspec.json.encode(outcome.body))]
    return _answer(content, "review-{day}.json", "application/json")


def _row(item: dict[str, Any]) -> dict[str, object]:
    evidence = item["evidence"]
    return {
        **item,
        "account": evidence.get("handle") or evidence.get("name"),
        "decided_by": (item["decided_by"] or {}).get("handle"),
        "last_used_at": evidence.get("last_used_at"),
    }
