"""Every change is an event for each object that it changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from retinue.server.api import routes  # noqa: F401  (fills the table)
from retinue.server.api.operations import OPERATIONS, Operation
from retinue.server.console.telling import FIELDS
from retinue.server.ledger import queries
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.queries import AuditEvent, Event
from retinue.server.nodes.queries import node as node_of
from tests.api import (
    access_cases,
    bulk_events,
    credential_cases,
    epoch_cases,
    organization_cases,
    view_cases,
    webhook_cases,
)
from tests.api.import_cases import imported
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


def _created(name: str) -> list[tuple[str, str]]:
    return [
        ("account.created", name),
        ("role.assigned", f"{name}/auditor"),
        ("grant.created", f"{name}/report:read"),
    ]


#: Of what is new there is nothing before; of what is gone, nothing after.
_NEW = {"account.created", "user.created", "role.assigned", "grant.created", "key.issued", "node.enrolled", "import_scheme.created",
        "node_credential.issued", "pat.issued", "ingest_token.issued", "organization.created", "role.created", "group.created", "invitation.issued", "finding.accepted", "review.opened", "review.decided", "review.exported"}  # fmt: skip
_NEW |= {"permission.declared", "team.created", "member.added", "access_policy.created"}
_GONE = {"role.removed", "grant.deleted", "role.deleted", "group.deleted", "team.deleted", "member.removed",
         "access_policy.deleted"}  # fmt: skip
_FULL = {"name": "etl", "purpose": "a test", "roles": ["auditor"], "permissions": ["report:read"],
         "justification": "a test"}  # fmt: skip


def _removable(world: World) -> Case:
    operator = world.operator()
    node = operator.post("/v1/nodes", {"name": f"n-{world.organization.handle}"}).json["node"]
    says = [("node.removed", node["name"]), ("node_credential.revoked", node["name"])]
    return Case(f"/v1/nodes/{node['id']}", says, caller=operator)


def finding(world: World, act: str) -> Case:
    """An account without documentation is found."""
    account = world.account()
    path = f"/v1/findings/fnd_undocumented-{account.id}"
    body = {"reason": "soon", "until": (timezone.now() + timedelta(days=9)).isoformat()}
    if act == "reopen":
        world.owner.post(f"{path}/accept", body)
    says = {"accept": "finding.accepted", "reopen": "finding.reopened"}[act]
    return Case(f"{path}/{act}", [(says, f"undocumented {account.id}")], body if act == "accept" else {})


def review(world: World, act: str) -> Case:
    """A review of one account, decided so that it can be applied."""
    world.account()
    path = f"/v1/reviews/{world.owner.post('/v1/reviews', {'name': 'Autumn'}).json['id']}"
    item = world.owner.get(f"{path}/items").json["items"][0]["id"]
    decide = f"{path}/items/{item}/decide", {"decision": "keep", "note": "needed"}
    if act == "decide":
        return Case(decide[0], [("review.decided", "etl")], decide[1])
    world.owner.post(*decide)
    says = {"apply": "review.applied", "cancel": "review.cancelled", "export": "review.exported"}[act]
    return Case(f"{path}/{act}", [(says, "Autumn")], {})


def configuration(world: World) -> Case:
    """A document with one new role."""
    document = {"roles": [{"handle": "reporter", "name": "R", "permissions": ["report:read"]}]}
    plan = world.owner.post("/v1/configuration/plan", {"document": document}).json
    body = {"document": document, "digest": plan["digest"]}
    return Case("/v1/configuration/apply", [("role.created", "reporter")], body)


def _to_review(world: World) -> Case:
    world.account()
    return Case("/v1/reviews", [("review.opened", "Autumn")], {"name": "Autumn"})


def _from(make: organization_cases.Make) -> Callable[[World], Case]:
    return lambda world: Case(*make(world))


CASES: dict[str, Callable[[World], Case]] = {
    "create_service_account": lambda world: Case(
        "/v1/service-accounts", _created("etl"), _FULL | {"owners": [world.user()[0].id]}
    ),
    "update_service_account": lambda world: Case(
        _account(world),
        [("account.updated", "load"), ("role.assigned", "load/administrator"), ("role.removed", "load/auditor")],
        {"handle": "load", "roles": ["administrator"], "justification": "a test"},
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
    "change_grants": lambda world: Case(
        f"{_account(world)}/grants", [("grant.created", "etl/report:write")], {"grant": ["report:write"]}
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
    **{
        name: _from(make) for name, make in (organization_cases.CASES | credential_cases.CASES | access_cases.CASES).items()
    },
    "enrol_node": lambda world: Case(
        "/v1/nodes",
        [("node.enrolled", name := f"n-{world.organization.handle}"), ("node_credential.issued", name)],
        {"name": name},
        world.operator(),
    ),
    "remove_node": _removable,
    **{name: _from(make) for name, make in epoch_cases.CASES.items()},
    "accept_finding": lambda world: finding(world, "accept"),
    "reopen_finding": lambda world: finding(world, "reopen"),
    "apply_configuration": configuration,
    "open_review": _to_review,
    "import_keys": lambda world: Case(
        "/v1/bulk/keys/import", [("import_scheme.created", "legacy"), ("key.issued", "etl/old")], imported(world.account().id)
    ),
    "decide_review_item": lambda world: review(world, "decide"),
    "apply_review": lambda world: review(world, "apply"),
    "cancel_review": lambda world: review(world, "cancel"),
    "export_review": lambda world: review(world, "export"),
    "change_policy": lambda world: Case(
        "/v1/policy", [("policy.changed", "version 2")], {"set": {"credentials.max_usable": 3}}
    ),
}  # fmt: skip


def _webhook(world: World, operation: str) -> Case:
    _, path, body = webhook_cases.target(world, operation, "siem")
    name = body["name"] if operation == "update_webhook" and body is not None else "siem"
    return Case(path, [(f"webhook.{webhook_cases.SAYS.get(operation, 'created')}", name)], body)


def _view(world: World, operation: str) -> Case:
    _, path, body = view_cases.target(world.owner, operation, "Mine")
    return Case(path, [(f"saved_view.{view_cases.CHANGES[operation]}", "Mine")], body)


CASES |= {name: lambda world, make=make: Case(*make(world)) for name, make in bulk_events.CASES.items()}  # type: ignore[misc]
_NEW |= webhook_cases.NEW | view_cases.NEW
_GONE |= webhook_cases.GONE | view_cases.GONE
CASES |= {each: lambda world, each=each: _view(world, each) for each in view_cases.CHANGES}  # type: ignore[misc]
CASES |= {each: lambda world, each=each: _webhook(world, each) for each in webhook_cases.CHANGES}  # type: ignore[misc]


def events_of(answer: Answer) -> list[Event]:
    rows = AuditEvent.objects.filter(revision=int(answer.headers["retinue-revision"])).order_by("n")
    return [queries.view(row) for row in rows.select_related("personal")]


@pytest.mark.parametrize("each", CHANGES, ids=lambda each: each.name)
def test_every_change_is_an_event_for_each_changed_object(world: World, each: Operation) -> None:
    """
    One documented event for each object that an operation changed, and no other: what it is called, who
    changed it, with which credential, in which request, from where, and what was before and after. An event that
    takes access away is that of an operation with a receipt.
    """
    case = CASES[each.name](world)
    caller = case.caller or world.owner
    answer = caller.call(each.method, case.path, case.body)

    assert each.status == answer.status, answer.text
    found = events_of(answer)
    assert sorted(case.says) == sorted((event.type, event.subject_name) for event in found)
    assert len(found) == len({event.subject for event in found})
    assert each.reduces or all(EVENTS[event.type].additive for event in found)
    assert caller.principal is not None
    assert caller.token is not None
    who = (caller.id, caller.principal.kind, caller.principal.name, f"pat_{caller.token.kid}")
    for event in found:
        assert who == (event.actor, event.actor_kind, event.actor_name, event.credential)
        assert (answer.headers["retinue-request-id"], "127.0.0.1") == (event.request, event.address)
        assert (event.type in _NEW, event.type in _GONE) == (not event.before, not event.after), event
        assert f"| `{event.type}` |" in DOCUMENT.read_text()
        # What the console shows of it has a name for people.
        assert set() == {*event.before, *event.after} - FIELDS.keys()


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
