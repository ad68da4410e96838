"""What happened: the request log and the audit log."""

from datetime import datetime
from typing import Any, Literal

from ninja import Query

from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import page
from retinue.server.api.operations import Call, operation
from retinue.server.directory import queries as directory
from retinue.server.errors import Refused
from retinue.server.ledger import queries as ledger
from retinue.server.traffic import queries as traffic


class RequestFilter(schemas.ListQuery):
    """Filters of the request log of an account."""

    credential: str | None = None
    decision: Literal["allowed", "denied"] | None = None
    reason: str | None = None
    since: str | None = None
    until: str | None = None


class AllRequestFilter(RequestFilter):
    """Filters of the request log of the organization."""

    account: str | None = None


class EventFilter(schemas.ListQuery):
    """Filters of the audit log."""

    type: str | None = None
    actor: str | None = None
    subject: str | None = None
    since: str | None = None
    until: str | None = None


class RequestRecord(schemas.Answer):
    """One decision."""

    id: str
    at: str
    account: dict[str, Any]
    credential_id: str
    decision: str
    reason: str | None
    permission: str
    method: str
    path: str
    address: str
    client: str
    node: str
    revision: int
    duration_us: int


class RequestList(schemas.Answer):
    """A page of the request log, the newest first."""

    items: list[RequestRecord]
    next: str | None


class AuditEvent(schemas.Answer):
    """One change, or one refused change."""

    id: str
    revision: int
    at: str
    type: str
    actor: dict[str, Any]
    credential_id: str
    request_id: str
    address: str
    subject: dict[str, Any]
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]


class AuditEventList(schemas.Answer):
    """A page of the audit log, the newest first."""

    items: list[AuditEvent]
    next: str | None


def _dates(filters: dict[str, Any]) -> dict[str, Any]:
    for name in ("since", "until"):
        if filters.get(name) is not None:
            try:
                at = datetime.fromisoformat(filters[name])
            except ValueError:
                at = None
            if at is None or at.tzinfo is None:
                raise Refused(
                    "invalid_value", "an RFC 3339 instant such as 2027-01-31T00:00:00Z", field=f"query.{name}"
                )
            filters[name] = at
    return filters


def _requests(call: Call, query: RequestFilter, account: str | None) -> schemas.JSON:
    filters = _dates(query.model_dump(exclude={"limit", "cursor", "account"}))
    found, following = page(
        traffic.requests(call.organization, account=account, **filters),
        order=("-at", "-id"),
        bound_to=f"requests|{call.organization}|{account}|{filters}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": [_record(row) for row in found], "next": following}


def _record(row: traffic.Request) -> schemas.JSON:
    return {
        "id": f"req_{row.id}",
        "at": instant(row.at),
        "account": {"id": row.account, "kind": row.account_kind, "name": row.account_name},
        "credential_id": row.credential,
        "decision": "allowed" if row.allowed else "denied",
        "reason": row.reason or None,
        "permission": row.permission,
        "method": row.method,
        "path": row.path,
        "address": row.address,
        "client": row.client,
        "node": row.node,
        "revision": row.revision,
        "duration_us": row.duration_us,
    }


@operation(
    "GET",
    "/service-accounts/{account_id}/requests",
    permission="request_log:read",
    response=RequestList,
    tag="requests",
)
def list_requests_of_account(call: Call, account_id: str, query: Query[RequestFilter]) -> schemas.JSON:
    """List what was decided about a service account, the newest first."""
    return _requests(call, query, directory.account(call.organization, account_id).id)


@operation("GET", "/requests", permission="request_log:read", response=RequestList, tag="requests")
def list_requests(call: Call, query: Query[AllRequestFilter]) -> schemas.JSON:
    """List what was decided in the organization, the newest first."""
    return _requests(call, query, query.account)


@operation("GET", "/audit-events", permission="audit_log:read", response=AuditEventList, tag="audit-events")
def list_audit_events(call: Call, query: Query[EventFilter]) -> schemas.JSON:
    """List what was changed in the organization, the newest first."""
    filters = _dates(query.model_dump(exclude={"limit", "cursor"}))
    rows, following = page(
        ledger.events(call.organization, **filters),
        order=("-revision", "-n"),
        bound_to=f"events|{call.organization}|{filters}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": [_event(row) for row in rows], "next": following}


@operation(
    "GET", "/audit-events/{event_id}", permission="audit_log:read", response=AuditEvent, tag="audit-events"
)
def get_audit_event(call: Call, event_id: str) -> schemas.JSON:
    """Get one event."""
    return _event(ledger.event(call.organization, event_id))


def _event(row: ledger.AuditEvent) -> schemas.JSON:
    view = ledger.view(row)
    name = (
        view.after.get("handle")
        or view.after.get("name")
        or view.before.get("handle")
        or view.before.get("name")
    )
    return {
        "id": row.id,
        "revision": row.revision,
        "at": instant(row.at),
        "type": row.type,
        "actor": {"id": row.actor, "kind": row.actor_kind, "name": view.actor_name},
        "credential_id": row.credential,
        "request_id": row.request,
        "address": view.address,
        "subject": {"kind": row.subject_kind, "id": row.subject, "name": name or ""},
        "reason": view.reason,
        "before": view.before,
        "after": view.after,
    }
