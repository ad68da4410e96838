"""What the request log keeps of the decisions of a guard."""

from __future__ import annotations

from retinue.decision import Allowed, Decision
from retinue.entries import entry_of, told_client
from retinue.guard.deciding import Refused
from retinue.kept import Known
from retinue.prepared_entries import encoded, packed, plain, prepared, use
from retinue.token import kept
from retinue.usage import Entry
from retinue.verifier import Question

#: A question that tells nothing of a request.
NOTHING = (None,) * 6


def entry_for(
    decided: Allowed | Refused, question: Question, at_ns: int, nanoseconds: int, status: int | None
) -> Entry:
    """Return what the request log keeps of a decision about a genuine token."""
    caller = decided.caller
    assert caller is not None  # noqa: S101  (for the type checker)
    # Asked this way round, as most decisions allow: another class than that of a struct is slow to find out.
    made: Decision = decided if isinstance(decided, Allowed) else decided.decision
    ident = None if isinstance(decided, Allowed) else decided.request_id
    at_ms = at_ns // 1_000_000
    return entry_of(made, caller, question, told_client(question), at_ms, nanoseconds, ident, status)


def known_entry(known: Known, question: Question, at_ns: int, nanoseconds: int, status: int | None) -> bytes:
    """Return the entry of what was kept of a state, encoded. Raises ``UnicodeEncodeError`` for odd texts."""
    use_of = (question.method, question.path, question.address, question.client, question.route, status)
    if use_of == NOTHING:
        if known.pack is None:
            # What is told first: another thread that finds how it is packed must find that too.
            pack, known.facts = plain(entry_for(known.decision, question, 0, 0, None))
            known.pack = pack
        return packed(known.pack, known.facts, at_ns // 1_000_000, nanoseconds // 1000)
    if not known.noted:
        known.noted = prepared(entry_for(known.decision, question, 0, 0, None))
    path = question.path and kept(question.path, question.token)
    told = use(question.method, path, question.address, told_client(question))
    return encoded(at_ns // 1_000_000, nanoseconds // 1000, known.noted, told, question.route, status)
