"""What a mail says of an event: what happened, to which credential, what to do, how we know. Never a token.

What people have named stands in it as they named it, in one line and not for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from retinue.server.credentials.queries import Credential
from retinue.server.ledger.queries import Event
from retinue.server.policies.queries import policy_of
from retinue.server.policies.terminology import PACKS
from retinue.server.traffic.queries import Usage
from retinue.token import Kind, redact

NAME_MAX = 120
_KINDS = {
    Kind.API_KEY.value: ("api_key", "key"),
    Kind.PERSONAL.value: ("personal_access_token", "pat"),
    Kind.INGEST.value: ("ingest_token", "ingest"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a mail: what it says in a subject line, and in the text."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an event when it is put into words."""

    event: Event
    key: Credential
    usage: Usage | None
    #: Where the console is reached; empty where nobody has said so.
    console: str


def line(text: str) -> str:
    """Return a text that people wrote as part of one line."""
    plain = "".join(each if each.isprintable() else " " for each in redact(text))
    return plain if len(plain) <= NAME_MAX else plain[: NAME_MAX - 1] + "…"


def instant(at: datetime | None) -> str:
    """Return an instant for people."""
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def tell(facts: Facts) -> Told:
    """Put an event into words."""
    verb = facts.event.type.partition(".")[2]
    word, noun = _KINDS[facts.key.kind]
    called = PACKS[policy_of(facts.key.organization_id).terminology][word][0]
    name = line(facts.event.subject_name)
    what, does, knows = {
        "issued": _issued,
        "expiry_warned": _ends_soon,
        "expired": _ended,
        "leaked": _leaked,
    }[verb](facts, f"{noun} {{}} {facts.key.id}")
    lines = [
        f"What happened: {what}",
        f"Which one: {called} {name} ({facts.key.id})",
        f"Last used: {_use(facts.usage)}",
        f"What to do: {does}",
        f"How we know: {knows} Event {facts.event.id} of the audit log, {instant(facts.event.at)}.",
    ]
    if facts.console and facts.key.kind == Kind.API_KEY.value:
        lines.append(f"In the console: {facts.console}/accounts/{facts.key.principal_id}")
    return Told(f"{called} {name} {_TITLES[verb](facts)}", "\n".join(lines))


_TITLES: dict[str, Callable[[Facts], str]] = {
    "issued": lambda facts: "was issued",
    "expiry_warned": lambda facts: f"ends on {_end(facts)}",
    "expired": lambda facts: "has ended",
    "leaked": lambda facts: "has leaked and was revoked",
}


def _use(usage: Usage | None) -> str:
    if usage is None:
        return "never"
    where = f" from {usage.last_address}" if usage.last_address else ""
    return f"{instant(usage.last_used_at)}{where}"


def _end(facts: Facts) -> str:
    told = facts.event.after.get("expires_at")
    return instant(datetime.fromisoformat(told)) if told else "a day that was not kept"


def _issued(facts: Facts, command: str) -> tuple[str, str, str]:
    actor = line(facts.event.actor_name) or facts.event.actor_kind
    end = f"It ends on {_end(facts)}." if facts.event.after.get("expires_at") else "It has no end."
    what = f"A new credential was issued by {actor}. {end}"
    return (
        what,
        f"Nothing, if you expected it. Otherwise: retinue {command.format('revoke')}",
        "It was made here.",
    )


def _ends_soon(facts: Facts, command: str) -> tuple[str, str, str]:
    what = f"The credential ends on {_end(facts)}. Calls with it are refused from then on."
    do = f"Rotate it, and give the new token to its users: retinue {command.format('rotate')}"
    if facts.key.rotated_to:
        do = f"Its successor {facts.key.rotated_to} is not used yet: give that token to its users."
    return what, do, "The end was stated when it was issued or changed."


def _ended(facts: Facts, command: str) -> tuple[str, str, str]:
    what = f"The credential ended on {_end(facts)}. Calls with it are refused."
    do = f"If it is still needed, issue another one. If not: retinue {command.format('delete')}"
    return what, do, "The end was stated when it was issued or changed."


def _leaked(facts: Facts, command: str) -> tuple[str, str, str]:
    source = line(str(facts.event.after.get("source") or "")) or "somebody who does not say who"
    what = f"Its token was found where it does not belong, and reported by {source}. It was revoked for good."
    do = (
        "Issue another one for its users, look at what the old one was used for "
        f"(retinue log list --key {facts.key.id}), then: retinue {command.format('delete')}"
    )
    return what, do, "Whoever reported it held the token. Where it was found stands in the audit log."
