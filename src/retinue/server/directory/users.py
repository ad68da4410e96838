"""What else can be done to users: another name, and the end of a password."""

from __future__ import annotations

from retinue.replica.records import Kind
from retinue.server.directory import rules, states
from retinue.server.directory.models import Login, Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction


def rename(tx: Transaction, user: Principal, name: str) -> Principal:
    """Give a user another name; says nothing where nothing changes."""
    user = states.held(user)
    states.check_alive(user)
    name, before = rules.check_name(name), user.name
    if name == before:
        return user
    user.name = name
    user.updated_at = tx.now
    user.save()
    tx.record(
        "user.updated",
        user.id,
        name=user.handle,
        organization=user.organization_id,
        before={"name": before},
        after={"name": name},
        reduces=True,  # conditions look at names
    )
    tx.touch(Kind.PRINCIPAL, user.id)
    return user


def without_password(tx: Transaction, user: Principal) -> Login:
    """Give a user a way to sign in that no password opens. Refuses a service account."""
    if user.kind != Principal.USER:
        raise Refused("forbidden_for_service", f"{user.handle} is a service account: it never signs in")
    login = Login(principal=user, email=user.email)
    login.set_unusable_password()
    login.save()
    return login


def forget_password(user: Principal) -> None:
    """Remove the password of a user who was deleted; there is nothing left to sign in to."""
    Login.objects.filter(principal=user).delete()
