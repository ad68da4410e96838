"""The judge itself: a clean history passes, and each one that was doctored does not."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from retinue.replica.records import Kind, Meta
from tests.crash.coverage import MINIMA, shortfalls
from tests.crash.evidence import TABLES, Evidence, Row
from tests.crash.history import Call, Ending, History, Verification
from tests.crash.judge import judge, judged

AT = "2026-01-01T00:00:00.000Z"
ACCOUNT, KEY, GRANT = ("account", "sa_1"), ("key", "key_k1"), ("grant", "grt_1")
TOKEN = "rtnsa_k1_secret"
DIGEST = b"0123456789abcdef0123456789abcdef"
CALLS = {
    "create": ("POST", "/v1/service-accounts"),
    "issue": ("POST", "/v1/service-accounts/sa_1/keys"),
    "grant": ("POST", "/v1/service-accounts/sa_1/grants"),
    "revoke": ("POST", "/v1/keys/key_k1/revoke"),
}
Case = tuple[History, Evidence]


def event(ident: str, type_: str, subject: str, before: Row | None = None, after: Row | None = None) -> Row:
    """Return a row of the audit log."""
    revision, _, n = ident.partition(".")
    return {
        "id": ident, "revision": int(revision), "n": int(n), "at": AT, "type": type_, "subject": subject,
        "before": before or {}, "after": after or {},
    }  # fmt: skip


def request(path: str, *, allowed: bool, reason: str = "") -> Row:
    """Return a row of the request log."""
    return {
        "path": path, "node": "local", "allowed": allowed, "reason": reason, "credential": KEY[1],
        "account": ACCOUNT[1],
    }  # fmt: skip


def change(revision: int, kind: str, key: str) -> Row:
    """Return a row of the change log."""
    return {"revision": revision, "kind": kind, "key": key}


def tables() -> dict[str, list[Row]]:
    """Return the tables after five revisions: an organization, an account, a key, a grant; the key revoked."""
    found: dict[str, list[Row]] = {name: [] for name in TABLES}
    found["ledger_head"] = [{"revision": 5}]
    found["ledger_auditevent"] = [
        event("1.1", "organization.created", "org_1", after={"handle": "acme", "name": "acme"}),
        event("2.1", "account.created", "sa_1", after={"name": "a-1", "description": "", "owners": []}),
        event("3.1", "key.issued", "key_k1", after={"name": "k-1", "account": "sa_1"}),
        event("4.1", "grant.created", "grt_1", after={"subject": "sa_1", "permission": "report:read"}),
        event("5.1", "key.revoked", "key_k1", {"state": "active"}, {"state": "revoked"}),
    ]
    found["ledger_personalpart"] = [
        {"event_id": row["id"], "data": {"before": {}, "after": {}}} for row in found["ledger_auditevent"]
    ]
    found["ledger_personalpart"][3]["data"]["after"] = {"justification": "why-1"}
    found["ledger_change"] = [
        change(1, "organization", "org_1"), change(1, "organization_handle", "acme"),
        change(2, "principal", "sa_1"), change(3, "credential", "k1"), change(4, "principal", "sa_1"),
        change(5, "credential", "k1"),
    ]  # fmt: skip
    found["api_idempotencyrecord"] = [{"key": "i-1", "revision": 3}]
    found["directory_organization"] = [{"id": "org_1", "handle": "acme", "name": "acme"}]
    found["directory_principal"] = [{"id": "sa_1", "name": "a-1", "description": "", "state": "enabled"}]
    found["credentials_credential"] = [
        {"id": "key_k1", "name": "k-1", "state": "revoked", "principal_id": "sa_1", "digest": DIGEST}
    ]
    found["access_grant"] = [
        {"id": "grt_1", "subject": "sa_1", "permission": "report:read", "justification": "why-1"}
    ]
    found["traffic_request"] = [
        request("/q/1", allowed=True),
        request("/q/3", allowed=False, reason="credential_revoked"),
        request("/final/0", allowed=False, reason="credential_revoked"),
        *({"path": path, "method": method, "node": "control plane"} for method, path in CALLS.values()),
    ]
    return found


def clean() -> Case:
    """Return a history and the evidence that fits it."""
    key = {"name": "k-1", "state": "active", "account": "sa_1"}
    account = {"name": "a-1", "description": "", "state": "enabled"}
    grant = {"permission": "report:read", "account": "sa_1"}
    history = History()
    history.issued(TOKEN, KEY[1], ACCOUNT[1])
    history.calls = [
        Call("account.created", "sa_1", "a-1", "done", {ACCOUNT: account}, 2, CALLS["create"]),
        Call("key.issued", "key_k1", "k-1", "done", {KEY: key}, 3, CALLS["issue"], 2, True),
        Call("grant.created", "grt_1", "why-1", "done", {GRANT: grant}, 4, CALLS["grant"]),
        Call("key.revoked", "key_k1", "", "done", {KEY: {**key, "state": "revoked"}}, 5, CALLS["revoke"]),
        Call("account.created", "", "a-2", "unknown", {}, 0, CALLS["create"]),
    ]
    history.ended(0, 20.0, 20.1)
    told = (KEY[1], ACCOUNT[1])
    history.verifications = [
        Verification(0, "/q/1", 10.0, 10.1, True, None, *told),
        Verification(0, "/q/2", 15.0, 15.1, None),
        Verification(0, "/q/3", 21.0, 21.1, False, "credential_revoked", *told),
        Verification(-1, "/q/4", 22.0, 22.1, False, "token_unknown"),
    ]
    records = {(Kind.CREDENTIAL, "k1"): b"revoked", (Kind.PRINCIPAL, "sa_1"): b"a-1"}
    evidence = Evidence(
        tables=tables(),
        api={ACCOUNT: account, KEY: {**key, "state": "revoked"}, GRANT: grant},
        replica=dict(records),
        replica_meta=Meta(revision=5, complete=True),
        truth=records,
        final=[Verification(0, "/final/0", 30.0, 30.1, False, "credential_revoked", *told)],
        output=b"control: database checked\n",
    )
    return history, evidence


def test_a_clean_history_passes() -> None:
    """
    What fits together gives no finding.
    """
    assert [] == judge(*clean())


def lose_the_last_transaction(history: History, evidence: Evidence) -> None:
    """The database is one commit behind what was acknowledged, and whole in itself."""
    for name in ("ledger_auditevent", "ledger_personalpart", "ledger_change"):
        del evidence.tables[name][-1]
    evidence.tables["ledger_head"][0]["revision"] = 4
    evidence.tables["credentials_credential"][0]["state"] = "active"
    evidence.replica_meta = Meta(revision=4, complete=True)


def add_event(evidence: Evidence, made: Row) -> None:
    """Add an event with its personal part at the head."""
    evidence.tables["ledger_auditevent"].append(made)
    evidence.tables["ledger_personalpart"].append({"event_id": made["id"], "data": {}})
    evidence.tables["ledger_head"][0]["revision"] = made["revision"]
    evidence.replica_meta = Meta(revision=made["revision"], complete=True)


def repeat_the_issue(history: History, evidence: Evidence) -> None:
    """A repeated call made its change twice, each time properly."""
    after = {"name": "k-1", "account": "sa_1"}
    add_event(evidence, event("6.1", "key.issued", "key_k2", after=after))
    evidence.tables["ledger_change"].append(change(6, "credential", "k2"))
    row = {"id": "key_k2", "name": "k-1", "state": "active", "principal_id": "sa_1", "digest": DIGEST}
    evidence.tables["credentials_credential"].append(row)


def allow(history: History, began: float, number: int = 0) -> None:
    """The node allowed a token at an instant, and logged it."""
    history.verifications.append(
        Verification(number, "/q/1", began, began + 0.1, True, None, KEY[1], ACCOUNT[1])
    )


def come_back(history: History, _: Evidence) -> None:
    """The follower was away when the revoke returned; a worker refused the token, and later one allowed it."""
    history.disturbances.append((19.0, 25.0))
    allow(history, 21.2)


def rename_without_event(_: History, evidence: Evidence) -> None:
    evidence.tables["directory_organization"][0]["name"] = "umbrella"


def log_twice(_: History, evidence: Evidence) -> None:
    evidence.tables["traffic_request"].append(deepcopy(evidence.tables["traffic_request"][0]))


DOCTORED: dict[str, tuple[Callable[[History, Evidence], object], str]] = {
    "acknowledged change lost": (lose_the_last_transaction, "acknowledged"),
    "the API tells an old state": (lambda h, e: e.api.pop(GRANT), "the API has None"),
    "change without event": (rename_without_event, "name='acme' is said, 'umbrella' is there"),
    "row without event": (lambda h, e: e.tables["access_grant"].append({"id": "grt_2", "subject": "sa_1", "permission": "x:y"}), "a row without an event"),
    "event without row": (lambda h, e: e.tables["access_grant"].clear(), "an event without its row"),
    "event that does not follow": (lambda h, e: e.tables["ledger_auditevent"][4]["before"].update(state="suspended"), "'suspended' is said, 'active' is there"),
    "event without personal part": (lambda h, e: e.tables["ledger_personalpart"].pop(0), "no personal part"),
    "gap in the revisions": (lambda h, e: e.tables["ledger_head"][0].update(revision=6), "revisions without events"),
    "gap in a revision": (lambda h, e: e.tables["ledger_auditevent"][4].update(n=2, id="5.2"), "has the events [2]"),
    "two events about one object": (lambda h, e: add_event(e, event("5.2", "key.renamed", "key_k1", {"name": "k-1"}, {"name": "k-1"})), "2 events about one object"),
    "nodes are not told": (lambda h, e: e.tables["ledger_change"].pop(), "nodes are not told"),
    "nodes are told of nothing": (lambda h, e: e.tables["ledger_change"].append(change(5, "principal", "sa_9")), "changed without an event"),
    "answer remembered without change": (lambda h, e: e.tables["api_idempotencyrecord"][0].update(revision=9), "where nothing happened"),
    "change made twice": (repeat_the_issue, "1 made (and 0 unknown), 2 events"),
    "event at another revision": (lambda h, e: h.calls.__setitem__(0, replace(h.calls[0], revision=4)), "no event there is about it"),
    "change refused": (lambda h, e: h.calls.append(Call("key.issued", "", "k-9", "refused", {}, refusal="500 internal")), "was refused: 500 internal"),
    "allowed after the revoke": (lambda h, e: allow(h, 20.2), "allowed 100.0 ms after it had ended"),
    "revoked token comes back": (come_back, "allowed 100.0 ms after it had ended"),
    "stranger allowed": (lambda h, e: allow(h, 5.0, number=-1), "nobody issued was allowed"),
    "taken for somebody else": (lambda h, e: h.passes.__setitem__(0, replace(h.passes[0], account="sa_2")), "was taken for"),
    "in force at the end": (lambda h, e: e.final.__setitem__(0, replace(e.final[0], allowed=True)), "has ended, the node says True"),
    "request logged twice": (log_twice, "/q/1: logged 2 times"),
    "request not logged": (lambda h, e: e.tables["traffic_request"].pop(0), "/q/1: answered"),
    "request logged otherwise": (lambda h, e: e.tables["traffic_request"][0].update(allowed=False), "/q/1: answered"),
    "request that nobody made": (lambda h, e: e.tables["traffic_request"].append(request("/q/9", allowed=True)), "nobody asked"),
    "stranger logged": (lambda h, e: e.tables["traffic_request"].append(request("/q/4", allowed=False)), "a stranger's token is logged"),
    "own call logged too often": (lambda h, e: e.tables["traffic_request"].extend(e.tables["traffic_request"][-1:] * 2), "sent 1 times, answered 1, logged 3"),
    "own call not logged": (lambda h, e: e.tables["traffic_request"].pop(), "sent 1 times, answered 1, logged 0"),
    "record missing on the node": (lambda h, e: e.replica.popitem(), "the replica holds None"),
    "record left on the node": (lambda h, e: e.truth.popitem(), "the truth is None"),
    "node behind": (lambda h, e: setattr(e, "replica_meta", Meta(revision=4, complete=True)), "the replica stands at 4"),
    "token printed": (lambda h, e: setattr(e, "output", TOKEN.encode()), "a token of key_k1 was printed"),
    "secret printed": (lambda h, e: setattr(e, "output", b"x secret x"), "a token of key_k1 was printed"),
    "digest printed": (lambda h, e: setattr(e, "output", DIGEST.hex().encode()), "the digest of key_k1 was printed"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_history_does_not_pass(name: str) -> None:
    """
    Whatever must not be is found, and named.
    """
    history, evidence = clean()
    doctor, said = DOCTORED[name]
    doctor(history, evidence)

    findings = judge(history, evidence)
    assert any(said in finding for finding in findings), findings


def test_only_confirmed_endings_are_judged() -> None:
    """
    A revoke that took as long as the wait, and one while the follower was away, promise nothing here yet.
    """
    history = History(endings=[Ending(0, 1.0, 1.2), Ending(1, 2.0, 3.0), Ending(2, 5.0, 5.1)])
    history.disturbances = [(4.0, 5.05), (1.3, 1.9)]

    assert [0] == [each.number for each in judged(history)]


def test_an_empty_run_shows_nothing() -> None:
    """
    Without kills, changes and questions every minimum is missed.
    """
    assert set(MINIMA) == set(shortfalls(History()))
