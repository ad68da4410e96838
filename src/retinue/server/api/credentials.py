"""All credentials of the organization in one list, and which of them a token is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from django.db.models import QuerySet
from pydantic import Field

from retinue.decision import Denied
from retinue.server.api import guard, personal_tokens, render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.credential_schemas import Key, KeyList, State, Status
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import enforcing, queries
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.errors import NotFound
from retinue.server.ledger.transaction import reading
from retinue.server.policies.queries import in_force, policy_of
from retinue.server.traffic import queries as traffic
from retinue.token import Kind
from retinue.verifier import Question

TAG = "credentials"
LIST = "/credentials"
KindName = Literal["api_key", "personal_access_token", "ingest_token"]
FormatName = Literal["native", "pair", "jwt", "uuid", "sk_hex", "imported"]
DAYS_MAX = schemas.DAYS_MAX
PLAN_SHOWN = 200
IN_USE = timedelta(days=1)
_KINDS = {Kind.API_KEY: "api_key", Kind.PERSONAL: "personal_access_token", Kind.INGEST: "ingest_token"}
_EVERY = frozenset(Kind)
#: What narrows the list, and what is meant by an act on many.
NARROWED = ("account", "state", "status", "format", "name", "search", "used_within", "unused_for",
            "expires_within")  # fmt: skip
#: Names are sorted as they are compared.
_ORDERS = {"name": "name_folded", "-name": "-name_folded"}


class CredentialFilter(schemas.ListQuery):
    """Filters of the list of all credentials."""

    kind: KindName | None = None
    account: str | None = Field(None, description="Id or handle of an account or user.")
    state: State | None = None
    status: Status | None = None
    format: FormatName | None = None
    name: str | None = None
    search: str | None = None
    used_within: schemas.Whole | None = Field(None, ge=1, le=DAYS_MAX, description="Used in these days.")
    unused_for: schemas.Whole | None = Field(
        None, ge=1, le=DAYS_MAX, description="Neither used nor issued in these days."
    )
    expires_within: schemas.Whole | None = Field(None, ge=1, le=DAYS_MAX, description="Ends in these days.")
    sort: Literal["issued_at", "-issued_at", "name", "-name"] = "-issued_at"


class PresentedToken(schemas.Body):
    """A token that somebody has found."""

    token: str = Field(min_length=1, max_length=512)


class Identified(schemas.Answer):
    """Which credential a token is, and what a decision about it would say."""

    key: Key
    accepted: bool = Field(description="Whether it is in force, presented as it may be.")
    reason: str | None


class PlannedExpiry(schemas.Answer):
    """A credential that lives too long, and the end that it gets."""

    key: Key
    expires_at: str


class ExpiryPlan(schemas.Answer):
    """The dry run of ``expiry.enforce: all``."""

    enforce: Literal["new", "all"]
    credentials: int
    in_use: int = Field(description="So many of them were used in the last 24 hours.")
    items: list[PlannedExpiry] = Field(description="The oldest first, 200 at most.")


def _kinds(call: Call) -> list[Kind]:
    """Return the kinds of credentials that the caller may read."""
    kinds = [Kind.API_KEY]
    if "pat:read" in call.held and personal_tokens.is_visible(call.organization):
        kinds.append(Kind.PERSONAL)
    if "ingest_token:read" in call.held:
        kinds.append(Kind.INGEST)
    return kinds


@operation("GET", LIST, permission="credential:read", response=KeyList, tag=TAG)
def list_credentials(call: Call, query: CredentialFilter) -> schemas.JSON:
    """List keys, and as far as the caller may read them personal access tokens and ingest tokens."""
    filters = query.filters()
    kinds = [kind for kind in _kinds(call) if query.kind in (None, _KINDS[kind])]
    rows = found(call, kinds, {name: value for name, value in filters.items() if name in NARROWED})
    order = (_ORDERS.get(query.sort, query.sort), "-id" if query.sort.startswith("-") else "id")
    bound = {**filters, "kinds": [kind.value for kind in kinds]}
    shown, following = page(
        rows,
        Listing("credentials", call.organization, bound, order),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.keys(shown, call.now), "next": following}


def found(call: Call, kinds: Sequence[Kind], where: Mapping[str, Any]) -> QuerySet[Credential]:
    """Return the credentials of these kinds that filters of the list match; one left out narrows nothing."""
    status, account = where.get("status"), where.get("account")
    rows = queries.credentials(
        call.organization,
        kinds,
        account=None if account is None else directory.id_of(call.organization, account),
        state=where.get("state") or ("deleted" if status == "deleted" else None),
        **{name: where.get(name) for name in ("format", "name", "search")},
    )
    days = {name: where.get(name) for name in ("used_within", "unused_for", "expires_within")}
    rows = queries.within_days(rows, call.now, last_used=traffic.last_used(), **days)
    if status is None:
        return rows
    return queries.with_status(
        rows,
        status,
        call.now,
        used=traffic.used_credentials(),
        policy=in_force(call.organization),
        lacking=queries.lacking_users(call.organization) if Kind.PERSONAL in kinds else (),
    )


@operation("GET", f"{LIST}/expiry-plan", permission="credential:read", response=ExpiryPlan, tag=TAG)
def get_expiry_plan(call: Call) -> schemas.JSON:
    """Tell which credentials live longer than the policy allows, and the ends that it gives them."""
    kinds = {kind.value for kind in _kinds(call)}
    planned = enforcing.plan(call.organization, in_force(call.organization), call.now)
    seen = [each for each in planned if each.credential.kind in kinds][:PLAN_SHOWN]
    shown = render.keys([each.credential for each in seen], call.now)
    ends = [instant(each.at) for each in seen]
    return {
        "enforce": policy_of(call.organization).expiry_enforce,
        "credentials": len(planned),
        "in_use": traffic.used_within([each.credential.id for each in planned], call.now - IN_USE),
        "items": [{"key": key, "expires_at": end} for key, end in zip(shown, ends, strict=True)],
    }


@operation(
    "POST",
    f"{LIST}/identify",
    permission="credential:read",
    response=Identified,
    tag=TAG,
    changes=False,
)
def identify_credential(call: Call, body: PresentedToken) -> schemas.JSON:
    """Tell which credential of the organization a token is. It is digested, and kept nowhere."""
    question = Question(body.token, organization=call.organization, scheme=None, kinds=_EVERY, counts=False)
    with reading():
        decision = guard.verifier().verify(question)
    caller = decision.caller
    held = None if caller is None else queries.by_ids([caller.credential_id]).get(caller.credential_id)
    if held is None or held.kind not in {kind.value for kind in _kinds(call)}:
        raise NotFound("credential with this token", "…")
    return {
        "key": render.keys([held], call.now)[0],
        "accepted": not isinstance(decision, Denied),
        "reason": decision.reason.value if isinstance(decision, Denied) else None,
    }
