"""The one-time setup code, and the first administrator, whom it or ``init`` makes.

The code is a token like any other: 256 random bits, stored as a keyed digest. It ends with its use, with the
first administrator however made, with its successor, and after a day.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta

from django.conf import settings

from retinue.pepper import Peppers
from retinue.server.access import actions as access
from retinue.server.credentials import rules, writing
from retinue.server.credentials.models import Credential
from retinue.server.credentials.writing import Issued
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Organization, Principal, installation, users
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.token import Kind, parse

LIFETIME = timedelta(hours=24)


def pending() -> Credential | None:
    """Return the setup code that waits for its use, ended by time or not; ``None`` if no setup is due."""
    rows = Credential.objects.filter(
        organization__is_installation=True, kind=Kind.SETUP.value, state="active"
    )
    return rows.select_related("organization").order_by("-issued_at").first()


def opens(code: Credential, text: str, now: datetime, peppers: Peppers) -> bool:
    """Tell whether ``text`` is the token of ``code``, and in time. Compares digests, in constant time."""
    token = parse(text, (settings.INSTALLATION.brand,))
    pepper = peppers.get(code.pepper_id)
    if token is None or token.kind is not Kind.SETUP or token.kid != code.kid or pepper is None:
        return False
    is_same = hmac.compare_digest(pepper.digest(token.as_bytes()), bytes(code.digest))
    return is_same and rules.is_usable(code.state, code.expires_at, None, now)


def issue(tx: Transaction, organization: Organization) -> Issued:
    """Issue the setup code of an installation without administrator; one before it ends."""
    _lock(organization)
    if has_administrator(organization):
        raise Refused("state_conflict", "the first administrator exists already")
    _end(tx, "superseded", "replaced")
    ends = rules.Expiry(tx.now + LIFETIME, "default")
    return writing.make(tx, organization.id, None, Kind.SETUP, "setup", ends)


def redeem(tx: Transaction, text: str, *, email: str, name: str, password: str) -> Principal:
    """Make the first administrator for who holds the setup code. Refuses (``code``) any other text.

    The organization's row is locked first: of two callers with the same code one finds it used.
    """
    organization = installation()
    code = None
    if organization is not None:
        _lock(organization)
        code = pending()
    if organization is None or code is None or not opens(code, text, tx.now, writing.peppers()):
        raise Refused("invalid_value", "wrong, used, or ended", field="code")
    return _make(tx, organization, email, name, password)


def make_administrator(
    tx: Transaction, organization: Organization, *, email: str, name: str, password: str
) -> Principal:
    """Make the first administrator: Owner and operator, who can sign in. Refuses a second one."""
    _lock(organization)
    return _make(tx, organization, email, name, password)


def _make(tx: Transaction, organization: Organization, email: str, name: str, password: str) -> Principal:
    if has_administrator(organization):
        raise Refused("state_conflict", "the first administrator exists already")
    made = directory.create_user(tx, organization.id, email=email, name=name, is_operator=True)
    directory.set_password(tx, made, password)
    access.assign_roles(tx, made, ["owner"], "first administrator")
    _end(tx, "no_longer_needed", "used")
    return made


def has_administrator(organization: Organization) -> bool:
    """Tell whether an operator exists: the first administrator, or one whom that one made."""
    return users(organization.id).filter(is_operator=True).exists()


def _end(tx: Transaction, reason: str, verb: str) -> None:
    code = pending()
    if code is not None:
        writing.end(code, reason, "", tx)
        code.save()
        writing.say(tx, code, verb, before={"state": "active"}, after={"state": "revoked"})


def _lock(organization: Organization) -> None:
    Organization.objects.select_for_update(no_key=True).get(id=organization.id)
