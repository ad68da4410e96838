"""The request log: what was decided about the tokens of an organization."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.accounts import ONE
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import queries as credentials
from retinue.server.directory import queries as directory
from retinue.server.ids import numbered_id
from retinue.server.traffic import queries

TAG = "requests"


class RequestAccount(schemas.Answer):
    """The account as it was called at that time."""

    id: str
    kind: str
    name: str


class RequestRecord(schemas.Answer):
    """One decision."""

    id: str
    at: str
    account: RequestAccount
    credential_id: str | None
    credential_name: str | None = Field(description="As it is called now.")
    decision: Literal["allowed", "denied"]
    reason: str | None
    permission: str | None
    method: str | None
    path: str | None
    address: str | None
    client: str | None
    node: str
    revision: int
    duration_us: int
    request_id: str | None = Field(
        description="`Retinue-Request-Id` of the answer, or the one in its problem."
    )
    route: str | None = Field(description="The template of the path, where the host's guard knows it.")
    status: int | None = Field(description="What the host answered, where its guard knows it.")


class RequestList(schemas.Answer):
    """A page of the request log, the newest first."""

    items: list[RequestRecord]
    next: str | None


class AccountRequestFilter(schemas.ListQuery):
    """Filters of the request log of an account."""

    credential: str | None = None
    decision: Literal["allowed", "denied"] | None = None
    reason: str | None = None
    request_id: str | None = Field(None, description="Id of a request, as its answer told it.")
    since: schemas.Instant | None = Field(None, description="From this instant on.")
    until: schemas.Instant | None = Field(None, description="Before this instant.")


class RequestFilter(AccountRequestFilter):
    """Filters of the request log of the organization."""

    account: str | None = Field(None, description="Id or handle of an account.")


@operation("GET", f"{ONE}/requests", permission="request_log:read", response=RequestList, tag=TAG)
def list_requests_of_account(call: Call, account_id: str, query: AccountRequestFilter) -> schemas.JSON:
    """List what was decided about a service account, the newest first."""
    return _listed(call, query, directory.account(call.organization, account_id).id)


@operation("GET", "/requests", permission="request_log:read", response=RequestList, tag=TAG)
def list_requests(call: Call, query: RequestFilter) -> schemas.JSON:
    """List what was decided in the organization, the newest first."""
    account = None if query.account is None else directory.id_of(call.organization, query.account)
    return _listed(call, query, account)


def _listed(call: Call, query: AccountRequestFilter, account: str | None) -> schemas.JSON:
    filters = {**query.filters(), "account": account}
    found, following = page(
        queries.requests(call.organization, **filters),
        Listing("requests", call.organization, filters, ("-at", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    names = credentials.names(call.organization, (row.credential for row in found))
    return {"items": [_record(row, names.get(row.credential)) for row in found], "next": following}


def _record(row: queries.Request, credential_name: str | None) -> schemas.JSON:
    return {
        "id": numbered_id("log", row.id),
        "at": instant(row.at),
        "account": {"id": row.account, "kind": row.account_kind, "name": row.account_name},
        "credential_id": row.credential or None,
        "credential_name": credential_name,
        "decision": "allowed" if row.allowed else "denied",
        "reason": row.reason or None,
        "permission": row.permission or None,
        "method": row.method or None,
        "path": row.path or None,
        "address": row.address or None,
        "client": row.client or None,
        "node": row.node,
        "revision": row.revision,
        "duration_us": row.duration_us,
        "request_id": row.request_id or None,
        "route": row.route or None,
        "status": row.status or None,
    }
