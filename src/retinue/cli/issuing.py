"""What follows when a key has a new token: hand it over, say what it is, show what was asked for."""

from __future__ import annotations

from typing import Any

import msgspec

from retinue.cli import output
from retinue.cli.handover import Handover
from retinue.cli.lookup import key_label
from retinue.cli.session import Session
from retinue.cli.shapes import KEY
from retinue.client.models import IssuedKey
from retinue.token import Token

_BECAUSE = {
    "default": "the organization's default",
    "requested": "as asked",
    "maximum": "the longest that is allowed",
    "environment": "the longest in this environment",
    "personal_maximum": "the longest for personal access tokens",
    "unchanged": "as before",
}


def hand_key_over(
    session: Session,
    issued: IssuedKey,
    handover: Handover,
    more: dict[str, Any] | None = None,
    done: str = "issued",
    held: Token | None = None,
    noun: str = "key",
) -> None:
    """Give the token of ``issued`` to its holder and tell the rest; ``more`` are objects made with it.

    The token is alone on standard output, or inside the one object of ``-o json``, or in the file; with a
    file, standard output has the object without the token. ``held`` is a token that was made here; there is
    none to hand over if the server got a digest from elsewhere.
    """
    key = issued.key
    facts = {name: msgspec.to_builtins(item) for name, item in (more or {}).items()}
    facts |= {"key": msgspec.to_builtins(key), "expiry": msgspec.to_builtins(issued.expiry)}
    asked = session.options.output
    token = None if session.is_try else _token(issued, held)
    if token is None:
        _data(session, issued, facts)
    elif handover.to_file:
        handover.give(token, facts)
        _data(session, issued, facts)
    elif asked in ("json", "jsonl", "yaml"):
        output.show_object({**facts, "token": token}, session.options)
    else:
        handover.give(token, facts)
    end = f"expires {issued.expiry.at}" if issued.expiry.at else "never expires"
    because = _BECAUSE.get(issued.expiry.because, issued.expiry.because)
    if issued.warning:
        session.say(f"note: {issued.warning}")
    session.say(f"{done} {noun} {key_label(key)} ({key.id}), {end}" + (f" ({because})" if because else ""))
    if handover.to_file and token is not None:
        session.say(f"token written to {handover.path} (mode 0600); it is not shown again")
        session.next(f"retinue verify --file {handover.path}")
    else:
        session.next(f"retinue key get {key.id}" if noun == "key" else "retinue credential list")


def in_a_line(issued: IssuedKey) -> dict[str, Any]:
    """Return one of many new keys with its token, as its line of a file says it."""
    key = issued.key
    return {
        "key": key_label(key),
        "id": key.id,
        "rotated_from": key.rotated_from,
        "expiry": msgspec.to_builtins(issued.expiry),
        "token": _token(issued, None),
    }


def _token(issued: IssuedKey, held: Token | None) -> str | None:
    if held is not None:
        return held.reveal()
    return None if issued.token is None else issued.token.reveal()


def _data(session: Session, issued: IssuedKey, facts: dict[str, Any]) -> None:
    asked = session.options.output
    if asked in ("json", "jsonl", "yaml"):
        output.show_object(facts, session.options)
    elif asked is not None:
        output.show_one(issued.key, KEY, session.options)
