"""What the request log keeps of the decisions of a guard."""

from __future__ import annotations

from retinue.decision import Decision, Denied
from retinue.kept import Known
from retinue.token import kept
from retinue.usage import Entry, encoded, prepared, use
from retinue.verifier import Question


def entry_for(
    decided: Decision, question: Question, at_ns: int, nanoseconds: int, status: int | None
) -> Entry:
    """Return what the request log keeps of a decision about a genuine token."""
    caller = decided.caller
    assert caller is not None  # noqa: S101  (for the type checker)
    reason = decided.reason if isinstance(decided, Denied) else None
    return Entry(
        at_ns // 1_000_000,
        caller.organization,
        caller.id,
        caller.name,
        caller.kind,
        caller.credential_id,
        reason is None,
        reason,
        decided.permission or (question.need[0] if question.need else None),
        question.method,
        question.path and kept(question.path, question.token),
        question.address,
        question.client and kept(question.client, question.token),
        caller.revision,
        nanoseconds // 1000,
        None,
        question.route,
        status,
    )


def known_entry(known: Known, question: Question, at_ns: int, nanoseconds: int, status: int | None) -> bytes:
    """Return the entry of what was kept of a state, encoded. Raises ``UnicodeEncodeError`` for odd texts."""
    if not known.noted:
        known.noted = prepared(entry_for(known.decision, question, 0, 0, None))
    path, client, token = question.path, question.client, question.token
    told = use(
        question.method,
        path and kept(path, token),
        question.address,
        client and kept(client, token),
    )
    return encoded(at_ns // 1_000_000, nanoseconds // 1000, known.noted, told, question.route, status)
