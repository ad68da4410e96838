"""The request log: what was decided about the tokens of an organization."""

from __future__ import annotations

import ipaddress
from dataclasses import fields
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from retinue.server.api import schemas
from retinue.server.api.accounts import ONE
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page, searched_page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import queries as credentials
from retinue.server.directory import queries as directory
from retinue.server.ids import numbered_id
from retinue.server.traffic import queries
from retinue.server.traffic.searching import PORTION, PORTIONS, Sought

TAG = "requests"
_SOUGHT = tuple(field.name for field in fields(Sought))


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
    next: str | None = Field(
        description="Where to go on. By path, status, address, node, method, permission or client it may "
        "stand by few items, or none: so many decisions were looked at."
    )


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("an address, or a network such as 10.0.0.0/8") from None


Address = Annotated[str, AfterValidator(_network), Field(max_length=64)]


class AccountRequestFilter(schemas.ListQuery):
    """Filters of the request log of an account."""

    credential: str | None = None
    decision: Literal["allowed", "denied"] | None = None
    reason: str | None = None
    request_id: str | None = Field(None, description="Id of a request, as its answer told it.")
    path: str | None = Field(
        None, min_length=1, max_length=512,
        description="With a slash before it: paths that begin so. Else: paths that hold it.",
    )  # fmt: skip
    status: str | None = Field(
        None, pattern="^[1-5]([0-9]{2}|xx)$", description="What the host answered: 404, or 4xx."
    )
    address: Address | None = Field(None, description="Address, or network as CIDR, that was called from.")
    node: str | None = Field(None, min_length=1, max_length=63, description="Name of the node.")
    method: str | None = Field(None, pattern="^[A-Za-z]{1,16}$")
    permission: str | None = Field(
        None, min_length=1, max_length=128, description="The permission that was asked for, whole."
    )
    client: str | None = Field(
        None, min_length=1, max_length=255, description="Callers whose user agent holds this."
    )
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
    sought = Sought(**{name: filters[name] for name in _SOUGHT})
    rows = queries.requests(call.organization, **{k: v for k, v in filters.items() if k not in _SOUGHT})
    listing = Listing("requests", call.organization, filters, ("-at", "-id"))
    if sought:
        found, following = searched_page(
            rows, sought.among, listing,
            cursor=query.cursor, limit=query.limit, portion=PORTION, portions=PORTIONS,
        )  # fmt: skip
    else:
        found, following = page(rows, listing, cursor=query.cursor, limit=query.limit)
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
