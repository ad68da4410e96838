"""Changes of what a person signs in with. Each is in the audit log, and ends the person's other sessions."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.http import HttpRequest

from retinue.server.console import factors
from retinue.server.console.store import digest
from retinue.server.directory.queries import BrowserSession, Login
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction

#: Passkeys of one person: a device or two, and a spare one.
MOST_PASSKEYS = 20


def add_totp(tx: Transaction, login: Login, secret: str, counter: int) -> None:
    """Let a person sign in with an app, whose first code was that of ``counter``."""
    _locked(login)
    if factors.of(login).totp is not None:
        raise Refused("state_conflict", "an authenticator app is set up already; remove it first")
    Authenticator.objects.create(user=login, type=factors.TOTP, data=factors.started(secret, counter))
    say(tx, "factor.added", login, after={"kind": "totp"})


def add_passkey(tx: Transaction, login: Login, name: str, credential: dict[str, Any]) -> None:
    """Let a person sign in with a passkey, which the library has checked."""
    _locked(login)
    if len(factors.of(login).passkeys) >= MOST_PASSKEYS:
        raise Refused("state_conflict", f"at most {MOST_PASSKEYS} passkeys; remove one first")
    made = WebAuthn.add(login, name, credential).instance
    say(tx, "factor.added", login, after={"kind": "passkey", "id": made.pk, "label": name})


def rename_passkey(tx: Transaction, login: Login, row: Authenticator, name: str) -> None:
    """Give a passkey another name; says nothing where nothing changes."""
    before = row.data["name"]
    if name == before:
        return
    row.data["name"] = name
    row.save(update_fields=["data"])
    say(tx, "factor.renamed", login, before={"id": row.pk, "label": before}, after={"label": name})


def remove(tx: Transaction, login: Login, row: Authenticator) -> None:
    """Remove an app or a passkey; with the last of them the recovery codes go too."""
    _locked(login)
    before = {"kind": factors.NAMES[row.type], "id": row.pk}
    if row.type == factors.PASSKEY:
        before["label"] = row.data["name"]
    row.delete()
    left = factors.of(login)
    if not left.is_protected and left.codes is not None:
        left.codes.delete()
    say(tx, "factor.removed", login, before=before, after={"protected": left.is_protected})


def issue_codes(tx: Transaction, login: Login) -> list[str]:
    """Give a person new recovery codes; the ones before are worth nothing."""
    _locked(login)
    if not factors.of(login).is_protected:
        raise Refused("state_conflict", "set up an authenticator app or a passkey first")
    Authenticator.objects.filter(user=login, type=factors.CODES).delete()
    codes: list[str] = RecoveryCodes.activate(login).get_unused_codes()
    say(tx, "recovery_codes.issued", login, after={"count": len(codes)})
    return codes


def end_others(request: HttpRequest, login: Login) -> int:
    """End every session of a person but the present one, which gets another key; return how many ended."""
    request.session.cycle_key()
    rows = BrowserSession.objects.filter(login=login)
    return rows.exclude(session_key=digest(request.session.session_key or "")).delete()[0]


def _locked(login: Login) -> None:
    """Wait for whoever changes the same person: limits are decided by one at a time."""
    Login.objects.select_for_update(of=("self",), no_key=True).get(pk=login.pk)


def say(
    tx: Transaction,
    event: str,
    login: Login,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write down what happened to what a person signs in with."""
    tx.record(
        event,
        login.principal_id,
        name=login.email,
        organization=login.principal.organization_id,
        before=before,
        after={"email": login.email, **(after or {})},
    )
