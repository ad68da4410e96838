"""What stands in the Merkle log for an event: the hash of a record that holds no personal data. Pure.

The tree and its tiles hold that hash alone, so whoever may see them learns nothing of any event but that it
was; the record is told to those who may see the event. A random salt in it keeps it from being guessed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retinue.server.ledger.canonical import canonical

#: Of the form of records.
VERSION = 1
SALT_BYTES = 16
#: What a record says of its event, as the event has it.
FIELDS = (
    "id", "revision", "n", "mark", "organization", "type", "actor_kind", "actor", "credential", "request",
    "channel", "subject_kind", "subject", "before", "after",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """What an event's record takes that the event does not say."""

    sequence: int
    salt: bytes
    #: Hash of the personal part; empty if there was none.
    personal: bytes


def record(event: Any, place: Place) -> str:
    """Return the record of an event: its text is what is hashed."""
    said = {name: getattr(event, name) for name in FIELDS}
    said |= {"at": instant(event.at), "sequence": place.sequence, "version": VERSION}
    return canonical(said | {"salt": bytes(place.salt).hex(), "personal": bytes(place.personal).hex()})


def personal_text(salt: bytes, data: dict[str, Any]) -> str:
    """Return the personal part of an event, with its salt: its text is what is hashed."""
    return canonical({"salt": bytes(salt).hex(), "data": data})


def digest(text: str) -> bytes:
    """Return the entry for a record, and what a record says of a personal part."""
    return hashlib.sha256(text.encode()).digest()


def instant(at: datetime) -> str:
    """Return an instant as answers have it: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
