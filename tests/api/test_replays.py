"""``Idempotency-Key`` repeats an answer only to who may still make the call."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from retinue.server.access import actions as access
from retinue.server.access.catalogue import INSTALLATION, MANAGEMENT
from retinue.server.access.roles import ROLES
from retinue.server.api import routes  # noqa: F401
from retinue.server.api.operations import OPERATIONS
from retinue.server.directory.queries import Principal
from retinue.server.ledger.queries import AuditEvent
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api import access_cases, credential_cases, epoch_cases, webhook_cases
from tests.api import many_cases as many
from tests.api.import_cases import imported
from tests.api.world import JSON, Caller, World
from tests.authorization.specimens import empty_organization, new_organization

KEY = {"Idempotency-Key": "abc"}
Target = tuple[str, str, JSON | None]
AUDITOR = tuple(sorted(ROLES["auditor"].names(MANAGEMENT)))


@dataclass(frozen=True)
class Case:
    """A call of one operation: how its target is made, and what its caller must hold besides for the ceiling."""

    operation: str
    target: Callable[[World], Target]
    besides: tuple[str, ...] = ()
    #: The permission that a field of the body needs.
    also: tuple[str, ...] = field(default=())


def _account(world: World, method: str, tail: str = "", body: JSON | None = None) -> Target:
    return method, f"/v1/service-accounts/{world.account('target').id}{tail}", body


def _key(world: World, method: str, tail: str = "", body: JSON | None = None) -> Target:
    return method, f"/v1/keys/{world.key(world.account('target'))[0].id}{tail}", body


def _into(world: World, kind: str) -> Target:
    name = world.owner.post(f"/v1/{kind}s", {"name": f"g-{secrets.token_hex(4)}"}).json["name"]
    return _new(world, **{f"{kind}s": [name]})


def _giving(path: str) -> Callable[[World], Target]:
    return lambda _: ("POST", f"/v1/{path}", {"name": "Blue", "permissions": ["report:read"]})


def _deleted(world: World) -> Target:
    method, path, body = _account(world, "POST", "", {})
    world.owner.delete(path)
    return method, f"{path}/restore", body


def _revoked(world: World) -> Target:
    method, path, body = _key(world, "DELETE")
    world.owner.post(f"{path}/revoke")
    return method, path, body


def _granted(world: World) -> Target:
    account = world.account("target", permissions=("report:read",))
    path = f"/v1/service-accounts/{account.id}/grants"
    return "DELETE", f"{path}/{world.owner.get(path).json['items'][0]['id']}", None


def _new(world: World, **more: object) -> Target:
    return "POST", "/v1/service-accounts", {"name": "new", "purpose": "x", "owners": [world.owner.id], **more}


def _person(**more: object) -> Target:
    return "POST", "/v1/users", {"email": "new@acme.example", "name": "New", **more}


def _node(world: World) -> Target:
    return "DELETE", f"/v1/nodes/{world.node()[0]}", None


def _user(
    world: World, method: str, tail: str = "", body: JSON | None = None, *, disabled: bool = False
) -> Target:
    path = f"/v1/users/{world.owner.post('/v1/users', _person()[2]).json['id']}"
    if disabled:
        world.owner.post(f"{path}/disable", {})
    return method, f"{path}{tail}", body


def _other(verb: str, body: JSON, *, disabled: bool = False) -> Target:
    return "POST", f"/v1/organizations/{empty_organization(disabled=disabled)}/{verb}", body


CASES = (
    Case("create_service_account", _new),
    Case(
        "create_service_account",
        lambda world: _new(world, permissions=["report:read"]),
        ("report:read",),
        ("grant:create",),
    ),
    Case(
        "create_service_account", lambda world: _new(world, key={"name": "k"}), also=("credential:issue",)
    ),
    Case("create_service_account", lambda world: _into(world, "group"), also=("group:update",)),
    Case("create_service_account", lambda world: _into(world, "team"), also=("team:update",)),
    Case("update_service_account", lambda world: _account(world, "PATCH", "", {"purpose": "y"})),
    Case(
        "update_service_account",
        lambda world: _account(world, "PATCH", "", {"roles": ["auditor"]}),
        AUDITOR,
        ("grant:create", "grant:delete"),
    ),
    Case("delete_service_account", lambda world: _account(world, "DELETE")),
    Case("enable_service_account", lambda world: _account(world, "POST", "/enable", {})),
    Case("disable_service_account", lambda world: _account(world, "POST", "/disable", {})),
    Case("restore_service_account", _deleted),
    Case("duplicate_service_account", lambda world: _account(world, "POST", "/duplicate", {"name": "copy"})),
    Case("issue_key", lambda world: _account(world, "POST", "/keys", {"name": "k2"})),
    Case("rename_key", lambda world: _key(world, "PATCH", "", {"name": "k2"})),
    Case("rotate_key", lambda world: _key(world, "POST", "/rotate", {})),
    Case("regenerate_key", lambda world: _key(world, "POST", "/regenerate", {})),
    Case("revoke_key", lambda world: _key(world, "POST", "/revoke", {})),
    Case("delete_key", _revoked),
    *(Case(name, target) for name, target in credential_cases.REPEATED.items()),
    *(Case(name, make, access_cases.BESIDES.get(name, ())) for name, make in access_cases.REPEATED.items()),
    *(
        Case(f"create_{kind}", _giving(path), ("report:read",), ("grant:create",))
        for kind, path in (("group", "groups"), ("team", "teams"), ("access_policy", "access-policies"))
    ),
    Case("create_user", lambda _: _person()),
    Case("create_user", lambda _: _person(roles=["auditor"]), AUDITOR, ("grant:create",)),
    Case("invite_user", lambda _: ("POST", "/v1/invitations", _person()[2])),
    Case(
        "invite_user",
        lambda _: ("POST", "/v1/invitations", _person(roles=["auditor"])[2]),
        AUDITOR,
        ("grant:create",),
    ),
    Case("invite_again", lambda world: _user(world, "POST", "/invite", {})),
    Case("update_user", lambda world: _user(world, "PATCH", "", {"name": "Another"})),
    Case(
        "update_user",
        lambda world: _user(world, "PATCH", "", {"roles": ["auditor"]}),
        AUDITOR,
        ("grant:create", "grant:delete"),
    ),
    Case("reset_sign_in", lambda world: _user(world, "POST", "/reset-sign-in", {})),
    Case("enable_user", lambda world: _user(world, "POST", "/enable", {}, disabled=True)),
    Case("disable_user", lambda world: _user(world, "POST", "/disable", {})),
    Case("delete_user", lambda world: _user(world, "DELETE")),
    Case("reassign_accounts", lambda world: _user(world, "POST", "/reassign", {"to": world.owner.id})),
    Case("create_organization", lambda _: ("POST", "/v1/organizations", new_organization())),
    Case(
        "invite_administrator",
        lambda _: _other("administrator", {"email": "a@x.example", "name": "Ada"}),
    ),
    Case("enable_organization", lambda _: _other("enable", {}, disabled=True)),
    Case("disable_organization", lambda _: _other("disable", {})),
    Case("update_own_organization", lambda _: ("PATCH", "/v1/organization", {"name": "Another"})),
    Case(
        "create_grant",
        lambda world: _account(world, "POST", "/grants", {"permission": "report:read"}),
        ("report:read",),
    ),
    Case("delete_grant", _granted),
    Case(
        "change_grants",
        lambda world: _account(world, "PATCH", "/grants", {"grant": ["report:read"]}),
        ("report:read",),
    ),
    Case("enrol_node", lambda _: ("POST", "/v1/nodes", {"name": f"edge-{secrets.token_hex(4)}"})),
    Case("remove_node", _node),
    Case("begin_epoch", epoch_cases.beginning),
    Case("skip_journals", epoch_cases.skipping),
    Case("accept_finding", lambda world: many.found(world, "accept")),
    Case("reopen_finding", lambda world: many.found(world, "reopen")),
    Case("apply_configuration", many.configured, ("role:create", "report:read")),
    *(
        Case(each, lambda world, each=each: webhook_cases.target(world, each, "siem"))  # type: ignore[misc]
        for each in webhook_cases.CHANGES
    ),
    Case("open_review", many.reviewable),
    *(Case(name, make) for name, make in many.CHANGES.items()),
    Case("grant_to_service_accounts", lambda world: many.granted(world, "grant"), ("report:read",)),
    Case("import_keys", lambda world: ("POST", "/v1/bulk/keys/import", imported(world.account().id))),
    Case("decide_review_item", lambda world: many.reviewed(world, "decide")),
    Case("apply_review", lambda world: many.reviewed(world, "apply")),
    Case("cancel_review", lambda world: many.reviewed(world, "cancel")),
    Case("export_review", lambda world: many.reviewed(world, "export")),
    Case("change_policy", lambda _: ("PATCH", "/v1/policy", {"set": {"credentials.max_usable": 3}})),
)  # fmt: skip
BY_NAME = {each.name: each for each in OPERATIONS}


def _permitted(world: World, permissions: tuple[str, ...]) -> Caller:
    """A caller with exactly these permissions; those of the installation make it an operator."""
    if "pat:issue" in permissions:  # no service account can hold it
        user, caller = world.user()
        with transaction(SYSTEM, reason="test") as tx:
            access.assign_roles(tx, user, ["member"], "a test")
        return caller
    if INSTALLATION.isdisjoint(permissions):
        return world.caller(*permissions, name="caller")
    return world.user(operator=True)[1]


def _of_caller(caller: Caller, path: str) -> str:
    """Put a token of the caller's own into a path that asks for one."""
    if "{" not in path:
        return path
    ident = caller.post(credential_cases.MINE, {"name": "mine"}).json["key"]["id"]
    if "{ended}" in path:
        caller.post(f"{credential_cases.MINE}/{ident}/revoke")
    return path.format(mine=ident, ended=ident)


def _take(world: World, caller: Caller, lost: tuple[str, ...]) -> None:
    """Take permissions from the caller."""
    if "pat:issue" in lost:
        with transaction(SYSTEM, reason="test") as tx:
            access.set_roles(tx, Principal.objects.get(id=caller.id), [])
        return
    if not INSTALLATION.isdisjoint(lost):
        with transaction(SYSTEM, reason="test") as tx:
            user = Principal.objects.get(id=caller.id)
            user.is_operator = False
            user.save()
            tx.record("account.updated", user.id, name=user.handle, organization=user.organization_id)
        return
    path = f"/v1/service-accounts/{caller.id}/grants"
    for grant in world.owner.get(path).json["items"]:
        if grant["permission"] in lost:
            world.owner.delete(f"{path}/{grant['id']}")


def _changes() -> list[str]:
    """The ids of all events but those of refusals."""
    return list(AuditEvent.objects.exclude(type="change.refused").order_by("id").values_list("id", flat=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join((case.operation, *case.also)))
def test_replay_needs_the_permission(world: World, case: Case) -> None:
    """
    Who has lost what an operation needs is refused its repetition like a fresh call; nothing changes, no token
    is made, and the answer of the first call is not told again.
    """
    needs = BY_NAME[case.operation].needs
    assert isinstance(needs, tuple)
    method, path, body = case.target(world)
    caller = _permitted(world, (*needs, *case.also, *case.besides))
    path = _of_caller(caller, path)
    first = caller.call(method, path, body, headers=KEY)
    replayed = caller.call(method, path, body, headers=KEY)
    _take(world, caller, case.also or needs)
    before = _changes()
    repeated, fresh = (caller.call(method, path, body, headers=each) for each in (KEY, {}))

    assert BY_NAME[case.operation].status == first.status, first.text
    assert (first.status, "true") == (replayed.status, replayed.headers["idempotency-replayed"])
    assert (403, "permission_missing", fresh.json["required"]) == (
        repeated.status, repeated.code, repeated.json["required"],
    )  # fmt: skip
    assert before == _changes()


def test_every_permitted_change_is_repeated_here() -> None:
    """
    No operation that changes something with a permission is left out, nor one of its fields that needs more.
    """
    # Who has deleted the own organization can call nothing any more.
    ended = "delete_own_organization"
    changing = [
        each for each in OPERATIONS if each.changes and isinstance(each.needs, tuple) and each.name != ended
    ]

    # The caller of this one ends with it, and repeats nothing.
    besides = {"compromise_organization"}
    assert {each.name for each in changing} == {case.operation for case in CASES} | besides
    assert {(each.name, more) for each in changing for more in each.also.values()} == {
        (case.operation, case.also) for case in CASES if case.also
    }


def test_own_key_is_rotated_again_without_a_permission(world: World) -> None:
    """
    A service account that rotates its own key needs no permission, and none for the repetition.
    """
    account = world.account()
    key, token = world.key(account)
    answers = [Caller(token, account).post(f"/v1/keys/{key.id}/rotate", {}, KEY) for _ in range(2)]

    assert [201, 201] == [each.status for each in answers]
