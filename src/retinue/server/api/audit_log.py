"""The log that proves the audit events: checkpoints, proofs, and a look at every row of it."""

from __future__ import annotations

import base64
from typing import Literal

from pydantic import Field

from retinue import proof
from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.operations import Call, operation
from retinue.server.ledger import feed, keeping, proving, queries, verifying

TAG = "audit-events"
READ = "audit_log:read"
#: How long a call waits for the look; it goes on afterwards.
LOOK_SECONDS = 20.0


class MerkleLog(schemas.Answer):
    """One log: its origin and key, how far it goes, what was signed, and what the last look at it found."""

    name: str = Field(description="The epoch, or `3.2` for the second log of an epoch.")
    origin: str
    key: str = Field(description="For verifiers: name, id and Ed25519 key (c2sp.org/signed-note).")
    size: int
    root: str | None = Field(description="Base64; `null` before the first entry.")
    checkpoint: str | None = Field(description="The signed note (c2sp.org/tlog-checkpoint).")
    signed_at: str | None
    link: str | None = Field(description="The record of the first entry, if the log goes on after another.")
    verified_size: int
    verified_at: str | None
    trouble: list[str] = Field(
        description="What is not as it was signed: by ids of own events; of those of others, how many."
    )


class AuditLog(schemas.Answer):
    """The logs, the first first; the last one is added to."""

    state: Literal["empty", "unverified", "whole", "broken"]
    behind: int = Field(description="Revisions that are not in the log yet.")
    logs: list[MerkleLog]


class Entries(schemas.Answer):
    """Entries of a log, side by side: 32 bytes each, in base64. There are more as long as it is not empty."""

    log: str
    first: int
    entries: str


class EntriesQuery(schemas.Filters):
    """Where to begin."""

    first: schemas.Whole = Field(0, description="A multiple of 256.")


class Consistency(schemas.Answer):
    """The proof that a log of size `new` begins with that of size `old` (RFC 9162)."""

    log: str
    old: int
    new: int
    hashes: list[str]


class ConsistencyQuery(schemas.Filters):
    """Two sizes of a log."""

    old: schemas.Whole
    new: schemas.Whole


class Look(schemas.Body):
    """Nothing is to be said."""


class EventProof(schemas.Answer):
    """The proof that an event is in the log, under its newest checkpoint."""

    event: str
    log: str
    index: int
    sequence: int = Field(description="Number of the event among those of its organization in this log.")
    size: int
    record: str = Field(description="Canonical JSON; its SHA-256 is the entry.")
    personal: str | None = Field(description="Canonical JSON; its SHA-256 stands in the record.")
    leaf: str
    hashes: list[str]
    checkpoint: str
    proof: str = Field(description="Index, hashes and checkpoint as one text (c2sp.org/tlog-proof).")


@operation("GET", "/audit-log", permission=READ, response=AuditLog, tag=TAG)
def get_audit_log(call: Call) -> schemas.JSON:
    """Get the checkpoints of the audit log, and whether it is whole."""
    return _state(call)


@operation("POST", "/audit-log/verify", permission=READ, response=AuditLog, tag=TAG, changes=False)
def verify_audit_log(call: Call, body: Look) -> schemas.JSON:
    """Look at every row of the audit log, and get what was found.

    It waits for at most 20 s; `verified_at` tells whether the look has ended.
    """
    keeper = keeping.keeper()
    if keeper is not None:
        keeper.look(LOOK_SECONDS)
    return _state(call)


@operation("GET", "/audit-log/{log}/entries", permission=READ, response=Entries, tag=TAG)
def list_audit_log_entries(call: Call, log: str, query: EntriesQuery) -> schemas.JSON:
    """List the entries of a log: hashes, from which nothing of an event can be read."""
    data = proving.entries(proving.get(log), query.first)
    return {"log": log, "first": query.first, "entries": base64.b64encode(data).decode()}


@operation("GET", "/audit-log/{log}/consistency", permission=READ, response=Consistency, tag=TAG)
def get_audit_log_consistency(call: Call, log: str, query: ConsistencyQuery) -> schemas.JSON:
    """Get the proof that a log was only added to between two sizes."""
    hashes = proving.consistency(proving.get(log), query.old, query.new)
    return {
        "log": log,
        "old": query.old,
        "new": query.new,
        "hashes": [base64.b64encode(each).decode() for each in hashes],
    }


@operation("GET", "/audit-events/{event_id}/proof", permission=READ, response=EventProof, tag=TAG)
def get_audit_event_proof(call: Call, event_id: str) -> schemas.JSON:
    """Get the proof that an event is in the log."""
    return proving.event_proof(queries.event(call.organization, event_id))


def _state(call: Call) -> schemas.JSON:
    logs = proving.logs()
    last = logs[-1] if logs else None
    if last is None or not last.size:
        state = "empty"
    elif any(each.trouble for each in logs):
        state = "broken"
    else:
        state = "unverified" if last.verified_at is None else "whole"
    behind = feed.position().revision - (0 if last is None else last.revision)
    return {"state": state, "behind": behind, "logs": [_log(call, each) for each in logs]}


def _log(call: Call, log: proving.Log) -> schemas.JSON:
    return {
        "name": log.name,
        "origin": log.origin,
        "key": proof.told_key(log.origin, bytes(log.public_key)),
        "size": log.size,
        "root": base64.b64encode(bytes(log.root)).decode() if log.size else None,
        "checkpoint": log.checkpoint or None,
        "signed_at": instant(log.signed_at),
        "link": log.link or None,
        "verified_size": log.verified_size,
        "verified_at": instant(log.verified_at),
        "trouble": verifying.told(log, call.organization) if log.trouble else [],
    }
