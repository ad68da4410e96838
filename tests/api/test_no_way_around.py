"""Ways around the grant ceiling and the second person that somebody would try: none of them leads on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retinue.server.access.queries import Grant, RoleAssignment
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.access_cases import four_eyes
from tests.api.policies import set_policy
from tests.api.world import JSON, World

GROUPS = [{"field": "attributes.tier", "values": ["gold"]}]


def test_attributes_are_no_way_around_the_ceiling(world: World) -> None:
    """
    Who may change accounts gives them nothing by an attribute that an access policy asks for, and gets no key of
    an account that has more by one.
    """
    set_policy(world, accounts__attributes=[{"name": "tier", "type": "text", "values": ["gold", "none"]}])
    made = world.owner.post("/v1/access-policies", {"name": "P", "conditions": GROUPS, "roles": ["auditor"]})
    account = world.account("plain")
    caller = world.caller("service_account:update", "service_account:create", "credential:issue")
    changed = caller.patch(f"/v1/service-accounts/{account.id}", {"attributes": {"tier": "gold"}})
    body = {"name": "gold", "purpose": "a test", "owners": [world.owner.id], "attributes": {"tier": "gold"}}
    created = caller.post("/v1/service-accounts", body)
    strong = world.owner.post("/v1/service-accounts", body).json
    issued = caller.post(f"/v1/service-accounts/{strong['id']}/keys", {"name": "k"})

    assert 201 == made.status
    assert [(403, "ceiling_exceeded")] * 3 == [
        (each.status, each.code) for each in (changed, created, issued)
    ]


def test_what_attributes_give_is_explained(world: World) -> None:
    """
    The control plane holds for an account what nodes hold for it, attributes included.
    """
    set_policy(world, accounts__attributes=[{"name": "tier", "type": "text", "values": ["gold", "none"]}])
    world.owner.post("/v1/access-policies", {"name": "P", "conditions": GROUPS, "roles": ["auditor"]})
    body = {"name": "gold", "purpose": "a test", "owners": [world.owner.id], "attributes": {"tier": "gold"}}
    account = world.owner.post("/v1/service-accounts", body).json["id"]
    why = world.owner.post("/v1/decisions/explain", {"principal": account, "permission": "user:read"}).json
    who = world.owner.get("/v1/decisions/who?permission=user:read").json["items"]

    assert (True, None) == (why["allowed"], why["reason"])
    assert account in {each["id"] for each in who}


def test_a_policy_that_waits_is_not_put_in_force_by_an_edit(world: World) -> None:
    """
    An access policy that waits for a second person goes on waiting, whatever its author or somebody without its
    permissions changes of it.
    """
    target, other = world.account("target"), world.account("other")
    body = {"name": "P", "permissions": ["grant:create"], "justification": "a test"}
    policy = f"/v1/access-policies/{world.owner.post('/v1/access-policies', body).json['id']}"
    second = four_eyes(world)
    weak = world.caller("access_policy:update")
    seen = [world.owner.patch(policy, {"subjects": [target.id], "justification": "a test"})]
    seen.append(world.owner.patch(policy, {"subjects": [target.id, other.id], "justification": "a test"}))
    refused = weak.patch(policy, {"subjects": [target.id, weak.id], "justification": "a test"})
    own = world.owner.post(f"{policy}/approve")
    before = world.calls(target).post("/v1/grants", {"subject": target.id, "permission": "report:read"}).code
    approved = second.post(f"{policy}/approve")

    assert ["pending", "pending"] == [each.json["state"] for each in seen]
    assert (409, "state_conflict") == (refused.status, refused.code)
    assert (409, "approval_required") == (own.status, own.code)
    assert "permission_missing" == before
    assert (200, "active") == (approved.status, approved.json["state"])


def test_what_waits_is_changed_by_who_asked_alone(world: World) -> None:
    """
    Nobody adds to what somebody else asked for, so that each of them would approve what the other one wants; they
    may disable it, and then it waits for who did not ask first.
    """
    target, other = world.account("target"), world.account("other")
    body = {"name": "P", "permissions": ["grant:create"], "justification": "a test"}
    policy = f"/v1/access-policies/{world.owner.post('/v1/access-policies', body).json['id']}"
    second = four_eyes(world)
    world.owner.patch(policy, {"subjects": [target.id], "justification": "a test"})
    added = second.patch(policy, {"subjects": [other.id], "justification": "a test"})
    disabled = second.patch(policy, {"enabled": False})
    enabled = [each.patch(policy, {"enabled": True, "justification": "x"}) for each in (second, world.owner)]

    assert (409, "state_conflict") == (added.status, added.code)
    assert (200, False) == (disabled.status, disabled.json["enabled"])
    assert [409, 200] == [each.status for each in enabled]
    assert "pending" == enabled[1].json["state"]
    assert (409, "approval_required") == (
        (again := world.owner.post(f"{policy}/approve")).status, again.code,
    )  # fmt: skip
    assert 200 == second.post(f"{policy}/approve").status


def test_a_user_gets_nothing_by_another_name(world: World) -> None:
    """
    Who may create and rename users gives nobody by a name what conditions ask for and they do not hold.
    """
    conditions = [{"field": "kind", "values": ["user"]}, {"field": "name", "values": ["Admin *"]}]
    body: JSON = {"name": "P", "conditions": conditions, "roles": ["auditor"]}
    made = world.owner.post("/v1/access-policies", body)
    caller = world.caller("user:create", "user:update")
    user, _ = world.user("Una")
    renamed = caller.patch(f"/v1/users/{user.id}", {"name": "Admin Una"})
    body = {"email": "new@example.com", "name": "Admin New"}
    answers = [caller.post("/v1/users", body), caller.post("/v1/invitations", body), renamed]

    assert 201 == made.status
    assert [(403, "ceiling_exceeded")] * 3 == [(each.status, each.code) for each in answers]
    assert 200 == world.owner.patch(f"/v1/users/{user.id}", {"name": "Admin Una"}).status


def test_a_document_is_no_way_around_the_ceiling(world: World) -> None:
    """
    A configuration gives accounts and users nothing by a field that conditions look at, as no other call does.
    """
    conditions = [{"field": "environment", "values": ["production"]}]
    world.owner.post("/v1/access-policies", {"name": "P", "conditions": conditions, "roles": ["auditor"]})
    account = world.account("plain")
    reads = ("policy:read", "role:read", "group:read", "team:read", "service_account:read", "grant:read")
    caller = world.caller(*reads, "user:read", "access_policy:read", "service_account:update")
    weak = world.caller("service_account:update")
    world.owner.post(
        "/v1/access-policies", {"name": "Q", "conditions": conditions, "roles": ["access-manager"]}
    )
    document = {"service_accounts": [{"handle": account.handle, "environment": "production"}]}
    planned = caller.post("/v1/configuration/plan", {"document": document})
    applied = caller.post("/v1/configuration/apply", {"document": document, "digest": planned.json["digest"]})

    assert 403 == weak.patch(f"/v1/service-accounts/{account.id}", {"environment": "production"}).status
    assert "ceiling_exceeded" == planned.json["refused"]["code"]
    assert (403, "ceiling_exceeded") == (applied.status, applied.code)


def test_an_id_means_its_object_whatever_others_are_called(world: World) -> None:
    """
    Nobody gets what is meant for another by a handle or name that reads like its id.
    """
    victim = world.account("victim")
    user, _ = world.user("Una")
    role = world.owner.post("/v1/roles", {"name": "Victim", "permissions": ["report:read"]}).json["id"]
    group = world.owner.post("/v1/groups", {"name": "Victim"}).json["id"]
    caller = world.caller("service_account:create", "role:create", "group:create")
    fields = {"name": "x", "purpose": "x", "owners": [world.owner.id]}
    for ident in (victim.id, user.id, role, group):
        caller.post("/v1/service-accounts", {**fields, "handle": ident.lower()})
        caller.post("/v1/roles", {"name": "x", "handle": ident.lower().replace("_", "-")})
        caller.post("/v1/groups", {"name": ident})
    granted = [
        world.owner.post("/v1/grants", {"subject": ident, "permission": "report:read", "resource": "own"})
        for ident in (victim.id, user.id, role, group)
    ]
    added = world.owner.post(f"/v1/groups/{group}/add", {"members": [victim.id, user.id]})
    body = {**fields, "name": "new", "owners": [user.id], "groups": [group], "roles": [role]}
    made = world.owner.post("/v1/service-accounts", body)

    assert [victim.id, user.id, role, group] == [each.json["subject"]["id"] for each in granted]
    assert [victim.id, user.id] == [each["principal"]["id"] for each in added.json["items"]]
    assert (201, ["victim"]) == (made.status, made.json.get("roles"))
    assert [user.id] == [each["id"] for each in made.json["owners"]]


def test_converting_the_token_of_another_needs_the_right_to_end_it(world: World) -> None:
    """
    A conversion ends a token, so it needs what a revoke needs, and the policy must let administrators revoke.
    """
    user, caller = world.user("Una")
    token = caller.get("/v1/me/tokens").json["items"][0]["id"]
    needs = ("pat:read", "service_account:create", "grant:create", "credential:issue")
    body = {"name": "una-job", "purpose": "x", "owners": [user.id], "overlap": "0s", "permissions": []}
    path = f"/v1/personal-access-tokens/{token}/convert"
    weak = world.caller(*needs).post(path, body)
    set_policy(world, pat__admin_visibility="metadata")
    kept = world.owner.post(path, body)
    before = caller.get("/v1/me").status
    set_policy(world, pat__admin_visibility="metadata_and_revoke")

    assert (403, "permission_missing") == (weak.status, weak.code)
    assert (409, "state_conflict") == (kept.status, kept.code)
    assert 200 == before
    assert 201 == world.owner.post(path, body).status


def test_a_document_deletes_no_more_accounts_than_a_call_may(world: World) -> None:
    """
    Where accounts are deleted one at a time, a document with which several would go is refused.
    """
    for name in ("one", "two"):
        world.account(name)
    document: JSON = {"document": {"service_accounts": []}, "prune": True}
    planned = world.owner.post("/v1/configuration/plan", document)
    applied = world.owner.post("/v1/configuration/apply", {**document, "digest": planned.json["digest"]})
    set_policy(world, accounts__delete_bulk=True)
    again = world.owner.post("/v1/configuration/apply", {**document, "digest": planned.json["digest"]})

    assert "state_conflict" == planned.json["refused"]["code"]
    assert (409, "state_conflict") == (applied.status, applied.code)
    assert 200 == again.status


def test_what_ends_by_itself_ends_in_a_copy_too(world: World) -> None:
    """
    A duplicate has a role no longer than what it is a copy of, and nothing of what has ended there.
    """
    source = world.account("source")
    body = {"subject": source.id, "justification": "x"}
    made = world.owner.post("/v1/assignments", {**body, "role": "auditor", "expires": "1d"}).json
    ended = [
        world.owner.post("/v1/grants", {**body, "permission": "report:read", "expires": "1h"}).json["id"],
        world.owner.post("/v1/assignments", {**body, "role": "access-manager", "expires": "1h"}).json["id"],
    ]
    with transaction(SYSTEM, reason="test") as tx:
        for rows in (Grant.objects, RoleAssignment.objects):
            rows.filter(id__in=ended).update(expires_at=datetime.now(UTC) - timedelta(hours=1))
        tx.record("grant.deleted", ended[0], name="a test", organization=world.organization.id)
    copy = world.owner.post(f"/v1/service-accounts/{source.id}/duplicate", {"name": "copy"})
    linked = world.owner.post(
        "/v1/service-accounts",
        {
            "name": "linked", "purpose": "x", "owners": [world.owner.id],
            "copy_from": {"account": source.id, "mode": "link"},
        },
    )  # fmt: skip

    for account in (copy, linked):
        assert 201 == account.status, account.text
        held = world.owner.get(f"/v1/assignments?subject={account.json['id']}").json["items"]
        assert [("Auditor", made["expires_at"])] == [
            (each["role"]["name"], each["expires_at"]) for each in held
        ]
        assert [] == world.owner.get(f"/v1/service-accounts/{account.json['id']}/grants").json["items"]


def test_the_last_owner_stays(world: World) -> None:
    """
    The role that may do everything is not taken from its last holder, on whatever way.
    """
    [held] = world.owner.get(f"/v1/assignments?subject={world.owner.id}").json["items"]
    assert world.owner.principal is not None
    document: JSON = {"document": {"users": [{"email": world.owner.principal.email, "roles": []}]}}
    planned = world.owner.post("/v1/configuration/plan", document).json
    answers = [
        world.owner.delete(f"/v1/assignments/{held['id']}"),
        world.owner.patch(f"/v1/users/{world.owner.id}", {"roles": []}),
        world.owner.post("/v1/configuration/apply", {**document, "digest": planned["digest"]}),
    ]

    assert [(409, "state_conflict")] * 3 == [(each.status, each.code) for each in answers]
    assert "state_conflict" == planned["refused"]["code"]
