"""Personal access tokens: their users manage them, and they never do more than their users."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retinue.replica.records import Kind
from retinue.server.access import actions as access
from retinue.server.access import grant_actions, subjects
from retinue.server.access.models import Group, Membership
from retinue.server.access.queries import roles_of
from retinue.server.access.subjects import Subject
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import personal_tokens
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.api.policies import set_policy
from tests.api.test_key_life import holder
from tests.api.world import Answer, Caller, World

MINE = "/v1/me/tokens"
ALL = "/v1/personal-access-tokens"


def member(world: World, *roles: str) -> tuple[Principal, Caller]:
    """A user who may have personal access tokens."""
    user, caller = world.user()
    with transaction(SYSTEM, reason="test") as tx:
        access.assign_roles(tx, user, ["member", *roles], "a test")
    return user, caller


def join(world: World, user: Principal) -> str:
    """Put a user into a new group; returns its id."""
    with transaction(SYSTEM, reason="test") as tx:
        group = Group.objects.create(
            id=new_id("grp"),
            organization=world.organization,
            kind="group",
            name_folded="readers",
            name="Readers",
            created_at=tx.now,
            updated_at=tx.now,
        )
        Membership.objects.create(
            id=new_id("mem"), group=group, principal=user, granted_at=tx.now, granted_by="system"
        )
        tx.record("group.created", group.id, name="readers", organization=world.organization.id)
        tx.touch(Kind.PRINCIPAL, user.id)
    return group.id


def take(user: Principal, role: str) -> None:
    """Take a role from a user."""
    with transaction(SYSTEM, reason="test") as tx:
        held = [each for each in roles_of([user.id])[user.id] if each != role]
        access.set_roles(tx, user, held, "a test")


def give(user: Principal, role: str) -> None:
    """Give a user one more role."""
    with transaction(SYSTEM, reason="test") as tx:
        access.assign_roles(tx, user, [role], "a test")


def issue(caller: Caller, name: str = "ci", **more: object) -> Answer:
    """Issue a personal access token of one's own."""
    return caller.post(MINE, {"name": name, **more})


def test_user_manages_own_tokens(world: World) -> None:
    """
    With ``pat:issue`` a user issues, renames, narrows, rotates, regenerates, ends and deletes tokens of their own.
    """
    _, caller = member(world)
    issued = issue(caller)
    path = f"{MINE}/{issued.json['key']['id']}"
    renamed = caller.patch(path, {"name": "nightly"})
    rotated = caller.post(f"{path}/rotate")
    finished = caller.post(f"{path}/finish-rotation")
    next_one = f"{MINE}/{rotated.json['key']['id']}"
    regenerated = caller.post(f"{next_one}/regenerate")
    alive = holder(regenerated).get("/v1/me").status
    revoked, restored = caller.post(f"{next_one}/revoke"), caller.post(f"{next_one}/restore")
    expired, deleted = caller.post(f"{next_one}/expire"), caller.delete(next_one)

    assert ("personal_access_token", 201) == (issued.json["key"]["kind"], issued.status)
    assert [200, 201, 200, 200, 200, 200, 200, 200] == [
        each.status for each in (renamed, rotated, finished, regenerated, revoked, restored, expired, deleted)
    ]
    assert ("nightly", "superseded", "deleted", 200) == (
        renamed.json["name"], finished.json["reason"], deleted.json["state"], alive,
    )  # fmt: skip
    assert ["nightly", "test"] == sorted(each["name"] for each in caller.get(MINE).json["items"])


def test_tokens_are_for_people_who_may(world: World) -> None:
    """
    Without the permission nobody issues one; a service account never does, whatever it holds.
    """
    _, stranger = world.user()
    refused = issue(stranger)
    program = world.caller("user:read")
    service = program.post(MINE, {"name": "x"})

    assert (403, "permission_missing", ["pat:issue"]) == (
        refused.status,
        refused.code,
        refused.json["required"],
    )
    assert (403, ["pat:issue"]) == (service.status, service.json["required"])


def test_where_there_are_none_none_is_issued(world: World) -> None:
    """
    With ``pat.enabled: false`` no token is issued, and those that exist are not accepted.
    """
    _, caller = member(world)
    own = holder(issue(caller))
    set_policy(world, pat__enabled=False)
    with transaction(SYSTEM, reason="test") as tx:
        assert caller.principal is not None
        with pytest.raises(Refused) as caught:
            credentials.issue_own_token(tx, caller.principal, name="x")

    assert ("state_conflict", (403, "kind_not_accepted")) == (
        caught.value.code, ((answer := own.get("/v1/me")).status, answer.code),
    )  # fmt: skip


def test_limits_are_per_user(world: World) -> None:
    """
    ``pat.max_usable`` counts the usable tokens of one user, and ``pat.max_days`` bounds their life beside expiry.
    """
    set_policy(world, pat__max_usable=2, pat__max_days=20)
    _, caller = member(world)
    first, second = issue(caller, "a", expires="300d"), issue(caller, "b")
    never = issue(member(world)[1], "c", expires="never")

    assert (201, "personal_maximum", 409, "too_many_keys") == (
        first.status, first.json["expiry"]["because"], second.status, second.code,
    )  # fmt: skip
    assert (400, "body.expires") == (never.status, never.field)
    ends = datetime.fromisoformat(first.json["key"]["expires_at"])
    assert 20 == round((ends - datetime.now(UTC)) / timedelta(days=1))
    assert first.json["key"]["id"] in second.json["detail"]


def test_token_follows_its_user(world: World) -> None:
    """
    A token does what its user may do now: a role that goes takes its permissions from the next call.
    """
    user, caller = member(world, "auditor")
    token = holder(issue(caller))
    before = token.get("/v1/users").status
    take(user, "auditor")
    after = token.get("/v1/users")

    assert (200, 403, "permission_missing") == (before, after.status, after.code)
    assert 200 == token.get("/v1/me").status


def test_lost_permission_suspends_until_it_comes_back(world: World) -> None:
    """
    Who may hold no token any more has the own ones suspended, at once and visibly, until the permission comes back.
    """
    user, caller = member(world)
    issued = issue(caller)
    token, one = holder(issued), f"{ALL}/{issued.json['key']['id']}"
    take(user, "member")
    refused, shown = token.get("/v1/me"), world.owner.get(one).json
    listed = {each: len(world.owner.get(f"{ALL}?status={each}&user={user.id}").json["items"])
              for each in ("suspended", "usable")}  # fmt: skip
    give(user, "member")

    assert (401, "credential_suspended") == (refused.status, refused.code)
    assert ("suspended", "suspended", "permission_lost") == tuple(
        shown[e] for e in ("state", "status", "reason")
    )
    assert {"suspended": 1, "usable": 1} == listed
    assert (200, "active") == (token.get("/v1/me").status, world.owner.get(one).json["state"])


def test_tokens_live_on_where_the_policy_keeps_them(world: World) -> None:
    """
    With ``pat.on_permission_loss: keep`` existing tokens stay usable, and no new one is issued.
    """
    set_policy(world, pat__on_permission_loss="keep")
    user, caller = member(world)
    token = holder(issue(caller))
    take(user, "member")

    assert (200, 403) == (token.get("/v1/me").status, issue(token, "new").status)


def test_role_change_suspends_until_confirmed(world: World) -> None:
    """
    With ``pat.on_role_change: suspend`` a token is suspended when a role of its user comes or goes, with its cause,
    until its user restores it; that of another user is not.
    """
    user, caller = member(world)
    other, issued = holder(issue(member(world)[1])), issue(caller)
    set_policy(world, pat__on_role_change="suspend")
    token, path = holder(issued), f"{MINE}/{issued.json['key']['id']}"
    give(user, "auditor")
    refused = token.get("/v1/me")
    reason = world.owner.get(f"{ALL}/{issued.json['key']['id']}").json["reason"]
    with transaction(SYSTEM, reason="test") as tx:
        [first] = [each for each in personal_tokens(user.id) if each.name == "test"]
        credentials.restore(tx, first)
    confirmed = caller.post(f"{path}/restore")

    assert (401, "credential_suspended", "role_changed") == (refused.status, refused.code, reason)
    assert (200, 200, 200) == (confirmed.status, token.get("/v1/me").status, other.get("/v1/me").status)


@pytest.mark.parametrize(
    ("visibility", "listed", "seen", "revoked"),
    [("metadata_and_revoke", True, 200, 200), ("metadata", True, 200, 409), ("none", False, 404, 404)],
)
def test_administrators_reach_as_far_as_the_policy(
    world: World, visibility: str, listed: bool, seen: int, revoked: int
) -> None:
    """
    Of others' tokens administrators see the metadata and revoke, or see, or nothing; also in the list of all.
    """
    set_policy(world, pat__admin_visibility=visibility)
    _, caller = member(world)
    ident = issue(caller).json["key"]["id"]
    names = [{each["id"] for each in world.owner.get(path).json["items"]}
             for path in (ALL, "/v1/credentials")]  # fmt: skip

    assert [listed, listed] == [ident in each for each in names]
    assert (seen, revoked) == (
        world.owner.get(f"{ALL}/{ident}").status, world.owner.post(f"{ALL}/{ident}/revoke").status,
    )  # fmt: skip
    assert 200 == caller.get(f"{MINE}/{ident}").status


def test_tokens_of_others_do_not_exist(world: World) -> None:
    """
    Nobody touches a token of another user as their own, nor one of another organization at all.
    """
    _, one = member(world)
    _, two = member(world)
    ident = issue(one).json["key"]["id"]
    far = World.create()

    answers = [two.get(f"{MINE}/{ident}"), two.patch(f"{MINE}/{ident}", {"name": "x"}),
               two.post(f"{MINE}/{ident}/rotate"), two.post(f"{MINE}/{ident}/revoke"),
               far.owner.get(f"{ALL}/{ident}"), far.owner.post(f"{ALL}/{ident}/revoke")]  # fmt: skip
    assert [404] * 6 == [each.status for each in answers]


def test_narrowed_token_hands_out_nothing_wider(world: World) -> None:
    """
    A token that is bound to methods widens neither itself nor comes by a wider one of its user.
    """
    _, caller = member(world)
    other = issue(caller, "wide").json["key"]["id"]
    issued = issue(caller, "narrow", restrictions={"methods": ["GET", "POST"]})
    narrow, ident = holder(issued), issued.json["key"]["id"]
    answers = [
        narrow.post(f"{MINE}/{ident}/restrict", {"restrictions": {}}),
        narrow.post(MINE, {"name": "new"}),
        narrow.post(f"{MINE}/{other}/rotate"),
        narrow.post(f"{MINE}/{other}/regenerate"),
    ]
    same = narrow.post(MINE, {"name": "as narrow", "restrictions": {"methods": ["GET"]}})

    assert [(403, "ceiling_exceeded")] * 4 == [(each.status, each.code) for each in answers]
    assert 201 == same.status, same.text


def test_role_of_a_group_is_one_of_its_members(world: World) -> None:
    """
    A role that comes to a group comes to its members: their tokens are suspended where a role change does so.
    """
    user, caller = member(world)
    token, other = holder(issue(caller)), holder(issue(member(world)[1]))
    group = Subject(join(world, user), "group", "Readers")
    set_policy(world, pat__on_role_change="suspend")
    with transaction(SYSTEM, reason="test") as tx:
        auditor = subjects.role(world.organization.id, "auditor", "role")
        grant_actions.assign(tx, group, auditor, "a test", organization=world.organization.id)

    assert ("credential_suspended", 200) == (token.get("/v1/me").code, other.get("/v1/me").status)
