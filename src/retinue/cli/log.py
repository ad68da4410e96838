"""``retinue log``: the request log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from retinue.cli import durations, lookup, output
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, Options
from retinue.cli.session import Session
from retinue.cli.shapes import REQUEST
from retinue.client import operations as ops
from retinue.client.models import Page, RequestRecord

app = App(name="log", help="The request log: what the nodes decided.")
Account = Annotated[str | None, Parameter(help="Only of this service account.")]
KeyFlag = Annotated[str | None, Parameter(help="Only with this key.")]
DecisionFlag = Annotated[Literal["allowed", "denied"] | None, Parameter(help="Only with this decision.")]
ReasonFlag = Annotated[str | None, Parameter(help="Only denied for this reason.")]
PathFlag = Annotated[str | None, Parameter(help="Only paths that begin so; without a slash, that hold it.")]
StatusFlag = Annotated[str | None, Parameter(help="Only what the host answered so: 404, or 4xx.")]
IpFlag = Annotated[str | None, Parameter(help="Only from this address or network (CIDR).", metavar="CIDR")]
NodeFlag = Annotated[str | None, Parameter(help="Only what this node decided.")]
MethodFlag = Annotated[str | None, Parameter(help="Only with this HTTP method.")]
PermissionFlag = Annotated[str | None, Parameter(help="Only where this permission was asked for.")]
ClientFlag = Annotated[str | None, Parameter(help="Only from clients whose name holds this.")]
_POLL_SECONDS = 1.0
#: Records that are shipped late may be older than what was printed: so far back is looked again.
_LOOK_BACK = 2000


@app.command(name="list")
def list_(
    *,
    account: Account = None,
    key: KeyFlag = None,
    decision: DecisionFlag = None,
    reason: ReasonFlag = None,
    path: PathFlag = None,
    status: StatusFlag = None,
    ip: IpFlag = None,
    node: NodeFlag = None,
    method: MethodFlag = None,
    permission: PermissionFlag = None,
    client: ClientFlag = None,
    request: Annotated[str | None, Parameter(help="Only the request with this id.", metavar="ID")] = None,
    since: Annotated[str | None, Parameter(help="Such as 1h, or a time.", metavar="WHEN")] = None,
    until: Annotated[str | None, Parameter(help="Such as 5m, or a time.", metavar="WHEN")] = None,
    limit: Annotated[int | None, Parameter(help="At most so many (default 100).")] = 100,
    options: Options = DEFAULTS,
) -> None:
    """List the decisions."""
    session = Session(options, ops.LIST_REQUESTS)
    query = _filters(session, account, key, decision, reason)
    query |= {
        **_sought(path, status, ip, node, method, permission, client),
        "request_id": request,
        "since": durations.instant(since, "--since"),
        "until": durations.instant(until, "--until"),
    }
    output.show_list(session.pages(ops.LIST_REQUESTS, None, query, limit), REQUEST, options)


@app.command
def tail(
    *,
    account: Account = None,
    key: KeyFlag = None,
    decision: DecisionFlag = None,
    reason: ReasonFlag = None,
    path: PathFlag = None,
    status: StatusFlag = None,
    ip: IpFlag = None,
    node: NodeFlag = None,
    method: MethodFlag = None,
    permission: PermissionFlag = None,
    client: ClientFlag = None,
    since: Annotated[str, Parameter(help="Begin so long ago.", metavar="DURATION")] = "1m",
    options: Options = DEFAULTS,
) -> None:
    """Print decisions as they come, one a line, until interrupted."""
    session = Session(options, ops.LIST_REQUESTS)
    if output.form(options) in ("json", "yaml"):
        raise CommandError("tail never ends, and so would the document", "use -o jsonl", Exit.USAGE)
    start = durations.instant(since, "--since")
    query = _filters(session, account, key, decision, reason)
    query |= _sought(path, status, ip, node, method, permission, client)
    if options.print_curl:
        session.pages(ops.LIST_REQUESTS, None, {**query, "since": start})
    output.show_list(_following(session, query, start), REQUEST, options, following=True)


def _following(session: Session, query: dict[str, Any], since: str | None) -> Iterator[Page[RequestRecord]]:
    seen: deque[str] = deque(maxlen=_LOOK_BACK)
    while True:
        fresh = [
            record
            for record in session.look_all(ops.LIST_REQUESTS, None, **query, since=since)
            if record.id not in seen and not _is_look(record)
        ]
        fresh.reverse()
        seen.extend(record.id for record in fresh)
        if fresh:
            since = fresh[-1].at
        yield Page(fresh)
        time.sleep(_POLL_SECONDS)


def _is_look(record: RequestRecord) -> bool:
    """Whether it is a look at this log itself: following it would else show nothing but the following."""
    return record.node == "control plane" and record.path == "/v1/requests"


def _filters(
    session: Session, account: str | None, key: str | None, decision: str | None, reason: str | None
) -> dict[str, Any]:
    return {
        "account": lookup.account_id(session, account) if account else None,
        "credential": lookup.credential_id(session, key) if key else None,
        "decision": decision,
        "reason": reason,
    }


def _sought(
    path: str | None,
    status: str | None,
    ip: str | None,
    node: str | None,
    method: str | None,
    permission: str | None,
    client: str | None,
) -> dict[str, Any]:
    """Return what no index finds, as the API calls it."""
    return {
        "path": path,
        "status": status,
        "address": ip,
        "node": node,
        "method": method,
        "permission": permission,
        "client": client,
    }
