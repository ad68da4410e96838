"""Compromise of a credential, an account, or the organization: a dry run, then everything ends at once."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from retinue.server.api import personal_tokens, render, schemas
from retinue.server.api.accounts import ONE as ACCOUNT
from retinue.server.api.credential_schemas import Key
from retinue.server.api.keys import ONE as KEY
from retinue.server.api.operations import Call, operation
from retinue.server.api.users import ONE as USER
from retinue.server.credentials import compromising, queries
from retinue.server.credentials.compromising import Scope
from retinue.server.directory import queries as directory
from retinue.server.traffic import queries as traffic
from retinue.server.traffic.recent import used_among
from retinue.token import Kind

TAG = "compromise"
ORGANIZATION = "/organization"
#: As many credentials are shown; all of them are counted, and end.
SHOWN = 200
IN_USE = timedelta(days=1)


class Compromised(schemas.Answer):
    """What a compromise ends, or has ended."""

    id: str = Field(description="Id of the scope: a credential, an account or user, or the organization.")
    credentials: int
    in_use: int = Field(description="So many of them were used in the last 24 hours.")
    last_used_at: str | None
    items: list[Key] = Field(description=f"The oldest first, {SHOWN} at most.")


class Confirmed(schemas.WithReason):
    """What the dry run counted: where it is another number by now, nothing happens."""

    confirm: int = Field(ge=0, description="`credentials` of the dry run.")


@operation("GET", f"{KEY}/compromise", permission="credential:read", response=Compromised, tag=TAG)
def preview_key_compromise(call: Call, key_id: str) -> schemas.JSON:
    """Tell what a compromise of a key would end."""
    return _preview(call, _key(call, key_id))


@operation(
    "POST",
    f"{KEY}/compromise",
    permission="credential:revoke",
    response=Compromised,
    tag=TAG,
    reduces=True,
)
def compromise_key(call: Call, key_id: str, body: Confirmed) -> schemas.JSON:
    """Revoke a key as compromised, for good."""
    return _compromise(call, _key(call, key_id), body)


@operation("GET", f"{ACCOUNT}/compromise", permission="credential:read", response=Compromised, tag=TAG)
def preview_account_compromise(call: Call, account_id: str) -> schemas.JSON:
    """Tell what a compromise of a service account would end."""
    return _preview(call, _account(call, account_id))


@operation(
    "POST",
    f"{ACCOUNT}/compromise",
    permission="credential:revoke",
    response=Compromised,
    tag=TAG,
    reduces=True,
)
def compromise_account(call: Call, account_id: str, body: Confirmed) -> schemas.JSON:
    """Revoke all keys of a service account as compromised, for good, in one step."""
    return _compromise(call, _account(call, account_id), body)


@operation("GET", f"{USER}/compromise", permission="pat:read", response=Compromised, tag=TAG)
def preview_user_compromise(call: Call, user_id: str) -> schemas.JSON:
    """Tell what a compromise of a user would end."""
    return _preview(call, _user(call, user_id))


@operation("POST", f"{USER}/compromise", permission="pat:revoke", response=Compromised, tag=TAG, reduces=True)
def compromise_user(call: Call, user_id: str, body: Confirmed) -> schemas.JSON:
    """Revoke all personal access tokens of a user as compromised, for good, in one step."""
    personal_tokens.check_revocable(call.organization)
    return _compromise(call, _user(call, user_id), body)


@operation(
    "GET",
    f"{ORGANIZATION}/compromise",
    permission=("credential:read", "pat:read", "ingest_token:read"),
    response=Compromised,
    tag=TAG,
)
def preview_organization_compromise(call: Call) -> schemas.JSON:
    """Tell what a compromise of the whole organization would end."""
    return _preview(call, Scope(call.organization))


@operation(
    "POST",
    f"{ORGANIZATION}/compromise",
    permission=("credential:revoke", "pat:revoke", "ingest_token:revoke"),
    response=Compromised,
    tag=TAG,
    reduces=True,
)
def compromise_organization(call: Call, body: Confirmed) -> schemas.JSON:
    """Revoke every credential of the organization as compromised, the caller's too, in one step."""
    return _compromise(call, Scope(call.organization), body)


def _key(call: Call, key_id: str) -> Scope:
    return Scope(call.organization, credential=queries.key(call.organization, key_id).id)


def _account(call: Call, account_id: str) -> Scope:
    return Scope(call.organization, principal=directory.account(call.organization, account_id).id)


def _user(call: Call, user_id: str) -> Scope:
    return Scope(call.organization, principal=directory.user(call.organization, user_id).id)


def _preview(call: Call, scope: Scope) -> schemas.JSON:
    rows = scope.rows()
    # Counted where they are: a large organization has tens of thousands, and a dry run has to be quick.
    used = used_among(rows.values("id"), call.now - IN_USE)
    shown = rows.exclude(kind__in=_hidden(call)).order_by("issued_at", "id")[:SHOWN]
    return _told(call, scope, rows.count(), used, list(shown))


def _compromise(call: Call, scope: Scope, body: Confirmed) -> schemas.JSON:
    ended = compromising.compromise(call.tx, scope, confirm=body.confirm, text=body.reason)
    used = traffic.used_within([row.id for row in ended], call.now - IN_USE)
    hidden = _hidden(call)
    return _told(call, scope, len(ended), used, [row for row in ended if row.kind not in hidden][:SHOWN])


def _hidden(call: Call) -> tuple[str, ...]:
    """Return the kinds of credentials that are counted, but not shown."""
    return () if personal_tokens.is_visible(call.organization) else (Kind.PERSONAL.value,)


def _told(call: Call, scope: Scope, count: int, used: int, rows: list[queries.Credential]) -> schemas.JSON:
    shown = render.keys(rows, call.now)
    last = max((key["last_used_at"] for key in shown if key["last_used_at"]), default=None)
    return {
        "id": scope.credential or scope.principal or scope.organization,
        "credentials": count,
        "in_use": used,
        "last_used_at": last,
        "items": shown,
    }
