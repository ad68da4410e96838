"""Names, handles and what an account must state. Pure functions; no database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy
from retinue.token import holds_token

HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
# Without what means something in a header of a mail: it must lead there and nowhere else (RFC 5322, 3.2.3).
_ATOM = r"[^@\s\x00-\x1f,;:<>()\"\\"
EMAIL = re.compile(rf"{_ATOM}]{{1,64}}@{_ATOM}.]+(?:\.{_ATOM}.]+)*")
NAME_MAX = 255
TEXT_MAX = 8192
SYSTEMS_MAX = 64
#: A password may be a long sentence; hashing must not become work for a stranger to cause.
PASSWORD_MAX = 1024
OWNERS_MAX = 16
#: What the conditions of groups and access policies look at, and what tells which networks and limits hold:
#: an account that has another value there may lose something.
DECIDING = frozenset({"name", "handle", "environment", "attributes"})


@dataclass(frozen=True, slots=True)
class AccountFields:
    """What people write about a service account. ``owners`` are ids of users."""

    name: str
    handle: str | None = None
    description: str = ""
    purpose: str = ""
    documentation: str = ""
    environment: str = ""
    systems: tuple[str, ...] = ()
    owners: tuple[str, ...] = field(default=())
    attributes: Mapping[str, Any] = field(default_factory=dict)


def fold(text: str) -> str:
    """Return the form in which names are compared: NFKC, case folded, surrounding space removed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def check_name(name: str, field: str = "name", *, most: int = NAME_MAX) -> str:
    """Return a name for people, stripped; refuses an empty, overlong or control character one."""
    name = name.strip()
    if not name:
        raise Refused("missing_field", f"{field} is required", field=field)
    if len(name) > most:
        raise Refused("invalid_value", f"at most {most} characters", field=field)
    check_line(name, field)
    return name


def check_line(text: str, field: str) -> None:
    """Refuse control, format and surrogate characters: they hide or reverse what people read. And tokens."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI:
            raise Refused("invalid_value", f"control character U+{ord(character):04X}", field=field)
    check_no_token(text, field)


def check_no_token(text: str, field: str) -> None:
    """Refuse a text that holds a token: everybody who may read it could use that."""
    if holds_token(text):
        raise Refused("invalid_value", "holds a token; texts are shown and kept in clear", field=field)


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def organization_handle(handle: str) -> str:
    """Return the handle of an organization, folded; refuses what does not fit into an address."""
    folded = fold(handle)
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", folded, re.ASCII):
        raise Refused(
            "invalid_value", "1 to 63 characters of a-z, 0-9 and dash, no dash at the ends", field="handle"
        )
    return folded


def email_address(email: str) -> str:
    """Return an e-mail address, folded; refuses what is none."""
    folded = fold(email)
    if len(folded) > 254 or not EMAIL.fullmatch(folded):
        raise Refused("invalid_value", "an e-mail address, such as ada@acme.example", field="email")
    return folded


def check_required(fields: AccountFields, policy: Policy) -> None:
    """Refuse an account that does not state what the policy asks for."""
    stated = {
        "name": bool(fields.name.strip()),
        "owner": bool(fields.owners),
        "purpose": bool(fields.purpose.strip()),
        "description": bool(fields.description.strip()),
        "systems": bool(fields.systems),
        "environment": bool(fields.environment.strip()),
    }
    missing = [name for name in policy.accounts_required if not stated.get(name, True)]
    if missing:
        name = "owners" if missing[0] == "owner" else missing[0]
        raise Refused("missing_field", f"the organization's policy requires {', '.join(missing)}", field=name)


def check_texts(fields: AccountFields) -> None:
    """Refuse overlong texts and lists, and texts that hold a token."""
    for name in ("description", "purpose"):
        if len(getattr(fields, name)) > TEXT_MAX:
            raise Refused("invalid_value", f"at most {TEXT_MAX} characters", field=name)
        check_no_token(getattr(fields, name), name)
    check_line(fields.environment, "environment")
    if len(fields.environment) > 64:
        raise Refused("invalid_value", "at most 64 characters", field="environment")
    if len(fields.documentation) > 2048:
        raise Refused("invalid_value", "at most 2048 characters", field="documentation")
    if fields.documentation and not re.match(r"https?://", fields.documentation):
        raise Refused("invalid_value", "an http or https address", field="documentation")
    check_line(fields.documentation, "documentation")
    if len(fields.systems) > SYSTEMS_MAX:
        raise Refused("invalid_value", f"at most {SYSTEMS_MAX}", field="systems")
    for place, system in enumerate(fields.systems):
        check_name(system, f"systems.{place}")
    if len(fields.owners) > OWNERS_MAX:
        raise Refused("invalid_value", f"at most {OWNERS_MAX}", field="owners")


def check_disable_confirmed(asked: str, handle: str, confirm: str | None, uses: int) -> None:
    """Refuse to disable an account where its handle must be typed (``accounts.disable_confirm``) and was not.

    A dialog is the client's to show; a call is as good as its answer. ``uses`` are those of the last day.
    """
    if asked == "typed" and confirm != handle:
        raise Refused(
            "confirmation_required",
            f"this organization wants the handle typed: send confirm: {handle!r}; "
            f"it was used {uses} times in the last 24 hours",
            field="body.confirm",
        )
