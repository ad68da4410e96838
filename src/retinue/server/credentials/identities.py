"""People at an identity provider, and who they are here: by issuer and subject, never by an address."""

from __future__ import annotations

from collections.abc import Collection

from retinue.server.credentials import invitations
from retinue.server.directory import users as directory
from retinue.server.directory.queries import Identity, Login, Principal, with_login
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction


def find(issuer: str, subject: str) -> Login | None:
    """Return who signs in as this person of the provider."""
    rows = Identity.objects.filter(issuer=issuer, subject=subject).values("login")
    return Login.objects.filter(pk__in=rows).first()


def awaited(email: str, domains: Collection[str]) -> Principal | None:
    """Return the user who was made or invited with an address for which the provider may vouch.

    Only one who has no way to sign in yet: with a password, one connects oneself. ``None`` as well where
    several organizations have a user with this address.
    """
    if email.rpartition("@")[2] not in domains:
        return None
    rows = Principal.objects.filter(
        kind=Principal.USER, email=email, state="enabled", organization__state="enabled"
    )
    found = list(rows.select_related("organization")[:2])
    return found[0] if len(found) == 1 and not with_login([found[0].id]) else None


def begin(tx: Transaction, user: Principal, issuer: str, subject: str) -> Login:
    """Let a user who has no way to sign in yet sign in as this person of the provider; invitations end."""
    user = Principal.objects.select_for_update(no_key=True).get(id=user.id)
    if with_login([user.id]) or Login.objects.filter(email=user.email).exists():
        raise Refused("state_conflict", f"{user.email} signs in already")
    login = directory.without_password(tx, user)
    invitations.end(tx, user)
    link(tx, login, issuer, subject)
    return login


def link(tx: Transaction, login: Login, issuer: str, subject: str) -> None:
    """Let a login sign in as this person of the provider. Refuses a second one, on either side."""
    Login.objects.select_for_update(of=("self",), no_key=True).get(pk=login.pk)
    if Identity.objects.filter(issuer=issuer, subject=subject).exists():
        raise Refused("state_conflict", "this person of the provider signs in as somebody else here")
    if Identity.objects.filter(login=login, issuer=issuer).exists():
        raise Refused("state_conflict", "there is a person of this provider already; disconnect it first")
    Identity.objects.create(login=login, issuer=issuer, subject=subject, created_at=tx.now)
    _say(tx, "identity.linked", login, {}, {"issuer": issuer, "subject": subject})


def unlink(tx: Transaction, login: Login, issuer: str) -> None:
    """End that a login signs in through the provider. Refuses if nothing else is left to sign in with."""
    if not login.has_usable_password():
        raise Refused("state_conflict", "choose a password first: nothing else is left to sign in with")
    row = Identity.objects.filter(login=login, issuer=issuer).first()
    if row is not None:
        row.delete()
        _say(tx, "identity.unlinked", login, {"issuer": issuer, "subject": row.subject}, {})


def _say(tx: Transaction, event: str, login: Login, before: dict[str, str], after: dict[str, str]) -> None:
    tx.record(
        event,
        login.principal_id,
        name=login.email,
        organization=login.principal.organization_id,
        before=before,
        after={"email": login.email, **after},
    )
