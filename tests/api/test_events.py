"""Every change is an event for each object that it changed, and every refused change is one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from retinue.server.api import routes  # noqa: F401  (fills the table)
from retinue.server.api.operations import OPERATIONS, Operation
from retinue.server.directory import actions as directory
from retinue.server.ledger import queries
from retinue.server.ledger.queries import AuditEvent, Event
from retinue.server.nodes.queries import node as node_of
from tests.api.world import Answer, Caller, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "audit-events.md"
CHANGES = [each for each in OPERATIONS if each.changes]


@dataclass
class Case:
    """A call that changes something, and what the log must say: type and name of each changed object."""

    path: str
    says: list[tuple[str, str]]
    body: dict[str, Any] | None = None
    caller: Caller | None = None


def _account(world: World, *, deleted: bool = False, disabled: bool = False) -> str:
    account = world.account(permissions=("report:read",), roles=("auditor",))
    if deleted:
        world.owner.delete(f"/v1/service-accounts/{account.id}")
    if disabled:
        world.owner.post(f"/v1/service-accounts/{account.id}/disable")
    return f"/v1/service-accounts/{account.id}"


def _key(world: World, *, revoked: bool = False) -> str:
    path = f"/v1/keys/{world.key(world.account())[0].id}"
    if revoked:
        world.owner.post(f"{path}/revoke")
    return path


def _with_key(world: World) -> str:
    account = world.account()
    world.key(account)
    return f"/v1/service-accounts/{account.id}"


def _grant(world: World) -> str:
    path = _account(world)
    return f"{path}/grants/{world.owner.get(f'{path}/grants').json['items'][0]['id']}"


def _token(world: World) -> tuple[str, Caller]:
    _, caller = world.user("Uma")
    return f"/v1/me/tokens/{caller.get('/v1/me/tokens').json['items'][0]['id']}/revoke", caller


def _created(name: str) -> list[tuple[str, str]]:
    return [
        ("account.created", name),
        ("role.assigned", f"{name}/auditor"),
        ("grant.created", f"{name}/report:read"),
    ]


#: Of what is new there is nothing before; of what is gone, nothing after.
_NEW = {"account.created", "user.created", "role.assigned", "grant.created", "key.issued", "node.enrolled",
        "node_credential.issued"}  # fmt: skip
_GONE = {"role.removed", "grant.deleted"}
_FULL = {"name": "etl", "purpose": "a test", "roles": ["auditor"], "permissions": ["report:read"],
         "justification": "a test"}  # fmt: skip


def _operator(world: World) -> Caller:
    return world.user("Olaf", operator=True)[1]


def _removable(world: World) -> Case:
    operator = _operator(world)
    node = operator.post("/v1/nodes", {"name": f"n-{world.organization.handle}"}).json["node"]
    says = [("node.removed", node["name"]), ("node_credential.revoked", node["name"])]
    return Case(f"/v1/nodes/{node['id']}", says, caller=operator)


def _revokable_token(world: World) -> Case:
    path, caller = _token(world)
    assert caller.principal is not None
    return Case(path, [("pat.revoked", f"{caller.principal.handle}/test")], {}, caller)


CASES: dict[str, Callable[[World], Case]] = {
    "create_service_account": lambda world: Case(
        "/v1/service-accounts", _created("etl"), _FULL | {"owners": [world.owner.id]}
    ),
    "update_service_account": lambda world: Case(
        _account(world),
        [("account.updated", "load"), ("role.assigned", "load/member"), ("role.removed", "load/auditor")],
        {"handle": "load", "roles": ["member"]},
    ),
    "delete_service_account": lambda world: Case(
        _with_key(world), [("account.deleted", "etl"), ("key.revoked", "etl/k1")]
    ),
    "enable_service_account": lambda world: Case(
        f"{_account(world, disabled=True)}/enable", [("account.enabled", "etl")], {"reason": "back"}
    ),
    "disable_service_account": lambda world: Case(
        f"{_account(world)}/disable", [("account.disabled", "etl")], {"reason": "away"}
    ),
    "restore_service_account": lambda world: Case(
        f"{_account(world, deleted=True)}/restore", [("account.restored", "etl")], {}
    ),
    "duplicate_service_account": lambda world: Case(
        f"{_account(world)}/duplicate", _created("copy"), {"name": "copy", "justification": "a test"}
    ),
    "create_grant": lambda world: Case(
        f"{_account(world)}/grants", [("grant.created", "etl/report:write")], {"permission": "report:write"}
    ),
    "delete_grant": lambda world: Case(_grant(world), [("grant.deleted", "etl/report:read")]),
    "issue_key": lambda world: Case(f"{_account(world)}/keys", [("key.issued", "etl/k1")], {"name": "k1"}),
    "rename_key": lambda world: Case(_key(world), [("key.renamed", "etl/k2")], {"name": "k2"}),
    "rotate_key": lambda world: Case(
        f"{_key(world)}/rotate", [("key.rotated", "etl/k1"), ("key.issued", "etl/k1")], {}
    ),
    "regenerate_key": lambda world: Case(f"{_key(world)}/regenerate", [("key.regenerated", "etl/k1")], {}),
    "revoke_key": lambda world: Case(f"{_key(world)}/revoke", [("key.revoked", "etl/k1")], {}),
    "delete_key": lambda world: Case(_key(world, revoked=True), [("key.deleted", "etl/k1")]),
    "create_user": lambda world: Case(
        "/v1/users",
        [("user.created", "uma@x.example"), ("role.assigned", "uma@x.example/member")],
        {"email": "uma@x.example", "name": "Uma", "roles": ["member"]},
    ),
    "revoke_my_token": _revokable_token,
    "enrol_node": lambda world: Case(
        "/v1/nodes",
        [("node.enrolled", name := f"n-{world.organization.handle}"), ("node_credential.issued", name)],
        {"name": name},
        _operator(world),
    ),
    "remove_node": _removable,
}  # fmt: skip


def events_of(answer: Answer) -> list[Event]:
    rows = AuditEvent.objects.filter(revision=int(answer.headers["retinue-revision"])).order_by("n")
    return [queries.view(row) for row in rows.select_related("personal")]


@pytest.mark.parametrize("each", CHANGES, ids=lambda each: each.name)
def test_every_change_is_an_event_for_each_changed_object(world: World, each: Operation) -> None:
    """
    One documented event for each object that an operation changed, and no other: what it is called, who
    changed it, with which credential, in which request, from where, and what was before and after.
    """
    case = CASES[each.name](world)
    caller = case.caller or world.owner
    answer = caller.call(each.method, case.path, case.body)

    assert each.status == answer.status, answer.text
    found = events_of(answer)
    assert sorted(case.says) == sorted((event.type, event.subject_name) for event in found)
    assert len(found) == len({event.subject for event in found})
    assert caller.principal is not None
    assert caller.token is not None
    who = (caller.id, caller.principal.kind, caller.principal.name, f"pat_{caller.token.kid}")
    for event in found:
        assert who == (event.actor, event.actor_kind, event.actor_name, event.credential)
        assert (answer.headers["retinue-request-id"], "127.0.0.1") == (event.request, event.address)
        assert (event.type in _NEW, event.type in _GONE) == (not event.before, not event.after), event
        assert f"| `{event.type}` |" in DOCUMENT.read_text()


def test_names_of_subjects_are_in_the_api(world: World) -> None:
    """
    The list of events says what was acted upon as it was called then, also when it is called otherwise now.
    """
    path = _key(world)
    world.owner.post(f"{path}/revoke")
    account = world.owner.get(path).json["account"]["id"]
    world.owner.patch(f"/v1/service-accounts/{account}", {"handle": "load"})
    [revoked] = world.owner.get("/v1/audit-events?type=key.revoked").json["items"]

    assert {"kind": "api_key", "id": path.rpartition("/")[2], "name": "etl/k1"} == revoked["subject"]


def test_a_node_that_publishes_its_key_is_the_actor(world: World) -> None:
    """
    What a node does itself is said of the node, in the request in which it did it.
    """
    ident, node = world.node()
    name = node_of(ident).name
    key = {"kid": ident, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    poll = {
        "node": name,
        "incarnation": "0" * 32,
        "applied": {"epoch": 0, "revision": 0},
        "identity_key": key,
    }
    answer = node.post("/v1/feed/poll", poll)

    event = queries.view(AuditEvent.objects.get(type="node.key_published", subject=ident))
    assert ("node", ident, name) == (event.actor_kind, event.actor, event.actor_name)
    assert (name, answer.headers["retinue-request-id"]) == (event.subject_name, event.request)


def _refused(world: World, caller: Caller) -> list[dict[str, Any]]:
    items = world.owner.get(f"/v1/audit-events?type=change.refused&actor={caller.id}").json["items"]
    return [{**event["after"], **event["subject"], "request": event["request_id"]} for event in items]


@pytest.mark.parametrize(
    "each", [each for each in CHANGES if isinstance(each.needs, tuple)], ids=lambda each: each.name
)
def test_a_change_refused_for_a_missing_right_is_one_event(world: World, each: Operation) -> None:
    """
    Whoever may not do it leaves one event that names the operation, the caller and the permission.
    """
    caller = world.caller()
    answer = _nowhere(caller, each)

    assert isinstance(each.needs, tuple)
    said = {"code": "permission_missing", "kind": "operation", "id": each.name, "name": each.name}
    said |= {"request": answer.headers["retinue-request-id"]}
    [event] = _refused(world, caller)
    assert 403 == answer.status
    assert event.pop("required")[0] in each.needs
    assert said == {name: value for name, value in event.items() if name != "object"}


@pytest.mark.parametrize("each", [each for each in CHANGES if each.parameters], ids=lambda each: each.name)
def test_a_change_of_what_does_not_exist_here_is_one_event(world: World, each: Operation) -> None:
    """
    Trying ids that do not exist in the own organization is seen, with the ids that were tried.
    """
    caller = world.user(operator=True)[1] if "node_id" in each.parameters else world.owner
    answer = _nowhere(caller, each)

    [event] = _refused(world, caller)
    assert (404, "not_found", each.name) == (answer.status, event["code"], event["id"])
    assert event["object"].startswith("x_0000000000000000")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, {"name": "etl", "purpose": "x"}),
        (403, {"name": "b", "purpose": "x", "roles": ["owner"], "justification": "x"}),
        (422, {"name": "b", "purpose": "x", "roles": ["administrator"]}),
        (422, {"name": "b", "purpose": "x", "roles": ["pilot"], "justification": "x"}),
    ],
)
def test_a_change_refused_by_a_rule_is_one_event(world: World, status: int, body: dict[str, Any]) -> None:
    """
    A state, a limit, a ban, a justification that is missing: each refusal is one event.
    """
    world.account("etl")
    answer = world.owner.post("/v1/service-accounts", body | {"owners": [world.owner.id]})

    [event] = _refused(world, world.owner)
    assert (status, answer.code, "create_service_account") == (answer.status, event["code"], event["id"])


def test_a_name_lost_in_a_race_is_refused_like_any_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whoever looked before the other had committed is refused by the database: 409 and one event, nothing made.
    """
    monkeypatch.setattr(directory, "_check_free", lambda *_: None)
    world.account("etl")
    body = {"name": "etl", "purpose": "x", "owners": [world.owner.id]}
    answer = world.owner.post("/v1/service-accounts", body)

    [event] = _refused(world, world.owner)
    assert (409, "duplicate_name", "duplicate_name") == (answer.status, answer.code, event["code"])
    assert 1 == len(world.owner.get("/v1/service-accounts?handle=etl").json["items"])


def test_what_is_only_badly_written_is_no_event(world: World) -> None:
    """
    A body that states no change that could be made says nothing of anybody, so the log stays free of it.
    """
    for body in ({}, {"name": 1}, {"name": "a", "rocket": True}, {"name": "\u0000"}):
        assert 400 == world.owner.post("/v1/service-accounts", body).status

    assert [] == _refused(world, world.owner)


def _nowhere(caller: Caller, each: Operation) -> Answer:
    """Call an operation with ids that exist nowhere, and a body that is right."""
    path = re.sub(r"{\w+}", "x_0000000000000000", f"/v1{each.path}")
    body = {
        "rename_key": {"name": "k"},
        "create_grant": {"permission": "report:read"},
        "duplicate_service_account": {"name": "c"},
    }
    return caller.call(each.method, path, body.get(each.name, {}) if each.body is not None else None)
