"""Service accounts: list, create, get, update, delete, duplicate."""

from __future__ import annotations

from typing import Any

from retinue.server.access import actions as access
from retinue.server.access import subjects
from retinue.server.access.listing import members_of
from retinue.server.access.queries import holders_of
from retinue.server.api import render, schemas
from retinue.server.api.account_schemas import (
    AccountCounts,
    AccountFilter,
    AccountsCounted,
    CreatedServiceAccount,
    CreateServiceAccount,
    Duplicate,
    FirstKey,
    ServiceAccount,
    ServiceAccountList,
    UpdateServiceAccount,
)
from retinue.server.api.cursors import Listing, page
from retinue.server.api.joining import collections_named
from retinue.server.api.operations import Call, operation
from retinue.server.api.secrets_told import issued
from retinue.server.credentials import actions as credentials
from retinue.server.directory import queries
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import Refused
from retinue.server.policies.queries import in_force, policy_of
from retinue.server.traffic import standings

TAG = "service-accounts"
#: Name of a key that is issued with its account, where it needs one and none is given.
FIRST_KEY = "first"
#: Filters by what stands in the account itself, or who owns it.
_OF_ITSELF = ("state", "handle", "search", "owner", "awaits_approval", "environment")
LIST, ONE = "/service-accounts", "/service-accounts/{account_id}"


@operation("GET", LIST, permission="service_account:read", response=ServiceAccountList, tag=TAG)
def list_service_accounts(call: Call, query: AccountFilter) -> schemas.JSON:
    """List service accounts."""
    filters = query.filters()
    narrowed = {name: filters[name] for name in _OF_ITSELF}
    narrowed["owner"] = owner_meant(call, query.owner)
    holders = None if query.role is None else holders_of(call.organization, query.role)
    order = (query.sort, "-id" if query.sort.startswith("-") else "id")
    if query.status in ("deleted", "disabled"):
        narrowed["state"] = narrowed["state"] or query.status
    found = queries.accounts(call.organization, holders=holders, **narrowed)
    if query.status is not None:
        found = standings.with_status(found, query.status, call.now, in_force(call.organization))
    for kind, text in (("group", query.group), ("team", query.team)):
        if text is not None:
            members = members_of(subjects.group(call.organization, text, kind, field=kind))
            found = found.filter(id__in=members.order_by().values("id"))
    found = standings.within_days(found, call.now, query.unused_for, query.expires_within)
    rows, following = page(
        found,
        Listing("accounts", call.organization, filters, order),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.service_accounts(rows, call.now), "next": following}


@operation("GET", f"{LIST}/counts", permission="service_account:read", response=AccountCounts, tag=TAG)
def count_service_accounts(call: Call, query: AccountsCounted) -> schemas.JSON:
    """Count the service accounts of each status."""
    holders = None if query.role is None else holders_of(call.organization, query.role)
    found = queries.accounts(
        call.organization,
        state="any",
        search=query.search,
        owner=owner_meant(call, query.owner),
        holders=holders,
    )
    return standings.counts(found, call.now, in_force(call.organization))


@operation(
    "POST",
    LIST,
    permission="service_account:create",
    also={
        **dict.fromkeys(("roles", "permissions", "copy_from"), ("grant:create",)),
        "groups": ("group:update",),
        "teams": ("team:update",),
        "key": ("credential:issue",),
    },
    response=CreatedServiceAccount,
    status=201,
    tag=TAG,
)
def create_service_account(call: Call, body: CreateServiceAccount) -> schemas.JSON:
    """Create a service account with its roles, grants, groups and teams: all of it or nothing."""
    fields = AccountFields(
        name=body.name,
        handle=body.handle,
        description=body.description,
        purpose=body.purpose,
        documentation=body.documentation,
        environment=body.environment,
        systems=tuple(body.systems),
        attributes=body.attributes,
        owners=owners_named(call, body.owners),
    )
    made = access.create_account(
        call.tx,
        call.organization,
        fields,
        roles=body.roles,
        permissions=body.permissions,
        groups=[
            *collections_named(call, "group", body.groups),
            *collections_named(call, "team", body.teams),
        ],
        justification=body.justification,
        source=None if body.copy_from is None else body.copy_from.source(),
    )
    return _with_first_key(call, made, body.key)


@operation("GET", ONE, permission="service_account:read", response=ServiceAccount, tag=TAG)
def get_service_account(call: Call, account_id: str) -> schemas.JSON:
    """Get a service account."""
    return one(call, queries.account(call.organization, account_id))


@operation(
    "PATCH",
    ONE,
    permission="service_account:update",
    also={"roles": ("grant:create", "grant:delete")},
    response=ServiceAccount,
    tag=TAG,
    reduces=True,
)
def update_service_account(call: Call, account_id: str, body: UpdateServiceAccount) -> schemas.JSON:
    """Change fields of a service account; what is left out stays."""
    account = queries.account(call.organization, account_id, lock=True)
    given: dict[str, Any] = body.model_dump(
        include=body.model_fields_set - {"roles", "justification", "reason"}
    )
    if "owners" in given:
        given["owners"] = owners_named(call, body.owners)
    if "systems" in given:
        given["systems"] = tuple(body.systems)
    updated = access.update_account(call.tx, account, given, body.justification)
    if "roles" in body.model_fields_set:
        access.set_roles(call.tx, updated, body.roles, body.justification)
    return one(call, updated)


@operation("DELETE", ONE, permission="service_account:delete", response=ServiceAccount, tag=TAG, reduces=True)
def delete_service_account(call: Call, account_id: str, query: schemas.Reasoned) -> schemas.JSON:
    """Delete a service account and revoke its keys for good."""
    account = queries.account(call.organization, account_id)
    return one(call, credentials.delete_account(call.tx, account, query.reason))


@operation(
    "POST",
    f"{ONE}/duplicate",
    permission=("service_account:create", "grant:create"),
    response=CreatedServiceAccount,
    status=201,
    tag=TAG,
)
def duplicate_service_account(call: Call, account_id: str, body: Duplicate) -> schemas.JSON:
    """Create a service account like another: fields, roles, grants, groups and teams, without its keys."""
    source = queries.account(call.organization, account_id)
    made = access.duplicate_account(call.tx, source, name=body.name, justification=body.justification)
    return _with_first_key(call, made, None)


def _with_first_key(call: Call, account: Principal, asked: FirstKey | None) -> schemas.JSON:
    """Answer a new account with its first key, if one is asked for, or issued with every account here."""
    policy = policy_of(call.organization, account.environment)
    if policy.accounts_initial_credential == "none" and asked is not None:
        raise Refused("invalid_value", "no key is issued with an account here", field="key")
    if policy.accounts_initial_credential != "auto" and asked is None:
        return one(call, account)
    asked = asked or FirstKey(expires=None)
    name = asked.name or (FIRST_KEY if policy.credentials_name.required else None)
    made = credentials.issue(call.tx, account, name=name, expires=asked.expires)
    return {**issued(call, made), **one(call, account)}


def owner_meant(call: Call, text: str | None) -> str | None:
    """Return the owner that a filter names; ``me`` is the caller."""
    return call.actor.id if text == "me" else text


def one(call: Call, account: Principal) -> schemas.JSON:
    """Return a service account as the API answers it."""
    return render.service_accounts([account], call.now)[0]


def owners_named(call: Call, owners: list[str]) -> tuple[str, ...]:
    """Return the ids of users that a body names, by id, e-mail address or handle."""
    return tuple(
        queries.find_principal(call.organization, text, Principal.USER, field=f"owners.{place}").id
        for place, text in enumerate(owners)
    )
