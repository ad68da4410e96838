"""People who sign in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from retinue.server.access import actions as access
from retinue.server.credentials import invitations
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions as policies


@dataclass(frozen=True)
class Person:
    """A user with the password that opens a session."""

    principal: Principal
    email: str
    password: str


def make_person(
    *, roles: tuple[str, ...] = ("owner",), operator: bool = False, preset: str = "native"
) -> Person:
    """Make a user in a new organization, with a password."""
    handle = f"org-{secrets.token_hex(6)}"
    email = f"ada@{handle}.example"
    password = secrets.token_urlsafe(18)
    with transaction(SYSTEM, reason="test") as tx:
        organization = directory.create_organization(tx, handle=handle, name=handle, preset=preset)
        access.set_up_organization(tx, organization)
        user = directory.create_user(tx, organization.id, email=email, name="Ada Test", is_operator=operator)
        directory.set_password(tx, user, password)
        access.assign_roles(tx, user, list(roles), "test")
    return Person(user, email, password)


def disable(person: Person) -> None:
    """Disable a user, as an administrator would."""
    with transaction(SYSTEM, reason="test") as tx:
        row = Principal.objects.get(id=person.principal.id)
        row.state = "disabled"
        row.save()
        tx.record("account.disabled", row.id, name=row.handle, organization=row.organization_id)


def account_of(person: Person, name: str, *, owner: Principal | None = None, **fields: Any) -> Principal:
    """Make a service account in a person's organization, owned by that person or by ``owner``."""
    given = AccountFields(name, purpose="a test", owners=((owner or person.principal).id,))
    with transaction(SYSTEM, reason="test") as tx:
        return directory.create_service_account(
            tx, person.principal.organization_id, replace(given, **fields)
        )


def colleague(person: Person, name: str, *, roles: tuple[str, ...] = ()) -> Person:
    """Make another user of a person's organization."""
    email, password = f"{name}-{secrets.token_hex(4)}@elsewhere.example", secrets.token_urlsafe(18)
    with transaction(SYSTEM, reason="test") as tx:
        user = directory.create_user(tx, person.principal.organization_id, email=email, name=name)
        directory.set_password(tx, user, password)
        access.assign_roles(tx, user, list(roles), "test")
    return Person(user, email, password)


def set_policy(person: Person, keys: Mapping[str, Any]) -> None:
    """State keys of the policy of a person's organization."""
    with transaction(SYSTEM, reason="test") as tx:
        policies.change(
            tx,
            person.principal.organization_id,
            lambda document: replace(document, overrides={**document.overrides, **keys}),
        )


def make_invited(person: Person, domain: str) -> str:
    """Invite a new user of a person's organization; returns the address."""
    email = f"grace-{secrets.token_hex(6)}@{domain}"
    with transaction(SYSTEM, reason="test") as tx:
        user = directory.create_user(tx, person.principal.organization_id, email=email, name="Grace")
        access.assign_roles(tx, user, ["owner"], "test")
        invitations.invite(tx, user)
    return email
