"""What must hold after a run, whatever was killed when. Pure functions: a history, the evidence, findings.

A finding is a sentence about one thing that must not be. No finding is the only verdict that passes.
"""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.crash.evidence import Evidence, Records, Row, rows_of
from tests.crash.history import Ending, History, Pass, Ref, State
from tests.crash.replay import differences, noun_of, replay, touched, whole_events

#: A change waits so long for connected followers; one that took that long may have given up.
WAIT_SECONDS = 0.95
NODE, CONTROL_PLANE = "local", "control plane"
#: Why the node refuses a genuine token that has ended. A token whose secret was replaced is a stranger's.
_ENDED = frozenset({"credential_revoked", "account_deleted", "account_disabled", "token_unknown"})


def judge(history: History, evidence: Evidence) -> list[str]:
    """Return all findings."""
    return [
        *acknowledged_changes_are_there(history, evidence),
        *changes_happened_once(history, evidence),
        *ledger_is_one_order(evidence),
        *events_and_rows_agree(evidence),
        *ended_tokens_are_refused(history),
        *tokens_are_at_the_end_what_they_must_be(history, evidence),
        *request_log_is_exact(history, evidence),
        *own_calls_are_logged(history, evidence),
        *replica_equals_truth(evidence),
        *nothing_secret_was_printed(history, evidence),
    ]


def acknowledged_changes_are_there(history: History, evidence: Evidence) -> Iterator[str]:
    """Each object is as its last acknowledged change left it, in the database and behind the API.

    Where changes came after it whose fate nobody knows, it may be as any of those would have left it.
    """
    possible: dict[Ref, list[State]] = {}
    for call in history.calls:
        if call.outcome == "refused":
            yield f"{call.event} of {call.subject or call.mark!r} was refused: {call.refusal}"
            continue
        for ref, state in call.states.items():
            possible[ref] = [state] if call.outcome == "done" else [*possible.get(ref, []), state]
    rows = rows_of(evidence.tables)
    for ref, states in possible.items():
        for where, there in (("the database", rows), ("the API", evidence.api)):
            if there.get(ref) not in states:
                yield f"{ref}: acknowledged as {states}, {where} has {there.get(ref)}"


def changes_happened_once(history: History, evidence: Evidence) -> Iterator[str]:
    """Each acknowledged change has exactly one event, however often it was sent; an unknown one at most one."""
    events = whole_events(evidence.tables)
    found: Counter[tuple[str, str]] = Counter()
    at_revision: dict[int, set[str]] = defaultdict(set)
    for event in events:
        at_revision[event["revision"]].add(event["subject"])
        if event["after"].get("reason_code") != "account_deleted":
            # What ends with its account is said of it too, and makes final what was revoked before.
            found[event["type"], event["subject"]] += 1
        found.update({(event["type"], text) for text in event["after"].values() if isinstance(text, str)})
    made, unknown = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for call in history.calls:
        (made if call.outcome == "done" else unknown)[call.event, call.mark or call.subject] += 1
        # Who repeats a revoke is told that it is revoked, without a revision: nothing was changed then.
        told = call.outcome == "done" and bool(call.subject) and (call.revision or call.attempts == 1)
        if told and call.subject not in at_revision[call.revision]:
            yield f"{call.event} of {call.subject}: acknowledged at {call.revision}, no event there is about it"
    for sign in made | unknown:
        if not made[sign] <= found[sign] <= made[sign] + unknown[sign]:
            yield f"{sign}: {made[sign]} made (and {unknown[sign]} unknown), {found[sign]} events"


def ledger_is_one_order(evidence: Evidence) -> Iterator[str]:
    """Revisions run from 1 to the head without a gap, events within each too; one event an object and revision."""
    places: dict[int, list[int]] = defaultdict(list)
    subjects: Counter[tuple[int, str]] = Counter()
    for row in evidence.tables["ledger_auditevent"]:
        places[row["revision"]].append(row["n"])
        subjects[row["revision"], row["subject"]] += 1
        if row["id"] != f"{row['revision']}.{row['n']}":
            yield f"event {row['id']} stands at {row['revision']}.{row['n']}"
    if sorted(places) != list(range(1, evidence.head + 1)):
        missing = sorted(set(range(1, evidence.head + 1)) ^ set(places))
        yield f"the head is {evidence.head}, revisions without events or beyond it: {missing}"
    for revision, found in places.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield f"revision {revision} has the events {sorted(found)}"
    yield from (f"{sign}: {count} events about one object" for sign, count in subjects.items() if count > 1)


def events_and_rows_agree(evidence: Evidence) -> Iterator[str]:
    """No change without its event, no event without its change: rows, and what nodes are told to fetch."""
    tables = evidence.tables
    events = whole_events(tables)
    rows, findings = replay(events)
    yield from findings
    yield from differences(rows, tables)
    apart = {row["event_id"] for row in tables["ledger_personalpart"]}
    yield from (f"event {each['id']} has no personal part" for each in events if each["id"] not in apart)
    told: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in tables["ledger_change"]:
        told[row["revision"]].add((row["kind"], row["key"]))
    must, nouns = defaultdict[int, set[tuple[str, str]]](set), defaultdict[int, set[str]](set)
    for event in events:
        must[event["revision"]] |= touched(event)
        nouns[event["revision"]].add(noun_of(event))
    for revision in sorted(told.keys() | must.keys()):
        if lost := must[revision] - told[revision]:
            yield f"revision {revision}: its events changed {sorted(lost)}, nodes are not told"
        # A permission that comes or goes changes sets, a key that is published ends others.
        extra = told[revision] - must[revision]
        if extra and not nouns[revision] & {"permission", "identity_key", "node"}:
            yield f"revision {revision}: {sorted(extra)} changed without an event"
    for row in tables["api_idempotencyrecord"]:
        if row["revision"] not in must:
            yield f"the answer to {row['key']} is remembered at {row['revision']}, where nothing happened"


def judged(history: History) -> list[Ending]:
    """Return the endings that the node had confirmed when they were acknowledged.

    Those are the ones that came back within the wait, while the follower was not killed or away.
    """
    return [
        ending
        for ending in history.endings
        if ending.returned - ending.began < WAIT_SECONDS
        and not any(began <= ending.returned and ending.began <= end for began, end in history.disturbances)
    ]


def ended_tokens_are_refused(history: History) -> Iterator[str]:
    """No token that has ended is accepted again: after the acknowledgement, or once it was refused as ended.

    What nobody issued is never accepted.
    """
    ended = {each.number: each.returned for each in judged(history)}
    for asked in history.verifications:
        if asked.allowed is False and asked.reason in ("credential_revoked", "account_deleted"):
            ended[asked.number] = min(asked.ended, ended.get(asked.number, asked.ended))
    for asked in history.verifications:
        if asked.allowed is None and asked.reason is not None:
            yield f"{asked.path}: the node answered {asked.reason}"
        if not asked.allowed:
            continue
        if asked.number < 0:
            yield f"{asked.path}: a token that nobody issued was allowed"
            continue
        known = history.passes[asked.number]
        if (asked.credential, asked.account) != (known.credential, known.account):
            yield f"{asked.path}: {known.credential} was taken for {asked.credential} of {asked.account}"
        if asked.number in ended and asked.began > ended[asked.number]:
            late = (asked.began - ended[asked.number]) * 1e3
            yield f"{asked.path}: {known.credential} was allowed {late:.1f} ms after it had ended"


def tokens_are_at_the_end_what_they_must_be(history: History, evidence: Evidence) -> Iterator[str]:
    """When everything runs again, each ended token is refused and each other one decided by its account."""
    rows = rows_of(evidence.tables)
    for asked in evidence.final:
        known = history.passes[asked.number]
        if history.is_ended(known.number):
            if asked.allowed is not False or asked.reason not in _ENDED:
                yield f"{known.credential} has ended, the node says {asked.allowed} {asked.reason}"
        elif known.number not in history.unsure:
            is_enabled = (rows.get(("account", known.account)) or {}).get("state") == "enabled"
            if (asked.allowed, asked.reason) != ((True, None) if is_enabled else (False, "account_disabled")):
                yield f"{known.credential} is in force, the node says {asked.allowed} {asked.reason}"


def request_log_is_exact(history: History, evidence: Evidence) -> Iterator[str]:
    """Each answered decision about a genuine token is logged once, as answered; an unanswered one at most once."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.tables["traffic_request"]:
        if row["node"] == NODE:
            rows[row["path"]].append(row)
    asked = {each.path: each for each in (*history.verifications, *evidence.final)}
    for path, found in rows.items():
        if path not in asked:
            yield f"{path}: logged, and nobody asked"
        if len(found) > 1:
            yield f"{path}: logged {len(found)} times"
    for path, each in asked.items():
        found = rows.get(path, [])
        if each.allowed is None:
            continue
        told = (each.allowed, each.reason or "", each.credential, each.account)
        if each.credential is None:
            if found:
                yield f"{path}: a stranger's token is logged"
        elif not found:
            yield f"{path}: answered {told}, and not logged"
        elif told != (logged := _logged(found[0])):
            yield f"{path}: answered {told}, logged {logged}"


def _logged(row: Row) -> tuple[bool, str, str, str]:
    return row["allowed"], row["reason"], row["credential"], row["account"]


def own_calls_are_logged(history: History, evidence: Evidence) -> Iterator[str]:
    """The control plane logs each call of its own API that it answered, and none more often than it was sent."""
    rows = Counter(
        (row["method"], row["path"])
        for row in evidence.tables["traffic_request"]
        if row["node"] == CONTROL_PLANE
    )
    answered, sent = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for call in history.calls:
        sent[call.request] += call.attempts
        answered[call.request] += call.outcome != "unknown"
    for request in sent:
        if not answered[request] <= rows[request] <= sent[request]:
            yield f"{request}: sent {sent[request]} times, answered {answered[request]}, logged {rows[request]}"


def replica_equals_truth(evidence: Evidence) -> Iterator[str]:
    """The replica holds exactly what a fresh snapshot holds, byte for byte, and stands at the head."""
    meta = evidence.replica_meta
    if not meta.complete or meta.revision != evidence.head:
        yield f"the replica stands at {meta.revision} (complete: {meta.complete}), the head is {evidence.head}"
    yield from unequal(evidence.replica, evidence.truth)


def unequal(replica: Records, truth: Records) -> Iterator[str]:
    """Yield the records in which a replica differs from the truth."""
    for place in sorted(replica.keys() | truth.keys()):
        if replica.get(place) != truth.get(place):
            yield f"record {place}: the replica holds {replica.get(place)!r}, the truth is {truth.get(place)!r}"


def nothing_secret_was_printed(history: History, evidence: Evidence) -> Iterator[str]:
    """No token, secret or digest stands in any output."""
    for each in history.passes:
        if any(secret in evidence.output for secret in _secrets(each)):
            yield f"a token of {each.credential} was printed"
    for row in evidence.tables["credentials_credential"]:
        digest = bytes(row["digest"])
        forms = (digest, digest.hex().encode(), base64.b64encode(digest), repr(digest).encode())
        if any(form in evidence.output for form in forms):
            yield f"the digest of {row['id']} was printed"


def _secrets(known: Pass) -> tuple[bytes, bytes]:
    token = known.token.encode()
    return token, token.rpartition(b"_")[2]
