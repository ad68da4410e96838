"""``elevated.approval`` and ``elevated.expires_days``: what is elevated waits for a second person, and ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.api.access_cases import four_eyes
from tests.api.policies import set_policy
from tests.api.world import World


def test_what_is_elevated_waits_for_a_second_person(world: World) -> None:
    """
    Under four eyes an elevated grant gives nothing until somebody else approves: neither who asked for it nor
    who gets it.
    """
    account = world.account()
    caller = world.calls(account)
    other = four_eyes(world)
    body = {"subject": account.id, "permission": "grant:create", "justification": "a test"}
    made = world.owner.post("/v1/grants", body).json
    path = f"/v1/grants/{made['id']}/approve"
    before = caller.post("/v1/grants", {"subject": account.id, "permission": "report:read"}).code
    own = world.owner.post(path)
    approved = other.post(path)
    after = caller.post("/v1/grants", {"subject": account.id, "permission": "report:read"}).code
    again = other.post(path)

    assert ("pending", "permission_missing") == (made["state"], before)
    assert (409, "approval_required") == (own.status, own.code)
    assert (200, "active", other.id) == (
        approved.status, approved.json["state"], approved.json["approved_by"]["id"],
    )  # fmt: skip
    assert "ceiling_exceeded" == after
    assert (409, "state_conflict") == (again.status, again.code)


def test_an_edited_role_does_not_go_round_the_second_person(world: World) -> None:
    """
    A role that somebody holds gets nothing elevated by an edit; granted to the role, it waits.
    """
    role = world.owner.post("/v1/roles", {"name": "Helper", "permissions": ["report:read"]}).json["id"]
    world.account(roles=("helper",))
    four_eyes(world)
    edited = world.owner.patch(
        f"/v1/roles/{role}", {"permissions": ["grant:create"], "justification": "a test"}
    )
    body = {"subject": role, "permission": "grant:create", "justification": "a test"}
    granted = world.owner.post("/v1/grants", body)

    assert (409, "approval_required") == (edited.status, edited.code)
    assert (201, "pending") == (granted.status, granted.json["state"])


def test_what_is_elevated_ends_by_itself(world: World) -> None:
    """
    With ``elevated.expires_days`` an elevated grant or role ends after so many days, and an ordinary one does
    not; a call may make it shorter, never longer.
    """
    set_policy(world, elevated__expires_days=7)
    account = world.account()
    latest = datetime.now(UTC) + timedelta(days=7, minutes=1)

    def ends(permission: str, expires: str | None) -> datetime | None:
        body = {"subject": world.account(f"a-{permission[:4]}-{expires}").id, "permission": permission,
                "justification": "a test", "expires": expires}  # fmt: skip
        text = world.owner.post("/v1/grants", body).json["expires_at"]
        return None if text is None else datetime.fromisoformat(text)

    longest, long, short = (ends("grant:create", each) for each in (None, "30d", "1d"))
    role = world.owner.post(
        "/v1/assignments", {"subject": account.id, "role": "administrator", "justification": "a test"}
    )
    assert longest is not None
    assert long is not None
    assert short is not None
    assert longest <= latest
    assert long <= latest
    assert short < latest - timedelta(days=5)
    assert ends("report:read", None) is None
    assert datetime.fromisoformat(role.json["expires_at"]) <= latest
