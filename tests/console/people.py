"""People who sign in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from retinue.server.access import actions as access
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction


@dataclass(frozen=True)
class Person:
    """A user with the password that opens a session."""

    principal: Principal
    email: str
    password: str


def make_person(*, roles: tuple[str, ...] = ("owner",), operator: bool = False) -> Person:
    """Make a user in a new organization, with a password."""
    handle = f"org-{secrets.token_hex(6)}"
    email = f"ada@{handle}.example"
    password = secrets.token_urlsafe(18)
    with transaction(SYSTEM, reason="test") as tx:
        organization = directory.create_organization(tx, handle=handle, name=handle)
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
