"""``POST /v1/verify``: every decision, every refusal of a body that is no question, and the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retinue.token import Kind, mint
from retinue.usage import Entry, SpoolTail
from tests.node.wire import Reply
from tests.node.world import OTHER, REVISION, Node
from tests.support.processes import wait_for

GENUINE_DENIALS = {
    "powerless": "permission_missing",
    "closed": "organization_disabled",
    "disabled": "account_disabled",
    "deleted": "account_deleted",
    "revoked": "credential_revoked",
    "suspended": "credential_suspended",
    "expired": "credential_expired",
    "ingest": "kind_not_accepted",
}


def _ask(node: Node, body: object) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return node.get("/v1/verify", "Content-Type: application/json", method="POST", body=data)


def _entries(node: Node) -> list[Entry]:
    found = []
    for folder in node.world.spool.iterdir():
        tail = SpoolTail(folder)
        found += tail.read(100_000)[1]
        tail.close()
    return found


def test_allowed(node: Node) -> None:
    """
    An allowed decision is 200 with account, organization, credential, permission and revision.
    """
    token = node.world.tokens["reader"]
    reply = _ask(node, {"token": token.reveal(), "need": ["report:read"]})
    wanted: dict[str, object] = {
        "allowed": True,
        "reason": None,
        "account": {"id": "sa_reader", "kind": "service_account", "name": "reader"},
        "organization": "org_acme000000000000",
        "credential_id": f"key_{token.kid}",
        "permission": "report:read",
        "revision": REVISION,
        "expires_at": None,
        "rotate_by": None,
        "warnings": [],
    }

    assert (200, "application/json", "no-store") == (
        reply.status,
        reply.fields["content-type"],
        reply.fields["cache-control"],
    )
    assert wanted == reply.json()


def test_without_need_the_permission_step_is_skipped(node: Node) -> None:
    """
    A genuine token without any permission is allowed if nothing is needed.
    """
    decision = _ask(node, {"token": node.world.token("powerless")}).json()

    assert (True, None) == (decision["allowed"], decision["permission"])


@pytest.mark.parametrize(("name", "reason"), GENUINE_DENIALS.items())
def test_denied_to_the_holder_of_a_genuine_token(node: Node, name: str, reason: str) -> None:
    """
    A denial is 200 too, with the one reason, and says whose token it is.
    """
    reply = _ask(node, {"token": node.world.token(name), "need": ["report:read"]})
    decision = reply.json()

    assert (200, False, reason) == (reply.status, decision["allowed"], decision["reason"])
    assert decision["account"] is not None
    assert decision["credential_id"].startswith("key_")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "token_missing"),
        ("x", "token_malformed"),
        ("a" * 600, "token_malformed"),
        (mint(Kind.API_KEY).reveal(), "token_unknown"),
        (mint(Kind.API_KEY).reveal()[:-1] + "é", "token_malformed"),
    ],
    ids=["empty", "short", "long", "unknown", "foreign"],
)
def test_denied_to_a_stranger(node: Node, token: str, reason: str) -> None:
    """
    Who presents no genuine token learns the reason and nothing else.
    """
    decision = _ask(node, {"token": token, "need": ["report:read"]}).json()
    known = ("account", "organization", "credential_id", "revision", "expires_at", "rotate_by")

    assert (False, reason) == (decision["allowed"], decision["reason"])
    assert [None] * 6 == [decision[name] for name in known]


def test_warnings_travel_with_the_decision(node: Node) -> None:
    """
    Expiry and rotation are told in every decision, as instants.
    """
    decision = _ask(node, {"token": node.world.token("warned"), "need": ["report:read"]}).json()

    assert decision["allowed"]
    assert ["expires_soon", "retiring", "rotation_due"] == decision["warnings"]
    assert decision["rotate_by"].endswith("Z")
    assert decision["expires_at"] > decision["rotate_by"]
    assert decision["retires_at"] == decision["expires_at"]


@pytest.mark.parametrize("organization", ["acme", "org_acme000000000000"])
def test_the_protected_organization(node: Node, organization: str) -> None:
    """
    With an organization named, by handle or id, the tokens of others are unknown.
    """
    question = {"organization": organization, "need": ["report:read"]}
    own = _ask(node, {**question, "token": node.world.token("reader")}).json()
    foreign = _ask(node, {**question, "token": node.world.token("elsewhere")}).json()
    unbound = _ask(node, {"token": node.world.token("elsewhere")}).json()

    assert (True, False, "token_unknown") == (own["allowed"], foreign["allowed"], foreign["reason"])
    assert OTHER == unbound["organization"]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 400, "bad_json", None),
        (b"{", 400, "bad_json", None),
        (b'{"token": NaN}', 400, "bad_json", None),
        (b'{"token": "a\nb"}', 400, "bad_json", None),
        (b'{"token": "\xff"}', 400, "bad_json", None),
        (b'{"token": "\\ud800"}', 400, "bad_json", None),
        (b'\xef\xbb\xbf{"token": "a"}', 400, "bad_json", None),
        (b'{"token": "a"} {}', 400, "bad_json", None),
        (b'{"token": "a", "token": "b"}', 400, "bad_json", "body.token"),
        (b'{"token": "a", "\\u0074oken": "b"}', 400, "bad_json", "body.token"),
        (b'{"token": "a", "need": [], "need": []}', 400, "bad_json", "body.need"),
        (b'{"token": ' + b"[" * 33 + b"]" * 33 + b"}", 400, "bad_json", None),
        (b"[" * 60_000, 400, "bad_json", None),
        (b"[]", 400, "invalid_value", "body"),
        (b"{}", 400, "missing_field", "body.token"),
        (b'{"token": "a", "tokn": "b"}', 400, "unknown_field", "body.tokn"),
        (b'{"token": 1}', 400, "invalid_value", "body.token"),
        (b'{"token": null}', 400, "invalid_value", "body.token"),
        (b'{"token": "a\\u0000"}', 400, "invalid_value", "body.token"),
        (b'{"token": "\\u00e9' + b"a" * 8200 + b'"}', 400, "invalid_value", "body.token"),
        (b'{"token": "a", "need": "report:read"}', 400, "invalid_value", "body.need"),
        (b'{"token": "a", "need": ["report:read", 1]}', 400, "invalid_value", "body.need.1"),
        (b'{"token": "a", "need": [' + b'"a:b",' * 1000 + b'"a:b"]}', 400, "invalid_value", "body.need"),
        (b'{"token": "a", "address": "nowhere"}', 400, "invalid_value", "body.address"),
        (b'{"token": "a", "method": "get it"}', 400, "invalid_value", "body.method"),
        (b'{"token": "a", "path": "relative"}', 400, "invalid_value", "body.path"),
        (b'{"token": "a", "path": "/a\\u0001"}', 400, "invalid_value", "body.path"),
        (b'{"token": "a", "route": "' + b"a" * 600 + b'"}', 400, "invalid_value", "body.route"),
        (b'{"token": "a", "client": "a\\u0001"}', 400, "invalid_value", "body.client"),
        (b'{"token": "a", "need": ["no:such"]}', 422, "permission_unknown", "body.need"),
        (b'{"token": "a", "need": ["*:read"]}', 422, "permission_unknown", "body.need"),
        (b'{"token": "a", "need": [""]}', 422, "permission_unknown", "body.need"),
        (b'{"token": "a", "need": ["' + b"a" * 600 + b'"]}', 422, "permission_unknown", "body.need"),
        (b'{"token": "a", "organization": "nobody"}', 422, "organization_unknown", "body.organization"),
        (b'{"token": "a", "organization": ""}', 422, "organization_unknown", "body.organization"),
        (b'{"token": "a", "organization": "a/b"}', 422, "organization_unknown", "body.organization"),
    ],
)
def test_what_is_no_question(node: Node, body: bytes, status: int, code: str, field: str | None) -> None:
    """
    A body that is no question gets a problem that names code and field; no decision is made.
    """
    reply = _ask(node, body)
    problem: dict[str, Any] = reply.json()

    assert (status, code, field) == (reply.status, problem["code"], problem.get("field"))
    assert "application/problem+json" == reply.fields["content-type"]
    assert "allowed" not in problem


def test_null_means_left_out(node: Node) -> None:
    """
    Optional fields may be null; texts are compared in NFC; everything about the request may be told.
    """
    names = ("need", "organization", "resource", "address", "method", "path")
    token = node.world.token("reader")

    assert _ask(node, {"token": token, **dict.fromkeys(names)}).json()["allowed"]
    assert _ask(
        node,
        {
            "token": token,
            "need": ["report:read"],
            "organization": "acme",
            "resource": "a\u0308",
            "address": "2001:db8::1",
            "method": "GET",
            "path": "/a",
        },
    ).json()["allowed"]


def test_attributes_of_the_resource_are_asked_about(node: Node) -> None:
    """
    A grant on what has an attribute reaches what the question says has it, and nothing else.
    """
    question = {"token": node.world.token("northern"), "need": ["report:read"], "resource": "rep_1"}
    north = _ask(node, {**question, "attributes": {"site": "north"}}).json()
    south = _ask(node, {**question, "attributes": {"site": "south"}}).json()

    assert (True, "resource_not_covered") == (north["allowed"], south["reason"])


def test_genuine_decisions_are_logged_and_strangers_are_not(node: Node) -> None:
    """
    The spool holds each decision about a genuine token, with account and without the query; no stranger's.
    """
    before = len(_entries(node))
    token = node.world.tokens["reader"]
    about = {"need": ["report:read"], "address": "192.0.2.1", "method": "PUT", "path": "/r/1?secret=1"}
    about |= {"route": "/r/{id}", "client": f"sample {token.reveal()}"}
    _ask(node, {"token": mint(Kind.API_KEY).reveal(), **about})
    _ask(node, {"token": "nonsense", **about})
    _ask(node, {"token": token.reveal(), **about})
    _ask(node, {"token": node.world.token("revoked"), **about})
    new = wait_for(
        "two entries", lambda: _entries(node)[before:] if len(_entries(node)) >= before + 2 else []
    )
    allowed, denied = new

    assert 2 == len(new)
    assert (True, None, "reader", "service_account", f"key_{token.kid}") == (
        allowed.allowed,
        allowed.reason,
        allowed.account_name,
        allowed.account_kind,
        allowed.credential_id,
    )
    assert ("report:read", "PUT", "/r/1", "192.0.2.1", REVISION) == (
        allowed.permission,
        allowed.method,
        allowed.path,
        allowed.address,
        allowed.revision,
    )
    assert ("/r/{id}", "sample …", None) == (allowed.route, allowed.client, allowed.status)
    assert (False, "credential_revoked") == (denied.allowed, denied.reason)
    assert denied.request_id is not None


def test_no_token_is_written_anywhere(node: Node) -> None:
    """
    Neither the spool nor the worker's own log holds a presented token.
    """
    token = node.world.token("reader")
    _ask(node, {"token": token, "need": ["report:read"], "path": "/a"})
    _ask(node, {"token": token, "token2": 1})
    written = node.log.read_bytes() + b"".join(
        path.read_bytes() for path in node.world.spool.rglob("*") if path.is_file()
    )

    assert token.encode() not in written
    assert token[20:60].encode() not in written
