"""``/v1/nodes`` and the door of the feed."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from django.utils import timezone

from retinue.decision import Decision
from retinue.replica.records import Kind
from retinue.server.credentials.models import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.models import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.traffic.actions import Entry, ingest
from retinue.token import parse
from retinue.verifier import Question, Verifier
from tests.api.world import Answer, Caller, World
from tests.support.processes import wait_for


def operator() -> Caller:
    """The calls of an operator of an organization of its own."""
    return World.create().user(operator=True)[1]


def test_operator_enrols_and_removes(world: World) -> None:
    """
    A node's token opens the feed until the node is removed; then it hears that it was removed.
    """
    caller = operator()
    name = f"n-{secrets.token_hex(4)}"
    made = caller.post("/v1/nodes", {"name": name})
    node = Caller(parse(made.json["token"]))
    poll = {"node": name, "incarnation": "0" * 32, "applied": {"epoch": 0, "revision": 0}, "wait": 0}
    polled = node.post("/v1/feed/poll", poll)
    removed = caller.delete(f"/v1/nodes/{made.json['node']['id']}")
    after = node.post("/v1/feed/poll", poll)

    assert (201, name, "enrolled") == (made.status, made.json["node"]["name"], made.json["node"]["state"])
    assert (200, True, False) == (polled.status, polled.json["snapshot"], polled.json["lease"]), polled.text
    assert (200, "removed") == (removed.status, removed.json["state"])
    assert (410, "node_removed") == (after.status, after.code)


def test_name_is_taken_once(world: World) -> None:
    """
    Two enrolled nodes never share a name.
    """
    caller, name = operator(), f"n-{secrets.token_hex(4)}"
    answers = [caller.post("/v1/nodes", {"name": name}) for _ in range(2)]

    assert (201, 409, "duplicate_name") == (answers[0].status, answers[1].status, answers[1].code)


def test_feed_refuses_other_names_and_bad_bodies(world: World) -> None:
    """
    A node speaks for itself only, and a body of the wrong type is refused by field.
    """
    _, node = world.node()
    foreign = node.post("/v1/feed/requests", {"node": "other", "spool": "s", "first": 0, "records": []})
    wrong = node.post("/v1/feed/requests", {"node": 1, "spool": "s", "first": 0, "records": []})
    missing = node.post("/v1/feed/requests", {"node": "x"})
    broken = node.call("POST", "/v1/feed/requests", raw=b"{")

    assert (403, "caller_forbidden", "body.node") == (foreign.status, foreign.code, foreign.field)
    assert (400, "invalid_value", "body.node") == (wrong.status, wrong.code, wrong.field)
    assert (400, "missing_field", "body.spool") == (missing.status, missing.code, missing.field)
    assert (400, "bad_json") == (broken.status, broken.code)


def test_api_keys_do_not_open_the_feed(world: World) -> None:
    """
    The feed is for nodes alone.
    """
    answer = world.owner.get("/v1/feed/snapshot")

    assert (403, "kind_not_accepted") == (answer.status, answer.code)


def _age(caller: Caller, days: int) -> None:
    """Let a node's credential have so many days left of ninety."""
    assert caller.token is not None
    now = timezone.now()
    with transaction(SYSTEM) as tx:
        Credential.objects.filter(kid=caller.token.kid).update(
            issued_at=now - timedelta(days=90 - days), expires_at=now + timedelta(days=days)
        )
        tx.record("node_credential.issued", f"nkey_{caller.token.kid}", name="aged", organization="")
        tx.touch(Kind.CREDENTIAL, caller.token.kid)


def _polled(caller: Caller) -> Answer:
    body = {"node": "", "incarnation": "0" * 32, "applied": {"epoch": 0, "revision": 0}, "wait": 0}
    return caller.post("/v1/feed/poll", body)


def _renewed(caller: Caller) -> Answer:
    return caller.call("POST", "/v1/nodes/self/credential")


def test_a_node_renews_its_credential(world: World) -> None:
    """
    When a third of the life is left a poll says so, and the node gets the next token. Until it has polled with
    that one the old one is accepted, so a lost answer is asked for again; then the old one is refused.
    """
    _, old = world.node()
    fresh = (_polled(old).json["renew"], _renewed(old).code)
    _age(old, 30)
    due = _polled(old).json["renew"]
    lost, kept = (Caller(parse(_renewed(old).json["token"])) for _ in range(2))
    between = (_polled(old).json["renew"], _polled(lost).code)
    used = _polled(kept).json["renew"]
    after = (_polled(old).code, _renewed(old).code, _renewed(kept).code, _polled(kept).status)

    assert (False, "state_conflict") == fresh
    assert (True, (True, "token_unknown"), False) == (due, between, used)
    assert ("credential_revoked", "credential_revoked", "state_conflict", 200) == after


def test_a_renewal_is_on_record(world: World) -> None:
    """
    The audit log has the new credential, its second secret, and the end of the old one, by the node itself.
    """
    ident, old = world.node()
    _age(old, 29)
    _renewed(old)
    new = Caller(parse(_renewed(old).json["token"]))
    _polled(new)
    assert old.token is not None
    assert new.token is not None
    events = AuditEvent.objects.filter(actor=ident).order_by("revision", "n").values_list("type", "subject")
    ends = Credential.objects.get(kid=new.token.kid).expires_at

    assert [
        ("node_credential.issued", f"nkey_{new.token.kid}"),
        ("node_credential.reissued", f"nkey_{new.token.kid}"),
        ("node_credential.revoked", f"nkey_{old.token.kid}"),
    ] == list(events)
    assert ends is not None
    assert timedelta(days=89) < ends - timezone.now() <= timedelta(days=90)


def test_a_removal_in_the_middle_of_a_renewal_ends_both(world: World) -> None:
    """
    A node that is removed between asking for its next credential and using it has none that is accepted.
    """
    ident, old = world.node()
    _age(old, 1)
    new = Caller(parse(_renewed(old).json["token"]))
    operator().delete(f"/v1/nodes/{ident}")
    ended = Credential.objects.filter(kid__in=[each.token.kid for each in (old, new) if each.token])

    assert ["node_removed"] * 4 == [ask(each).code for each in (old, new) for ask in (_polled, _renewed)]
    assert ["revoked", "revoked"] == [each.state for each in ended]


def test_only_nodes_renew(world: World) -> None:
    """
    No other kind of credential is renewed here.
    """
    assert (403, "kind_not_accepted") == (_renewed(world.owner).status, _renewed(world.owner).code)


def test_unknown_node_does_not_exist(server_database: str) -> None:
    """
    A node that was never enrolled is not found.
    """
    assert 404 == operator().delete("/v1/nodes/nod_0000000000000000").status
    assert 404 == operator().get("/v1/nodes/nod_0000000000000000").status


def test_lost_entries_of_the_log_are_shown(server_database: str) -> None:
    """
    What a node's spools lost on their way is told with the node; a node that lost nothing tells so.
    """
    caller, names = operator(), [f"n-{secrets.token_hex(4)}" for _ in range(2)]
    ids = [caller.post("/v1/nodes", {"name": name}).json["node"]["id"] for name in names]
    entry = Entry(0, "org_x", "sa_x", "x", "service_account", "key_x", True)
    for first in (7, 3):
        ingest(names[0], secrets.token_hex(8), first, [entry])

    assert [10, 0] == [caller.get(f"/v1/nodes/{ident}").json["requests_missing"] for ident in ids]
    listed = {
        each["name"]: each["requests_missing"] for each in caller.get("/v1/nodes?limit=200").json["items"]
    }
    assert (10, 0) == (listed[names[0]], listed[names[1]])


def test_permissions_of_the_installation_are_the_operators(world: World) -> None:
    """
    An owner who is no operator enrols no node; it may once an operator made it one.
    """
    refused = world.owner.post("/v1/nodes", {"name": "x"})
    with transaction(SYSTEM) as tx:
        Principal.objects.filter(id=world.owner.id).update(is_operator=True)
        tx.record("account.updated", world.owner.id, name="o", organization=world.organization.id)
    allowed = world.owner.post("/v1/nodes", {"name": f"n-{secrets.token_hex(4)}"})

    assert (403, ["node:enrol"], 201) == (refused.status, refused.json["required"], allowed.status)


def test_nodes_are_shown_to_operators_only(world: World) -> None:
    """
    Nodes belong to the installation: no role of an organization reads them, not even Owner.
    """
    node, _ = world.node()
    addresses = ("/v1/nodes", f"/v1/nodes/{node}")
    refused = [world.owner.get(each) for each in addresses]

    assert [(403, ["node:read"])] * 2 == [(each.status, each.json["required"]) for each in refused]
    assert [200, 200] == [operator().get(each).status for each in addresses]
    assert "node:read" not in world.owner.get("/v1/me").json["permissions"]


def test_what_is_remembered_of_a_node_ends_with_the_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A node's credential is decided once and remembered while nothing about it changes; a change of others does
    not matter, its own end does, at the next call.
    """
    _, node = world.node()
    decided: list[Question] = []
    verify = Verifier.verify

    def counted(self: Verifier, question: Question) -> Decision:
        decided.append(question)
        return verify(self, question)

    assert 200 == _polled(node).status
    monkeypatch.setattr(Verifier, "verify", counted)
    world.account("another")
    polled = [_polled(node).status for _ in range(3)]
    assert ([200] * 3, []) == (polled, decided)

    assert node.token is not None
    with transaction(SYSTEM, reason="test") as tx:
        key = Credential.objects.get(kid=node.token.kid)
        Credential.objects.filter(id=key.id).update(state="revoked", reason="compromised", revoked_at=tx.now)
        tx.record("node_credential.revoked", key.id, name="n", organization=key.organization_id)
        tx.touch(Kind.CREDENTIAL, key.kid)
    refused = _polled(node)
    assert (401, "credential_revoked", 1) == (refused.status, refused.code, len(decided))


@pytest.mark.parametrize(
    ("field", "code"), [("expires_at", "credential_expired"), ("retires_at", "credential_revoked")]
)
def test_what_is_remembered_of_a_node_ends_with_its_time(world: World, field: str, code: str) -> None:
    """
    The end of a credential comes without a change: it is looked at in every call.
    """
    _, node = world.node()
    assert node.token is not None
    now = timezone.now()
    with transaction(SYSTEM) as tx:
        soon = now + timedelta(seconds=1.5)
        Credential.objects.filter(kid=node.token.kid).update(
            issued_at=now - timedelta(days=1), **{field: soon}
        )
        tx.record("node_credential.issued", f"nkey_{node.token.kid}", name="aged", organization="")
        tx.touch(Kind.CREDENTIAL, node.token.kid)
    before = _polled(node).status
    wait_for("the end", lambda: timezone.now() > soon)

    assert (200, code) == (before, _polled(node).code)
