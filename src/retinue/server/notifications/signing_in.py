"""What a mail says to a person of a change of what they sign in with. Never a password, a code or a token."""

from __future__ import annotations

from retinue.server.ledger.queries import Event
from retinue.server.notifications.words import Told, instant, line

#: What may open a way in, or close one: the person hears of it, whoever did it.
CHANGES = frozenset(
    {
        "password.changed",
        "factor.added",
        "factor.removed",
        "recovery_codes.issued",
        "identity.linked",
        "identity.unlinked",
        "user.sign_in_reset",
    }
)
_FACTORS = {"totp": "authenticator app", "passkey": "passkey"}


def tell(event: Event, email: str, console: str) -> Told:
    """Put a change of what the person with this address signs in with into words."""
    title, what = _happened(event)
    lines = [
        f"What happened: {what}",
        f"By whom: {_who(event)}",
        f"What to do: {_to_do(event, email)}",
        f"How we know: It was changed here. Event {event.id} of the audit log, {instant(event.at)}.",
    ]
    if console:
        lines.append(f"In the console: {console}/me/security/")
    return Told(title, "\n".join(lines))


def _happened(event: Event) -> tuple[str, str]:
    match event.type:
        case "password.changed":
            return "Your password was changed", "Another password was chosen. Your other sessions have ended."
        case "factor.added":
            factor = _factor(event.after)
            return f"You sign in with another {factor[0]}", f"The {factor[1]} was added to your sign-in."
        case "factor.removed":
            factor = _factor(event.before)
            left = "" if event.after.get("protected") else " Your password alone is asked for now."
            return f"Your {factor[0]} was removed", f"The {factor[1]} opens nothing any more.{left}"
        case "recovery_codes.issued":
            return (
                "You have new recovery codes",
                "Recovery codes were made. The ones before are worth nothing.",
            )
        case "identity.linked":
            return (
                "Single sign-on was connected",
                f"You can sign in through {_issuer(event.after)} from now on.",
            )
        case "identity.unlinked":
            return "Single sign-on was disconnected", f"{_issuer(event.before)} lets you in no more."
    ended = "Your authenticator app, passkeys and recovery codes were removed, and your sessions ended."
    rest = (
        " So were your password and the connection to single sign-on."
        if event.after.get("everything")
        else ""
    )
    return "What you sign in with was reset", ended + rest


def _factor(state: dict[str, object]) -> tuple[str, str]:
    """Return what a factor is, and the same with the name that its person gave it."""
    kind = _FACTORS.get(str(state.get("kind")), "second factor")
    label = line(str(state.get("label") or ""))
    return kind, f"{kind} {label}" if label else kind


def _issuer(state: dict[str, object]) -> str:
    return line(str(state.get("issuer") or "")) or "the identity provider"


def _who(event: Event) -> str:
    if event.actor_kind == "system":
        return "the operator of this installation, on its host"
    name = "you" if event.actor == event.subject else line(event.actor_name) or event.actor_kind
    return f"{name}, from {event.address}" if event.address else name


def _to_do(event: Event, email: str) -> str:
    if event.type == "user.sign_in_reset":
        return (
            "If you did not ask for it, ask whoever did it. Then sign in, and set up a second factor again."
        )
    return (
        "Nothing, if that was you. Otherwise sign in, choose another password and end the other sessions. "
        f"If you get in no more, tell an administrator: retinue user reset-sign-in {line(email)}"
    )
