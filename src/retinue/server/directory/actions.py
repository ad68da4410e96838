"""What can be done to organizations, users and service accounts. One function, one event."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

from retinue.replica.records import ANY, Kind
from retinue.server.directory import approval, naming, rules, uniqueness
from retinue.server.directory.models import Login, Organization, Ownership, Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.directory.states import approve as approve
from retinue.server.directory.states import check_alive as check_alive
from retinue.server.directory.states import disable as disable
from retinue.server.directory.states import enable as enable
from retinue.server.directory.states import held
from retinue.server.directory.states import mark_deleted as mark_deleted
from retinue.server.directory.states import mark_restored as mark_restored
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies import actions as policies
from retinue.server.policies.presets import NATIVE as NATIVE_PRESET
from retinue.server.policies.queries import policy_of

_TEXTS = (
    "name", "handle", "description", "purpose", "documentation", "environment", "systems", "attributes",
)  # fmt: skip


def create_organization(
    tx: Transaction, *, handle: str, name: str, preset: str = NATIVE_PRESET, is_installation: bool = False
) -> Organization:
    """Create an organization with the policy of a preset. Refuses a handle that is taken."""
    handle = rules.organization_handle(handle)
    name = rules.check_name(name)
    if Organization.objects.filter(handle=handle).exists():
        raise Refused("duplicate_name", f"the organization {handle!r} exists already", field="handle")
    made = Organization.objects.create(
        id=new_id("org"), handle=handle, name=name, is_installation=is_installation, created_at=tx.now
    )
    policies.start(tx, made.id, preset)
    after = {"handle": handle, "name": name, "preset": preset}
    tx.record("organization.created", made.id, name=handle, organization=made.id, after=after)
    tx.touch(Kind.ORGANIZATION, made.id)
    tx.touch(Kind.ORGANIZATION_HANDLE, handle)
    tx.touch(Kind.SCHEMES, ANY)
    return made


def create_user(
    tx: Transaction, organization_id: str, *, email: str, name: str, is_operator: bool = False
) -> Principal:
    """Create a user without a password. Refuses an e-mail address that is taken in the organization."""
    email = rules.email_address(email)
    name = rules.check_name(name)
    uniqueness.lock(organization_id)
    if Principal.objects.filter(organization_id=organization_id, handle=email).exists():
        raise Refused("duplicate_name", f"a user {email!r} exists already", field="email")
    made = Principal.objects.create(
        id=new_id("usr"),
        organization_id=organization_id,
        kind=Principal.USER,
        handle=email,
        unique_key=f"h:{email}",
        email=email,
        name=name,
        is_operator=is_operator,
        created_at=tx.now,
        updated_at=tx.now,
        created_by=tx.actor.id,
    )
    after = {"handle": email, "email": email, "name": name, "state": "enabled", "operator": is_operator}
    tx.record("user.created", made.id, name=email, organization=organization_id, after=after)
    tx.touch(Kind.PRINCIPAL, made.id)
    return made


def set_password(tx: Transaction, user: Principal, password: str) -> Login:
    """Give a user a way to sign in to the console. The password is hashed by Django (Argon2).

    Refuses a service account: no setting gives it an interactive login.
    """
    if user.kind != Principal.USER:
        raise Refused("forbidden_for_service", f"{user.handle} is a service account: it never signs in")
    login, _ = Login.objects.get_or_create(principal=user, defaults={"email": user.email})
    login.set_password(password)
    login.save()
    return login


def create_service_account(
    tx: Transaction, organization_id: str, fields: AccountFields, *, is_first: bool = False
) -> Principal:
    """Create a service account, which waits for a second principal where ``accounts.approval`` says so.

    Refuses a taken handle and whatever the policy requires and is not stated.
    """
    fields = replace(fields, name=rules.check_name(fields.name))
    rules.check_texts(fields)
    policy = policy_of(organization_id, fields.environment)
    if not policy.features_service_accounts:
        raise Refused("state_conflict", "service accounts are switched off (features.service_accounts)")
    naming.check_convention(fields.name, policy)
    if not is_first:
        rules.check_required(fields, policy)
    handle = naming.handle(fields.name, fields.handle, policy)
    uniqueness.lock(organization_id)
    uniqueness.check_room(organization_id, policy)
    field = "name" if fields.handle is None else "handle"
    uniqueness.check_free(organization_id, policy, handle, fields.name, field)
    made = Principal.objects.create(
        id=new_id("sa"),
        organization_id=organization_id,
        kind=Principal.SERVICE_ACCOUNT,
        handle=handle,
        unique_key=naming.unique_key(policy, handle, fields.name),
        attributes=naming.attributes(fields.attributes, policy),
        name=fields.name,
        description=fields.description,
        purpose=fields.purpose,
        documentation=fields.documentation,
        environment=fields.environment,
        systems=list(fields.systems),
        created_at=tx.now,
        updated_at=tx.now,
        created_by=tx.actor.id,
        **approval.begin(policy, is_first=is_first),
    )
    _set_owners(made, fields.owners)
    after = stated(made) | ({"awaits_approval": True} if made.awaits_approval else {})
    tx.record("account.created", made.id, name=handle, organization=organization_id, after=after)
    tx.touch(Kind.PRINCIPAL, made.id)
    return made


def check_required_access(organization_id: str, environment: str, *, roles: int = 0, groups: int = 0) -> None:
    """Refuse an account without the role or group that the policy asks for."""
    wanted = policy_of(organization_id, environment).accounts_required
    for name, count in (("role", roles), ("group", groups)):
        if name in wanted and not count:
            raise Refused("missing_field", f"the organization's policy requires a {name}", field=f"{name}s")


def update_account(tx: Transaction, account: Principal, changes: dict[str, Any]) -> Principal:
    """Change fields of a service account; ``changes`` holds the named fields of :class:`AccountFields`.

    Says nothing where nothing changes. Raises ``KeyError`` for a name that is no field.
    """
    account = held(account)
    check_alive(account)
    known = {each.name for each in dataclass_fields(AccountFields)}
    if set(changes) - known:
        raise KeyError(sorted(set(changes) - known)[0])
    before = stated(account)
    owners = tuple(before["owners"])
    fields = replace(_fields(account, owners), **changes)
    fields = replace(fields, name=rules.check_name(fields.name))
    rules.check_texts(fields)
    _apply_policy(account, fields, changes)
    for name in ("name", "description", "purpose", "documentation", "environment"):
        setattr(account, name, getattr(fields, name))
    account.systems = list(fields.systems)
    _set_owners(account, fields.owners)
    after = stated(account)
    changed = [name for name in after if after[name] != before[name]]
    if not changed:
        return account
    account.updated_at = tx.now
    account.save()
    tx.record(
        "account.updated",
        account.id,
        name=account.handle,
        organization=account.organization_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        reduces=not rules.DECIDING.isdisjoint(changed),
    )
    tx.touch(Kind.PRINCIPAL, account.id)
    return account


def _apply_policy(account: Principal, fields: AccountFields, changes: dict[str, Any]) -> None:
    """Check what changes against the policy, and take over what it makes of it: handle and attributes."""
    policy = policy_of(account.organization_id, fields.environment)
    rules.check_required(fields, policy)
    if fields.name != account.name:
        naming.check_convention(fields.name, policy)
    handle = account.handle if fields.handle is None else naming.handle(fields.name, fields.handle, policy)
    if (handle, fields.name) != (account.handle, account.name):
        uniqueness.lock(account.organization_id)
        field = "handle" if handle != account.handle else "name"
        uniqueness.check_free(account.organization_id, policy, handle, fields.name, field, but=account)
        account.unique_key = naming.unique_key(policy, handle, fields.name)
    account.handle = handle
    if "attributes" in changes:
        account.attributes = naming.attributes(fields.attributes, policy)


def _fields(account: Principal, owners: tuple[str, ...]) -> AccountFields:
    return AccountFields(
        name=account.name,
        description=account.description,
        purpose=account.purpose,
        documentation=account.documentation,
        environment=account.environment,
        systems=tuple(account.systems),
        owners=owners,
        attributes=account.attributes,
    )


def stated(account: Principal) -> dict[str, Any]:
    """Return what an event says about a service account."""
    found: dict[str, Any] = {name: getattr(account, name) for name in _TEXTS}
    found["owners"] = list(account.ownerships.order_by("id").values_list("owner_id", flat=True))
    return found


def _set_owners(account: Principal, owners: tuple[str, ...]) -> None:
    """Make ``owners`` (ids of users of the same organization) the owners, in this order."""
    wanted = list(dict.fromkeys(owners))
    held = list(account.ownerships.order_by("id").values_list("owner_id", flat=True))
    if wanted == held:
        return
    found = Principal.objects.filter(
        organization_id=account.organization_id, kind=Principal.USER, id__in=wanted
    ).values_list("id", flat=True)
    unknown = [ident for ident in wanted if ident not in set(found)]
    if unknown:
        raise Refused("not_found", f"there is no user {unknown[0]!r} here", field="owners")
    account.ownerships.all().delete()
    Ownership.objects.bulk_create([Ownership(account=account, owner_id=ident) for ident in wanted])
