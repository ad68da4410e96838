"""Files for elsewhere: the audit log line by line, a review with all its evidence, lists as tables."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import msgspec
import yaml
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from retinue.server.api.inside import Outcome
from retinue.server.configuration import queries as configuration
from retinue.server.console import logs, receipts, tables
from retinue.server.console.viewer import Trouble, Viewer, page

MANY = "200"
#: A file ends after so long, as it does after so many rows: a search may look at much and find little.
LOOK_SECONDS = 8.0
#: What begins so would be a formula to a spreadsheet.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def _answer(content: Iterable[bytes], name: str, type_: str) -> HttpResponseBase:
    day = f"{timezone.now():%Y-%m-%d}"
    headers = {"Content-Disposition": f'attachment; filename="{name.format(day=day)}"'}
    return StreamingHttpResponse(content, content_type=type_, headers=headers)


def every(viewer: Viewer, operation: str, query: dict[str, str], first: Outcome) -> Iterator[dict[str, Any]]:
    """Yield all items of a list, page after page, from its ``first`` page on."""
    for items in _pages(viewer, operation, query, first):
        yield from items


def _pages(
    viewer: Viewer, operation: str, query: dict[str, str], first: Outcome
) -> Iterator[list[dict[str, Any]]]:
    outcome = first
    while True:
        yield outcome.body["items"]
        if not outcome.body["next"]:
            return
        outcome = viewer.call(operation, query={**query, "cursor": outcome.body["next"]})
        if not outcome.is_done:  # taken away meanwhile: the file is cut off, and browsers say so
            raise Trouble(operation, outcome)


def _within(seconds: float, pages: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Yield pages for so long, and at least one."""
    ends = time.monotonic() + seconds
    for items in pages:
        yield items
        if time.monotonic() > ends:
            return


def table(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """Yield a table as CSV (RFC 4180). What a spreadsheet would compute gets an apostrophe in front."""
    names, out = list(dict.fromkeys(columns)), io.StringIO()
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


Told = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def listed(
    viewer: Viewer, operation: str, query: dict[str, str], columns: tuple[str, ...], told: Told, name: str
) -> HttpResponseBase:
    """Answer with a list that an operation gives, all pages of it: a table, or with ``form=json`` a list.

    ``told`` makes rows of the items of a page; a row is cut down to ``columns``. Raises :class:`Trouble`.
    """
    query = {**query, "limit": MANY}
    first = viewer.call(operation, query=query)
    if not first.is_done:
        raise Trouble(operation, first)
    rows = (row for items in _pages(viewer, operation, query, first) for row in told(items))
    if viewer.request.GET.get("form") == "json":
        return _answer(_array(columns, rows), name + "-{day}.json", "application/json")
    return _answer(table(columns, rows), name + "-{day}.csv", "text/csv; charset=utf-8")


def _array(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """Yield rows as one JSON array, a row a line."""
    names, mark = list(dict.fromkeys(columns)), b"[\n"
    for row in rows:
        yield mark + msgspec.json.encode({name: row.get(name) for name in names})
        mark = b",\n"
    yield b"[]\n" if mark == b"[\n" else b"\n]\n"


#: What stands in a file of the request log for each column of its table.
_OF_REQUESTS = {
    "decision": ("decision", "reason"),
    "account": ("account_id", "account_name"),
    "request": ("method", "path"),
    "credential": ("credential_id", "credential_name"),
    "took": ("duration_us",),
}


@require_safe
@page
def requests(viewer: Viewer) -> HttpResponseBase:
    """The request log as the page filters it, so many rows at most: a table, or a record a line."""
    given = viewer.request.GET
    query = {each.name: given[each.name].strip() for each in logs.REQUESTS.filters if given.get(each.name)}
    query = {**query, **logs.since(viewer), "limit": MANY}
    first = viewer.call("list_requests", query=query)
    if not first.is_done:
        raise Trouble("list_requests", first)
    looked_at = _within(LOOK_SECONDS, _pages(viewer, "list_requests", query, first))
    rows = islice(chain.from_iterable(looked_at), tables.TABLES["requests"].most)
    if given.get("form") == "json":
        lines = (msgspec.json.encode(each) + b"\n" for each in rows)
        return _answer(lines, "requests-{day}.jsonl", "application/x-ndjson")
    shown = tables.shape_of(viewer, "requests").columns
    columns = ("id", "at", *(field for name in shown for field in _OF_REQUESTS.get(name, (name,))))
    told = ({**each, **{f"account_{of}": each["account"][of] for of in ("id", "name")}} for each in rows)
    return _answer(table(columns, told), "requests-{day}.csv", "text/csv; charset=utf-8")


@require_safe
@page
def audit(viewer: Viewer) -> HttpResponseBase:
    """The audit log as the page filters it, an event a line, the newest first."""
    given = viewer.request.GET
    query = {each.name: each.asked(given) for each in logs.AUDIT.filters if given.get(each.name)}
    query = {**query, "limit": MANY}
    first = viewer.call("list_audit_events", query=query)
    if not first.is_done:
        raise Trouble("list_audit_events", first)
    lines = (msgspec.json.encode(each) + b"\n" for each in every(viewer, "list_audit_events", query, first))
    return _answer(lines, "audit-{day}.jsonl", "application/x-ndjson")


@require_safe
@page
def account_yaml(viewer: Viewer, account_id: str) -> HttpResponse:
    """Show one account as a document of the configuration has it, to be copied and applied elsewhere."""
    missing = viewer.missing("export_configuration")
    entries = [] if missing else configuration.account(viewer.organization.id, account_id)
    if not missing and not entries:
        raise Http404
    text = yaml.safe_dump({"service_accounts": entries}, sort_keys=False, allow_unicode=True)
    return viewer.render(
        "account_yaml.html",
        account_id=account_id,
        name=entries[0]["name"] if entries else "",
        text=text,
        missing=missing,
        place="accounts",
    )


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
