"""What else can be done to users: another name, and the end of a password."""

from __future__ import annotations

from allauth.mfa.models import Authenticator

from retinue.replica.records import Kind
from retinue.server.directory import rules, states
from retinue.server.directory.models import BrowserSession, Login, Principal
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


def reset_sign_in(tx: Transaction, user: Principal, *, everything: bool) -> None:
    """End what a user signs in with beside the password, and every session; for who has lost it.

    ``everything`` ends the password and the connection to the provider too: then the user can be invited
    again. Says nothing of a user who cannot sign in. Refuses the actor itself: a stolen token must not open
    the console.
    """
    if tx.actor.id == user.id:
        raise Refused("state_conflict", "your own is removed in the console, on the page Signing in")
    rows = Login.objects.select_for_update(of=("self",), no_key=True).filter(principal=user)
    login = rows.first()
    if login is None:
        return
    factors = Authenticator.objects.filter(user=login)
    before = {
        "factors": sorted(factors.values_list("type", flat=True)),
        "password": login.has_usable_password(),
    }
    factors.delete()
    ended = BrowserSession.objects.filter(login=login).delete()[0]
    if everything:
        login.delete()
    tx.record(
        "user.sign_in_reset",
        user.id,
        name=user.email,
        organization=user.organization_id,
        before=before,
        after={"email": user.email, "sessions_ended": ended, "everything": everything},
    )


def forget_password(user: Principal) -> None:
    """Remove the password of a user who was deleted; there is nothing left to sign in to."""
    Login.objects.filter(principal=user).delete()
