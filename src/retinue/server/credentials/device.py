"""Sessions of the command line: a terminal shows a code, a person enters it in the console (RFC 8628).

A session is a personal access token of that person, named after the terminal's host: listed and revoked as
any other, and within the policy for them. The device code is 256 random bits; the code that people enter is
short, and is therefore good for ten minutes, once, and only for who is signed in. Of both, digests are kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from retinue.network import neighbourhood
from retinue.server.access import queries as access
from retinue.server.credentials import issuing, writing
from retinue.server.credentials.models import DeviceSignIn
from retinue.server.credentials.writing import Issued
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.transaction import Actor, Transaction, transaction
from retinue.verifier import PAT_ISSUE

LIFETIME = timedelta(minutes=10)
#: How long a session lasts; whoever uses it makes it last longer, as far as the policy allows.
SESSION = "12h"
#: How long a terminal waits between two questions; an earlier one is told to slow down.
INTERVAL_SECONDS = 2
#: So many may wait for a person at the same time; the one that comes then takes the place of another.
PENDING_MOST = 1_000
READ = "read"
_KEPT = timedelta(days=1)
#: RFC 8628, 6.1: no vowels, so no words; 34 bits.
_ALPHABET, _LENGTH = "BCDFGHJKLMNPQRSTVWXZ", 8
_LIST = (
    "acorn amber anchor badge barley basil beacon birch bramble bridge button candle canyon cedar cherry "
    "cinder clover cobalt comet copper coral cotton crater cricket dapple drift ember falcon fennel fern "
    "flint garnet ginger granite harbor hazel heron indigo island ivory jasper kettle lantern lemon linen "
    "lotus maple marble meadow mint nectar nutmeg olive onyx orchid otter paddle pebble pepper piano plum "
    "quartz raven ripple"
)
_WORDS = _LIST.split()


class NotYet(Exception):
    """No session for who asks now; ``code`` is an error of RFC 8628, 3.5, or of RFC 6749, 5.2."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(code)
        self.code = code
        self.why = why


@dataclass(frozen=True, slots=True)
class Begun:
    """What a terminal is told, once."""

    device_code: str
    user_code: str
    words: str
    seconds: int


class _TakenBack(Exception):
    """What was only tried is over."""


def begin(client_name: str, address: str, scope: str, now: datetime) -> Begun:
    """Keep that somebody asks for a session. When too many do, one of the network that asks most goes."""
    _make_room(now)
    device_code = secrets.token_urlsafe(32)
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    words = " ".join(secrets.choice(_WORDS) for _ in range(3))
    DeviceSignIn.objects.create(
        id=new_id("dev"),
        device_digest=_digest("device", device_code),
        user_digest=_digest("user", letters),
        words=words,
        client_name=client_name,
        address=address,
        scope=scope,
        asked_at=now,
        expires_at=now + LIFETIME,
    )
    code = f"{letters[:4]}-{letters[4:]}"
    return Begun(device_code, code, words, int(LIFETIME.total_seconds()))


def _make_room(now: datetime) -> None:
    """Delete what waits longest of the busiest network, while as many wait as may.

    So few networks, however many addresses they have, leave a place to everybody else.
    """
    waiting = DeviceSignIn.objects.filter(state="pending", expires_at__gt=now)
    too_many = waiting.count() - PENDING_MOST + 1
    if too_many <= 0:
        return
    found: dict[str, list[str]] = {}
    for ident, address in waiting.order_by("-asked_at", "-id").values_list("id", "address"):
        found.setdefault(neighbourhood(address), []).append(ident)
    for _ in range(too_many):
        # Of equals the one that has waited longest, as the one that comes last here has.
        busiest = max(reversed(found.values()), key=len)
        waiting.filter(id=busiest.pop()).delete()


def find(code: str, now: datetime) -> DeviceSignIn | None:
    """Return what waits under a code that a person enters, however written; ``None`` if nothing does."""
    letters = "".join(each for each in code.upper() if each in _ALPHABET)
    if len(letters) != _LENGTH:
        return None
    rows = DeviceSignIn.objects.filter(state="pending", expires_at__gt=now)
    return rows.filter(user_digest=_digest("user", letters)).first()


def decide(tx: Transaction, user: Principal, ident: str, *, grant: bool) -> None:
    """Grant a session of one's own to the terminal that waits, or refuse it. Once.

    Refuses what could not be issued: then the terminal waits on.
    """
    row = DeviceSignIn.objects.select_for_update(no_key=True).filter(id=ident).first()
    if row is None or row.state != "pending" or row.expires_at <= tx.now:
        raise Refused("state_conflict", "this code was used, or is older than ten minutes")
    if grant:
        _try(tx, user, row)
    row.state = "granted" if grant else "denied"
    row.principal = user
    row.save()
    tx.record(
        f"device_sign_in.{row.state}",
        user.id,
        name=user.email,
        organization=user.organization_id,
        after={
            "email": user.email,
            "client_name": row.client_name,
            "address": row.address,
            "scope": row.scope,
        },
    )


def collect(text: str, now: datetime, actor_of: Callable[[Principal], Actor]) -> Issued:
    """Issue the session that was granted to the holder of a device code. Raises :class:`NotYet`."""
    rows = DeviceSignIn.objects.select_related("principal__organization")
    row = rows.filter(device_digest=_digest("device", text)).first()
    if row is None or row.state == "used":
        raise NotYet("invalid_grant", "this device code is not known, or was used")
    if row.state == "denied":
        raise NotYet("access_denied", "it was refused")
    if row.expires_at <= now:
        raise NotYet("expired_token", "no code was entered in time")
    if row.state == "pending" or row.principal is None:
        raise _wait(row, now)
    user = row.principal
    try:
        with transaction(actor_of(user), reason="sign-in of a terminal") as tx:
            # One update decides between two that ask at once, on each database.
            won = DeviceSignIn.objects.filter(id=row.id, state="granted").update(state="used")
            if not won:
                raise NotYet("invalid_grant", "this device code was used")
            return _issue(tx, user, row)
    except Refused as refused:
        raise NotYet("access_denied", refused.detail or refused.code) from None


def forget(user: Principal) -> None:
    """Let no terminal collect what this user has granted: whoever granted it may not have been the user."""
    DeviceSignIn.objects.filter(principal=user, state="granted").update(state="denied")


def prune(now: datetime, most: int) -> int:
    """Delete at most ``most`` that are over for long; return how many went."""
    return delete_some(DeviceSignIn.objects.filter(expires_at__lt=now - _KEPT), most)


def _wait(row: DeviceSignIn, now: datetime) -> NotYet:
    early = row.polled_at is not None and (now - row.polled_at).total_seconds() < INTERVAL_SECONDS / 2
    DeviceSignIn.objects.filter(id=row.id).update(polled_at=now)
    return NotYet("slow_down" if early else "authorization_pending", "nobody has entered the code yet")


def _try(tx: Transaction, user: Principal, row: DeviceSignIn) -> None:
    """Issue the session and take it back: the person who grants it learns of what the policy refuses."""
    try:
        with tx.attempt():
            _issue(tx, user, row)
            raise _TakenBack
    except _TakenBack:
        pass


def _issue(tx: Transaction, user: Principal, row: DeviceSignIn) -> Issued:
    user = Principal.objects.select_related("organization").get(id=user.id)
    if user.state != "enabled" or user.organization.state != "enabled":
        raise Refused("state_conflict", f"{user.email} is {user.state}")
    if PAT_ISSUE not in access.effective(user):
        raise Refused("permission_missing", f"this needs {PAT_ISSUE}", required=(PAT_ISSUE,))
    narrowed = {"methods": ["GET", "HEAD"]} if row.scope == READ else None
    name = f"CLI on {row.client_name}"
    for each in (name, f"{name} {row.id[-6:]}", None):
        try:
            with tx.attempt():
                return issuing.issue_own_token(tx, user, name=each, expires=SESSION, restrictions=narrowed)
        except Refused as refused:
            # The name is taken, or names have a form here.
            if refused.field != "name" or each is None:
                raise
    raise AssertionError("unreachable: the last name is none")


def _digest(part: str, text: str) -> bytes:
    return writing.peppers().active.digest(f"device sign-in\0{part}\0{text}".encode())
