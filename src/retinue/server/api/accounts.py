"""Service accounts: list, create, get, update, delete, enable, disable, restore, duplicate."""

from typing import Literal

from ninja import Query

from retinue.server.access import actions as access
from retinue.server.access import queries as access_queries
from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions, queries
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import Refused

TAG = "service-accounts"
_ONE = "/service-accounts/{account_id}"


class AccountFilter(schemas.ListQuery):
    """Filters of the list of service accounts."""

    state: Literal["enabled", "disabled", "deleted"] | None = None
    handle: str | None = None
    search: str | None = None
    role: str | None = None
    owner: str | None = None
    sort: Literal["name", "-name", "created_at", "-created_at"] = "name"


@operation(
    "GET",
    "/service-accounts",
    permission="service_account:read",
    response=schemas.ServiceAccountList,
    tag=TAG,
)
def list_service_accounts(call: Call, query: Query[AccountFilter]) -> schemas.JSON:
    """List service accounts."""
    filters = query.model_dump(include={"state", "handle", "search", "role", "owner"})
    rows, following = page(
        queries.accounts(call.organization, **filters),
        order=(query.sort, "-id" if query.sort.startswith("-") else "id"),
        bound_to=f"accounts|{call.organization}|{filters}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.service_accounts(rows, call.now), "next": following}


@operation(
    "POST",
    "/service-accounts",
    permission="service_account:create",
    response=schemas.ServiceAccount,
    status=201,
    tag=TAG,
)
def create_service_account(call: Call, body: schemas.CreateServiceAccount) -> schemas.JSON:
    """Create a service account with its roles and grants: all of it or nothing."""
    if body.roles or body.permissions:
        _need(call, "grant:create")
    fields = AccountFields(
        name=body.name,
        handle=body.handle,
        description=body.description,
        purpose=body.purpose,
        documentation=body.documentation,
        environment=body.environment,
        systems=tuple(body.systems),
        owners=_owners(call, body.owners),
    )
    made = access.create_account(
        call.tx,
        call.organization,
        fields,
        roles=body.roles,
        permissions=body.permissions,
        justification=body.justification,
    )
    return _one(call, made)


@operation("GET", _ONE, permission="service_account:read", response=schemas.ServiceAccount, tag=TAG)
def get_service_account(call: Call, account_id: str) -> schemas.JSON:
    """Get a service account."""
    return _one(call, queries.account(call.organization, account_id))


@operation("PATCH", _ONE, permission="service_account:update", response=schemas.ServiceAccount, tag=TAG)
def update_service_account(call: Call, account_id: str, body: schemas.UpdateServiceAccount) -> schemas.JSON:
    """Change fields of a service account; what is left out stays."""
    account = queries.account(call.organization, account_id, lock=True)
    given = body.model_dump(include=body.model_fields_set - {"roles", "justification", "owners", "systems"})
    if "owners" in body.model_fields_set:
        given["owners"] = _owners(call, body.owners)
    if "systems" in body.model_fields_set:
        given["systems"] = tuple(body.systems)
    if "roles" in body.model_fields_set:
        _need(call, "grant:create")
        _need(call, "grant:delete")
        access.set_roles(call.tx, account, body.roles, body.justification)
    return _one(call, actions.update_account(call.tx, account, given))


@operation("DELETE", _ONE, permission="service_account:delete", response=schemas.ServiceAccount, tag=TAG)
def delete_service_account(call: Call, account_id: str) -> schemas.JSON:
    """Delete a service account and revoke its keys for good."""
    return _one(call, credentials.delete_account(call.tx, queries.account(call.organization, account_id)))


@operation(
    "POST", f"{_ONE}/enable", permission="service_account:enable", response=schemas.ServiceAccount, tag=TAG
)
def enable_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Enable a disabled service account."""
    call.tx.reason = body.reason
    return _one(call, actions.enable(call.tx, queries.account(call.organization, account_id, lock=True)))


@operation(
    "POST", f"{_ONE}/disable", permission="service_account:disable", response=schemas.ServiceAccount, tag=TAG
)
def disable_service_account(call: Call, account_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Disable a service account; none of its keys work until it is enabled again."""
    call.tx.reason = body.reason
    account = queries.account(call.organization, account_id, lock=True)
    return _one(call, actions.disable(call.tx, account, body.reason))


@operation(
    "POST", f"{_ONE}/restore", permission="service_account:delete", response=schemas.ServiceAccount, tag=TAG
)
def restore_service_account(call: Call, account_id: str, body: schemas.Nothing) -> schemas.JSON:
    """Restore a deleted service account: disabled, without its keys."""
    return _one(call, credentials.restore_account(call.tx, queries.account(call.organization, account_id)))


@operation(
    "POST",
    f"{_ONE}/duplicate",
    permission="service_account:create",
    response=schemas.ServiceAccount,
    status=201,
    tag=TAG,
)
def duplicate_service_account(call: Call, account_id: str, body: schemas.Duplicate) -> schemas.JSON:
    """Create a service account like another: its fields, roles and grants, without its keys."""
    _need(call, "grant:create")
    source = queries.account(call.organization, account_id)
    made = access.duplicate_account(call.tx, source, name=body.name, justification=body.justification)
    return _one(call, made)


@operation("GET", f"{_ONE}/grants", permission="grant:read", response=schemas.GrantList, tag="grants")
def list_grants(call: Call, account_id: str, query: Query[schemas.ListQuery]) -> schemas.JSON:
    """List the permissions that a service account holds directly."""
    account = queries.account(call.organization, account_id)
    rows, following = page(
        access_queries.grants(account),
        order=("granted_at", "id"),
        bound_to=f"grants|{account.id}",
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": render.grants(rows, account), "next": following}


@operation(
    "POST", f"{_ONE}/grants", permission="grant:create", response=schemas.Grant, status=201, tag="grants"
)
def create_grant(call: Call, account_id: str, body: schemas.CreateGrant) -> schemas.JSON:
    """Grant a permission to a service account."""
    account = queries.account(call.organization, account_id, lock=True)
    return render.grants([access.grant(call.tx, account, body.permission, body.justification)], account)[0]


@operation(
    "DELETE", f"{_ONE}/grants/{{grant_id}}", permission="grant:delete", response=schemas.Grant, tag="grants"
)
def delete_grant(call: Call, account_id: str, grant_id: str) -> schemas.JSON:
    """Take a direct grant away."""
    account = queries.account(call.organization, account_id, lock=True)
    return render.grants([access.delete_grant(call.tx, account, grant_id)], account)[0]


@operation(
    "GET",
    f"{_ONE}/permissions",
    permission="grant:read",
    response=schemas.EffectivePermissionList,
    tag="grants",
)
def list_effective_permissions(call: Call, account_id: str) -> schemas.JSON:
    """List what a service account may do, and where each permission comes from."""
    found = access_queries.sources(queries.account(call.organization, account_id))
    people = queries.principals(source.granted_by for sources in found.values() for source in sources)
    items = [
        {
            "permission": name,
            "sources": [
                {
                    "kind": source.kind,
                    "id": source.id,
                    "name": source.name,
                    "granted_by": render.ref(people.get(source.granted_by)),
                    "granted_at": instant(source.granted_at),
                    "justification": source.justification,
                }
                for source in sources
            ],
        }
        for name, sources in found.items()
    ]
    return {"items": items, "next": None}


def _one(call: Call, account: Principal) -> schemas.JSON:
    return render.service_accounts([account], call.now)[0]


def _owners(call: Call, owners: list[str]) -> tuple[str, ...]:
    return tuple(
        queries.find_principal(call.organization, text, Principal.USER, field=f"owners.{place}").id
        for place, text in enumerate(owners)
    )


def _need(call: Call, permission: str) -> None:
    """Refuse what needs one permission more than the operation itself."""
    if permission not in access_queries.effective(queries.principals([call.actor.id])[call.actor.id]):
        raise Refused("permission_missing", f"this needs {permission}", required=(permission,))
