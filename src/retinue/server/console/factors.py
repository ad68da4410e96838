"""What a person signs in with beside the password. The sign-in library keeps it; here is what it may be.

Secrets are sealed with the pepper: who has the database alone can compute no code. Each code works once, on
every process: which one was last stands with its secret, not in a cache.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from retinue.sealing import seal, unseal
from retinue.server.credentials.actions import peppers
from retinue.server.directory.queries import Login
from retinue.server.errors import Refused

TOTP, PASSKEY, CODES = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN, Authenticator.Type.RECOVERY_CODES
#: What events and pages call them.
NAMES: dict[str, str] = {TOTP: "totp", PASSKEY: "passkey", CODES: "recovery_code"}
_CONTEXT = "sign-in factor"
_LAST = "last_counter"


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]
    """The library's hooks: sealed secrets, and who we are to a passkey."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This did not match. Try again."),
    }

    def encrypt(self, text: str) -> str:
        """Seal a secret with the active pepper."""
        active = peppers().active
        return f"{active.id}:{base64.b64encode(seal(active, text.encode(), _CONTEXT)).decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        """Open a secret. Refuses (``state_conflict``) what no pepper of this installation has sealed."""
        ident, _separator, sealed = encrypted_text.partition(":")
        pepper = peppers().get(ident)
        opened = None if pepper is None else unseal(pepper, base64.b64decode(sealed), _CONTEXT)
        if opened is None:
            raise Refused("state_conflict", "what this person signs in with was sealed with another pepper")
        return opened.decode()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """A passkey belongs to the name under which the console was opened, one of ``control.hosts``."""
        return {"id": host_of(context.request), "name": "Retinue"}

    def get_public_key_credential_user_entity(self, user: Login) -> dict[str, Any]:
        """What the person's device shows."""
        shown = super().get_public_key_credential_user_entity(user)
        return {"id": shown["id"], "display_name": user.principal.name, "name": user.email}


def host_of(request: HttpRequest) -> str:
    """Return the host of a request, without its port."""
    host = request.get_host()
    return host if host.endswith("]") else host.rpartition(":")[0] or host


@dataclass
class Factors:
    """What a person has set up."""

    totp: Authenticator | None = None
    passkeys: list[Authenticator] = field(default_factory=list)
    codes: Authenticator | None = None

    @property
    def is_protected(self) -> bool:
        """Whether a password alone opens no session."""
        return self.totp is not None or bool(self.passkeys)

    @property
    def codes_left(self) -> int:
        """How many recovery codes are unused."""
        return 0 if self.codes is None else len(RecoveryCodes(self.codes).get_unused_codes())


def of(login: Login) -> Factors:
    """Return what a person has set up, in one query."""
    found = Factors()
    for row in Authenticator.objects.filter(user=login).order_by("created_at", "pk"):
        if row.type == TOTP:
            found.totp = row
        elif row.type == PASSKEY:
            found.passkeys.append(row)
        else:
            found.codes = row
    return found


def counter_of(secret: str, code: str) -> int | None:
    """Return to which of the time steps around now a code belongs; ``None`` if to none of them."""
    for counter in yield_hotp_counters_from_time():
        expected = format_hotp_value(hotp_value(secret, counter))
        if compare_user_code(actual=code, expected=expected):
            return int(counter)
    return None


def take(login: Login, code: str) -> Authenticator | None:
    """Use a code of the app or a recovery code up; returns whose it was, ``None`` for any other text.

    Call it inside a database transaction: the rows stay locked, so of two with one code one is refused.
    """
    rows = Authenticator.objects.select_for_update(no_key=True).filter(user=login, type__in=(TOTP, CODES))
    for row in rows.order_by("-type"):
        if row.type == TOTP:
            counter = counter_of(Adapter().decrypt(row.data["secret"]), code)
            if counter is not None and counter > row.data.get(_LAST, 0):
                row.data[_LAST] = counter
                row.save(update_fields=["data"])
                return row
        elif RecoveryCodes(row).validate_code(code):
            return row
    return None


def started(secret: str, counter: int) -> dict[str, Any]:
    """Return what is kept of an app whose first code was that of ``counter``."""
    return {"secret": Adapter().encrypt(secret), _LAST: counter}


def is_due(login: Login) -> bool:
    """Tell whether a person must set up a second factor before anything else."""
    return bool(settings.INSTALLATION.second_factor == "required" and not of(login).is_protected)


def is_proven(request: HttpRequest, login: Login) -> bool:
    """Tell whether somebody else asked for more than a password before this session."""
    return any(each.get("proven") for each in get_authentication_records(request, login))


def method_of(request: HttpRequest, login: Login) -> str:
    """Return how a person has signed in, for the audit log: ``password+totp``, say."""
    records = get_authentication_records(request, login)
    used = [NAMES.get(each.get("type", ""), each["method"]) for each in records]
    return "+".join(dict.fromkeys(used)) or "password"
