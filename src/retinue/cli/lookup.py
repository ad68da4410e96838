"""From the names that people use to the ids that the API uses.

An id is taken as it is, without a request. A name that fits nothing gets the closest one suggested; a name
that fits several things is refused with their ids.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Literal, TypeVar

from retinue.cli.exits import CommandError, Exit
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.models import Key, Page, PrincipalRef, ServiceAccount, User
from retinue.client.node_models import Node
from retinue.client.operations import Operation

_ID = re.compile(r"(sa|usr|nod|grt|rol|grp|tea|acp)_[0-9A-Za-z]{16}", re.ASCII)
_CREDENTIAL_ID = re.compile(r"(?:(key|pat)_)?([0-9A-Za-z]{12})", re.ASCII)
#: Which of several keys with one name is meant: the one to work with (not one that was rotated and retires),
#: all that are still accepted, or those that are not.
Prefer = Literal["current", "accepted", "ended"]
T = TypeVar("T")
_NOUNS = {"service account": "account", "personal access token": "pat", "ingest token": "ingest",
          "access policy": "access-policy"}  # fmt: skip


def is_id(text: str, prefix: str) -> bool:
    """Tell whether ``text`` is an id with this prefix."""
    match = _ID.fullmatch(text)
    return match is not None and match[1] == prefix


def account_id(session: Session, text: str) -> str:
    """Return the id of the account with this id, handle or name."""
    return text if is_id(text, "sa") else account(session, text).id


def account(session: Session, text: str) -> ServiceAccount:
    """Return the account with this id, handle or name; a deleted one only if no other has the name."""
    if is_id(text, "sa"):
        return session.look(ops.GET_ACCOUNT, {"id": text})
    gone = {"state": "deleted"}
    for query in ({"handle": text}, {"search": text}, {"handle": text, **gone}, {"search": text, **gone}):
        page: Page[ServiceAccount] = session.look(ops.LIST_ACCOUNTS, None, limit=200, **query)
        found = [item for item in page.items if text in (item.handle, item.name)]
        living = [item for item in found if item.state != "deleted"]
        if living or found:
            return _only(living or found, "service account", text)
    known = session.look(ops.LIST_ACCOUNTS, None, limit=200).items
    raise missing("service account", text, [item.handle for item in known])


def key(session: Session, text: str, prefer: Prefer = "current") -> Key:
    """Return the key that is written ``ACCOUNT/NAME`` or as its id or key id.

    ``prefer`` says which of several keys with one name is meant; the others are taken if there is none such.
    """
    owner, slash, name = text.partition("/")
    if not slash:
        return session.look(ops.GET_KEY, {"id": _credential_id(text, "key")})
    if not owner or not name:
        raise CommandError(f"{text}: not a key", "write it as ACCOUNT/NAME or as its id", Exit.USAGE)
    keys = session.look_all(ops.LIST_ACCOUNT_KEYS, {"id": account_id(session, owner)})
    named = [item for item in keys if item.name == name]
    if not named:
        raise missing("key", text, [f"{owner}/{item.name}" for item in keys])
    live = [item for item in named if is_live(item)]
    if prefer == "ended":
        return _only([item for item in named if not is_live(item)] or named, "key", text)
    current = [item for item in live if not item.rotated_to] if prefer == "current" else []
    return _only(current or live or named, "key", text)


def credential_id(session: Session, text: str) -> str:
    """Return the id of a key, without a request where the id itself or the key id is given."""
    return key(session, text).id if "/" in text else _credential_id(text, "key")


def is_live(item: Key) -> bool:
    """Tell whether a key is, or can become again, usable."""
    return item.state in ("active", "suspended") and item.status not in ("expired", "revoked", "deleted")


def user(session: Session, text: str) -> User:
    """Return the person with this id, e-mail address or handle."""
    if is_id(text, "usr"):
        return session.look(ops.GET_USER, {"id": text})
    query = {"email": text} if "@" in text else {"search": text}
    people = session.look_all(ops.LIST_USERS, None, **query)
    found = [item for item in people if text.lower() in ((item.email or "").lower(), item.handle.lower())]
    if found:
        return _only(found, "user", text)
    known = session.look(ops.LIST_USERS, None, limit=200).items
    raise missing("user", text, [item.email for item in known] + [item.handle for item in known])


def actor_id(session: Session, text: str) -> str:
    """Return the id of a principal: a person (with an @), else a service account."""
    if _ID.fullmatch(text):
        return text
    return user(session, text).id if "@" in text else account(session, text).id


def node(session: Session, text: str) -> Node:
    """Return the node with this id or name."""
    if is_id(text, "nod"):
        return session.look(ops.GET_NODE, {"id": text})
    known = session.look_all(ops.LIST_NODES)
    found = [item for item in known if item.name == text]
    enrolled = [item for item in found if item.state != "removed"]
    if found:
        return _only(enrolled or found, "node", text)
    raise missing("node", text, [item.name for item in known])


def named(
    session: Session,
    listed: Operation[Page[T]],
    got: Operation[T],
    noun: str,
    text: str,
    *,
    prefix: str,
    by: str = "name",
) -> T:
    """Return the one thing of a list with this id, or with this text in its field ``by``."""
    if is_id(text, prefix):
        return session.look(got, {"id": text})
    found = [
        item
        for item in session.look_all(listed, None, **{by: text})
        if str(getattr(item, by)).casefold() == text.casefold()
    ]
    if found:
        return _only(found, noun, text)
    known = session.look(listed, None, limit=200).items
    raise missing(noun, text, [str(getattr(item, by)) for item in known])


def token(session: Session, listed: Operation[Page[Key]], noun: str, text: str) -> Key:
    """Return the token with this id, key id or name, from a list; a living one, if several have the name."""
    known = session.look_all(listed)
    found = [item for item in known if text in (item.id, item.key_id)]
    named = [item for item in known if item.name == text]
    living = [item for item in named if item.state == "active" and not item.rotated_to]
    if found or named:
        return _only(found or living or named, noun, text)
    raise missing(noun, text, [item.name for item in known])


def token_id(text: str, kind: str) -> str:
    """Return the id of a token from its id or key id. Refuses a name: those of others are not unique."""
    match = _CREDENTIAL_ID.fullmatch(text)
    if match is None or match[1] not in (None, kind):
        raise CommandError(f"{text}: not an id", "see: retinue pat list --user '*'", Exit.USAGE)
    return f"{kind}_{match[2]}"


def label(principal: PrincipalRef | None) -> str:
    """Return how a principal is called where people read it."""
    return "" if principal is None else principal.handle or principal.name or principal.id


def key_label(item: Key) -> str:
    """Return a key as people write it: ``ACCOUNT/NAME``, or its id where it has no name."""
    if item.account is None:
        return item.name or item.id
    return f"{label(item.account)}/{item.name}" if item.name else item.id


def _credential_id(text: str, kind: str) -> str:
    match = _CREDENTIAL_ID.fullmatch(text)
    if match is None or match[1] not in (None, kind):
        raise CommandError(
            f"{text}: not a key", "write it as ACCOUNT/NAME, or as its id (see: retinue key list)", Exit.USAGE
        )
    return f"{kind}_{match[2]}"


def _only(found: list[T], noun: str, text: str) -> T:
    if len(found) > 1:
        ids = ", ".join(str(getattr(item, "id", "")) for item in found)
        raise CommandError(
            f"{text}: {len(found)} {noun}s have this name", f"use the id: {ids}", Exit.CONFLICT
        )
    return found[0]


def missing(noun: str, text: str, known: Iterable[str | None]) -> CommandError:
    """Return the error for a name that fits nothing; the closest ones are suggested."""
    close = difflib.get_close_matches(text, sorted({name for name in known if name}), n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else f"see: retinue {_NOUNS.get(noun, noun)} list"
    return CommandError(f"no {noun} {text}", hint, Exit.NOT_FOUND)
