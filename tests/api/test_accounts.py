"""``/v1/service-accounts``: what each operation gives, and each way in which it says no."""

from __future__ import annotations

import pytest

from tests.api.world import JSON, World

ACCOUNTS = "/v1/service-accounts"
NOBODY = "sa_0000000000000000"


def new(world: World, **fields: object) -> JSON:
    """A body that creates an account."""
    return {"name": "ETL nightly", "purpose": "loads reports", "owners": [world.owner.id], **fields}


def test_created_account_is_answered_whole(world: World) -> None:
    """
    Creating an account answers the account as every later read does.
    """
    created = world.owner.post(
        ACCOUNTS, new(world, permissions=["report:read"], roles=["auditor"], justification="x")
    )
    read = world.owner.get(f"{ACCOUNTS}/{created.json['id']}")

    assert (201, 200) == (created.status, read.status)
    besides = ("key", "token", "expiry")  # of a first key
    assert read.json == {name: value for name, value in created.json.items() if name not in besides}
    assert "etl-nightly" == created.json["handle"]
    assert ("service_account", "enabled", "active") == tuple(
        created.json[k] for k in ("kind", "state", "status")
    )
    assert ["auditor"] == created.json["roles"]
    assert [world.owner.id] == [owner["id"] for owner in created.json["owners"]]
    assert {"usable": 0, "total": 0} == created.json["keys"]
    assert world.owner.id == created.json["created_by"]["id"]


def test_change_carries_its_revision(world: World) -> None:
    """
    The answer to a change names the revision that made it, and the audit log has that revision.
    """
    created = world.owner.post(ACCOUNTS, new(world))
    events = world.owner.get(f"/v1/audit-events?subject={created.json['id']}").json["items"]

    assert [int(created.headers["retinue-revision"])] == [event["revision"] for event in events]
    assert created.headers["retinue-request-id"] == events[0]["request_id"]


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"name": ""}, 400, "missing_field", "body.name"),
        ({"name": "x" * 256}, 400, "invalid_value", "body.name"),
        ({"name": "a\u202eb"}, 400, "invalid_value", "body.name"),
        ({"handle": "Not A Handle"}, 400, "invalid_value", "body.handle"),
        ({"purpose": ""}, 400, "missing_field", "body.purpose"),
        ({"owners": []}, 400, "missing_field", "body.owners"),
        ({"owners": ["nobody@acme.example"]}, 404, "not_found", "body.owners.0"),
        ({"documentation": "javascript:alert(1)"}, 400, "invalid_value", "body.documentation"),
        ({"roles": ["emperor"]}, 422, "role_unknown", "body.roles.0"),
        ({"roles": ["owner"]}, 403, "forbidden_for_service", "body.roles.0"),
        ({"permissions": ["nothing:known"]}, 422, "permission_unknown", "body.permissions.0"),
        (
            {"permissions": ["report:read", "credential:issue"]},
            422,
            "justification_required",
            "body.justification",
        ),
    ],
)
def test_bad_fields_are_named(
    world: World, fields: dict[str, object], status: int, code: str, field: str
) -> None:
    """
    A refused field is named with its path and the rule that it breaks, and nothing is created.
    """
    answer = world.owner.post(ACCOUNTS, new(world, **fields))

    assert (status, code, field) == (answer.status, answer.code, answer.field), answer.text
    assert [] == world.owner.get(ACCOUNTS).json["items"]


def test_taken_handle_is_refused(world: World) -> None:
    """
    Two accounts of an organization never share a handle, also when written in another case.
    """
    world.owner.post(ACCOUNTS, new(world, handle="etl"))
    answer = world.owner.post(ACCOUNTS, new(world, handle="ETL"))

    assert (409, "duplicate_name") == (answer.status, answer.code)


def test_nobody_grants_more_than_they_hold(world: World) -> None:
    """
    A caller who may create accounts and grants hands out only what it holds.
    """
    caller = world.caller("service_account:create", "grant:create", "report:read")
    within = caller.post(ACCOUNTS, new(world, name="a", permissions=["report:read"]))
    beyond = caller.post(ACCOUNTS, new(world, name="b", permissions=["report:write"]))

    assert 201 == within.status, within.text
    assert (403, "ceiling_exceeded", ["report:write"]) == (
        beyond.status,
        beyond.code,
        beyond.json["required"],
    )


def test_granting_while_creating_needs_the_permission_to_grant(world: World) -> None:
    """
    Roles and permissions in a new account need ``grant:create`` beside ``service_account:create``.
    """
    caller = world.caller("service_account:create", "report:read")
    answer = caller.post(ACCOUNTS, new(world, permissions=["report:read"]))

    assert (403, "permission_missing", ["grant:create"]) == (
        answer.status,
        answer.code,
        answer.json["required"],
    )


def test_list_filters_and_sorts(world: World) -> None:
    """
    A list gives what its filters say, in the order of its sort.
    """
    for name in ("alpha", "beta", "gamma"):
        world.account(name, roles=("auditor",) if name == "beta" else ())
    world.owner.post(f"{ACCOUNTS}/{_id(world, 'gamma')}/disable")

    def names(query: str) -> list[str]:
        return [item["name"] for item in world.owner.get(f"{ACCOUNTS}?{query}").json["items"]]

    assert ["alpha", "beta", "gamma"] == names("sort=name")
    assert ["gamma", "beta", "alpha"] == names("sort=-name")
    assert ["gamma"] == names("state=disabled")
    assert ["beta"] == names("handle=BETA")
    assert ["beta"] == names("role=auditor")
    assert ["alpha"] == names("search=lph")
    assert ["alpha", "beta", "gamma"] == names(f"owner={world.owner.id}&sort=name")
    assert [] == names("owner=usr_0000000000000000")


def _id(world: World, handle: str) -> str:
    return str(world.owner.get(f"{ACCOUNTS}?handle={handle}").json["items"][0]["id"])


def test_update_changes_the_named_fields_only(world: World) -> None:
    """
    PATCH changes what it names and leaves the rest; what changed nothing makes no revision.
    """
    account = world.account()
    changed = world.owner.patch(f"{ACCOUNTS}/{account.id}", {"description": "one\ntwo", "roles": ["auditor"]})
    again = world.owner.patch(f"{ACCOUNTS}/{account.id}", {"description": "one\ntwo", "roles": ["auditor"]})

    assert (200, "one\ntwo", "a test", ["auditor"]) == (
        changed.status, changed.json["description"], changed.json["purpose"], changed.json["roles"],
    )  # fmt: skip
    assert "retinue-revision" in changed.headers
    assert "retinue-revision" not in again.headers


def test_changing_roles_needs_the_permission_to_grant(world: World) -> None:
    """
    Roles are access: PATCH with ``roles`` needs to grant and to take away beside ``service_account:update``.
    """
    account = world.account()
    caller = world.caller("service_account:update")
    answer = caller.patch(f"{ACCOUNTS}/{account.id}", {"roles": ["auditor"]})

    assert (403, "permission_missing", ["grant:create", "grant:delete"]) == (
        answer.status,
        answer.code,
        answer.json["required"],
    )


def test_disabled_account_is_refused_until_enabled(world: World) -> None:
    """
    A disabled account's key is refused at once with the reason, and works again after enabling.
    """
    caller = world.caller()
    path = f"{ACCOUNTS}/{caller.id}"
    disabled = world.owner.post(f"{path}/disable", {"reason": "maintenance"})
    refused = caller.get("/v1/me")
    enabled = world.owner.post(f"{path}/enable")

    assert ("disabled", "disabled", "maintenance") == tuple(
        disabled.json[name] for name in ("state", "status", "status_reason")
    )
    assert (401, "account_disabled") == (refused.status, refused.code)
    assert ("enabled", 200) == (enabled.json["state"], caller.get("/v1/me").status)


def test_deleted_account_comes_back_without_credentials(world: World) -> None:
    """
    Deleting revokes all keys for good; restoring gives the account back disabled, and no key with it.
    """
    caller = world.caller()
    path = f"{ACCOUNTS}/{caller.id}"
    deleted = world.owner.delete(path)
    while_deleted = caller.get("/v1/me")
    changed = world.owner.patch(path, {"description": "x"})
    restored = world.owner.post(f"{path}/restore")
    world.owner.post(f"{path}/enable")

    assert (200, "deleted") == (deleted.status, deleted.json["state"])
    assert (401, "account_deleted") == (while_deleted.status, while_deleted.code)
    assert (409, "state_conflict") == (changed.status, changed.code)
    assert (200, "disabled") == (restored.status, restored.json["state"])
    assert (401, "credential_revoked") == (caller.get("/v1/me").status, caller.get("/v1/me").code)


def test_deleting_again_changes_nothing(world: World) -> None:
    """
    An account that is deleted already stays as it is, and the call is answered as the first was.
    """
    path = f"{ACCOUNTS}/{world.account().id}"
    first, second = (world.owner.delete(f"{path}?reason={why}") for why in ("tidy", "again"))

    assert [(200, "deleted", "tidy")] * 2 == [
        (each.status, each.json["state"], each.json["status_reason"]) for each in (first, second)
    ]
    assert "retinue-revision" not in second.headers


def test_taken_handle_is_refused_by_the_field_that_gave_it(world: World) -> None:
    """
    A handle that is taken is the fault of ``handle`` where it was given, and of the name that it was made from.
    """
    world.account("taken")
    new = {"purpose": "x", "owners": [world.owner.id]}
    answers = [
        world.owner.post(ACCOUNTS, {**new, "name": "taken"}),
        world.owner.post(ACCOUNTS, {**new, "name": "free", "handle": "taken"}),
        world.owner.patch(f"{ACCOUNTS}/{world.account('other').id}", {"handle": "Taken", "name": "other"}),
    ]

    assert [(409, "duplicate_name", field) for field in ("body.name", "body.handle", "body.handle")] == [
        (each.status, each.code, each.field) for each in answers
    ]


def test_restoring_what_is_not_deleted_is_refused(world: World) -> None:
    """
    Only a deleted account can be restored.
    """
    answer = world.owner.post(f"{ACCOUNTS}/{world.account().id}/restore")

    assert (409, "state_conflict") == (answer.status, answer.code)


def test_duplicate_has_the_access_but_not_the_keys(world: World) -> None:
    """
    A copy has the fields, roles and grants of its source, and none of its keys.
    """
    source = world.account(permissions=("report:read",), roles=("auditor",))
    world.key(source)
    copy = world.owner.post(
        f"{ACCOUNTS}/{source.id}/duplicate", {"name": "copy", "justification": "second job"}
    )
    grants = world.owner.get(f"{ACCOUNTS}/{copy.json['id']}/grants").json["items"]

    assert (201, "copy", ["auditor"], {"usable": 0, "total": 0}) == (
        copy.status, copy.json["handle"], copy.json["roles"], copy.json["keys"],
    )  # fmt: skip
    assert ["report:read"] == [grant["permission"] for grant in grants]


@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable"),
        ("POST", "/restore"), ("POST", "/duplicate"), ("GET", "/keys"), ("POST", "/keys"), ("GET", "/grants"),
        ("POST", "/grants"), ("GET", "/permissions"), ("GET", "/requests"),
    ],
)  # fmt: skip
def test_accounts_of_others_do_not_exist(world: World, method: str, tail: str) -> None:
    """
    An account of another organization is answered exactly like one that never was.
    """
    bodies: dict[str, JSON] = {
        "/duplicate": {"name": "x"}, "/keys": {"name": "x"}, "/grants": {"permission": "report:read"},
    }  # fmt: skip
    body = bodies.get(tail, {}) if method in ("POST", "PATCH") else None
    theirs = World.create().account()
    missing = world.owner.call(method, f"{ACCOUNTS}/{NOBODY}{tail}", body)
    foreign = world.owner.call(method, f"{ACCOUNTS}/{theirs.id}{tail}", body)

    assert (404, "not_found") == (missing.status, missing.code), missing.text
    assert (404, "not_found") == (foreign.status, foreign.code), foreign.text
    assert missing.json["detail"].replace(NOBODY, "") == foreign.json["detail"].replace(theirs.id, "")
