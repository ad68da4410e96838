"""Invitations: whoever holds one chooses the password of its user, once.

An invitation is a token like any other: 256 random bits, stored as a keyed digest. It ends with its use, with
its successor, with its user, and after a week. It opens nothing but its own page.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings

from retinue.pepper import Peppers
from retinue.server.access import actions as access
from retinue.server.credentials import rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.writing import Issued
from retinue.server.directory import actions as directory
from retinue.server.directory import queries as people
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, Transaction
from retinue.token import Kind, parse

LIFETIME = timedelta(days=7)


def invite(tx: Transaction, user: Principal) -> Issued:
    """Issue the invitation of a user who cannot sign in yet; one before it ends.

    Refuses a user who has a password, and one who is stronger than the actor: an invitation hands out all
    that its user may do.
    """
    user = Principal.objects.select_for_update(no_key=True).get(id=user.id)
    directory.check_alive(user)
    if user.state != "enabled":
        raise Refused("state_conflict", f"{user.email} is {user.state}")
    if people.with_login([user.id]):
        raise Refused("state_conflict", f"{user.email} has a password and signs in with it")
    if tx.actor.kind != SYSTEM.kind:
        access.check_stronger(tx.actor, user, "user")
    _end_present(tx, user, "superseded", "replaced")
    ends = rules.Expiry(tx.now + LIFETIME, "default")
    return writing.make(tx, user.organization_id, user, Kind.INVITATION, "invitation", ends)


def pending(user_ids: Iterable[str], now: datetime) -> dict[str, Credential]:
    """Return the usable invitation of each user that has one, in one query."""
    rows = Credential.objects.filter(
        principal_id__in=list(user_ids), kind=Kind.INVITATION.value, state="active", expires_at__gt=now
    )
    return {row.principal_id or "": row for row in rows}


def find(text: str, now: datetime, peppers: Peppers) -> Credential | None:
    """Return the invitation whose token is ``text``, in time and of an enabled user; ``None`` for any other.

    Compares digests, in constant time.
    """
    token = parse(text, (settings.INSTALLATION.brand,))
    if token is None or token.kind is not Kind.INVITATION:
        return None
    rows = Credential.objects.select_related("principal", "organization")
    row = rows.filter(kid=token.kid, kind=Kind.INVITATION.value).first()
    pepper = None if row is None else peppers.get(row.pepper_id)
    if row is None or pepper is None or row.principal is None:
        return None
    if not hmac.compare_digest(pepper.digest(token.as_bytes()), bytes(row.digest)):
        return None
    is_open = row.principal.state == "enabled" and row.organization.state == "enabled"
    return row if is_open and rules.is_usable(row.state, row.expires_at, None, now) else None


def redeem(tx: Transaction, text: str, password: str) -> Principal:
    """Give the user of an invitation the password that its holder chose. Refuses (``code``) any other text.

    The user's row is locked first: of two callers with the same invitation one finds it used.
    """
    found = find(text, tx.now, writing.peppers())
    if found is not None and found.principal is not None:
        Principal.objects.select_for_update(no_key=True).get(id=found.principal.id)
        found = find(text, tx.now, writing.peppers())
    if found is None or found.principal is None:
        raise Refused("invalid_value", "wrong, used, or ended", field="code")
    user = found.principal
    if people.Login.objects.filter(email=user.email).exists():
        raise Refused("duplicate_name", f"{user.email} signs in to another organization", field="email")
    directory.set_password(tx, user, password)
    _end_present(tx, user, "no_longer_needed", "used")
    tx.record(
        "user.activated",
        user.id,
        name=user.email,
        organization=user.organization_id,
        before={"password": False},
        after={"password": True, "email": user.email},
    )
    return user


def end(tx: Transaction, user: Principal) -> None:
    """End the invitation of a user who signs in in another way; says nothing where there is none."""
    _end_present(tx, user, "no_longer_needed", "used")


def _end_present(tx: Transaction, user: Principal, reason: str, verb: str) -> None:
    rows = Credential.objects.select_for_update(no_key=True).filter(
        principal=user, kind=Kind.INVITATION.value, state="active"
    )
    for row in rows:
        writing.end(row, reason, "", tx)
        row.save()
        writing.say(tx, row, verb, before={"state": "active"}, after={"state": "revoked"})
