"""``/v1/service-accounts/{id}/grants`` and ``/permissions``."""

from __future__ import annotations

from retinue.server.directory.queries import Principal
from tests.api.world import Caller, World


def path(account_id: str, tail: str = "grants") -> str:
    """The address of an account's grants."""
    return f"/v1/service-accounts/{account_id}/{tail}"


def test_grant_holds_for_the_next_call(world: World) -> None:
    """
    A permission is effective for the call after the grant, and gone for the call after its end.
    """
    caller = world.caller()
    before = caller.get("/v1/users")
    made = world.owner.post(path(caller.id), {"permission": "user:read", "justification": "reports"})
    during = caller.get("/v1/users")
    ended = world.owner.delete(f"{path(caller.id)}/{made.json['id']}")
    after = caller.get("/v1/users")

    assert (403, 201, 200, 200, 403) == (
        before.status,
        made.status,
        during.status,
        ended.status,
        after.status,
    )
    assert made.json == {name: value for name, value in ended.json.items() if name != "receipt"}
    assert ended.json["receipt"]["complete"]
    assert ("user:read", "direct", "reports", caller.id, world.owner.id) == (
        made.json["permission"], made.json["source"], made.json["justification"],
        made.json["subject"]["id"], made.json["granted_by"]["id"],
    )  # fmt: skip


def test_permissions_tell_where_each_comes_from(world: World) -> None:
    """
    Each effective permission lists every way in which it is held.
    """
    account = world.account(permissions=("user:read",), roles=("auditor",))
    items = world.owner.get(path(account.id, "permissions")).json["items"]
    found = {item["permission"]: sorted(source["kind"] for source in item["sources"]) for item in items}

    assert ["direct", "role"] == found["user:read"]
    assert ["role"] == found["audit_log:read"]
    assert "user:create" not in found


def test_grant_is_made_once(world: World) -> None:
    """
    The same permission is granted to an account once.
    """
    account = world.account(permissions=("report:read",))
    answer = world.owner.post(path(account.id), {"permission": "report:read"})

    assert (409, "duplicate_name", "body.permission") == (answer.status, answer.code, answer.field)


def test_unknown_permission_is_refused(world: World) -> None:
    """
    What is not declared cannot be granted, and what is no permission is told apart from it.
    """
    account = world.account()
    unknown = world.owner.post(path(account.id), {"permission": "rocket:launch"})
    malformed = world.owner.post(path(account.id), {"permission": "Rocket Launch"})

    assert (422, "permission_unknown", "body.permission") == (unknown.status, unknown.code, unknown.field)
    assert (400, "invalid_value", "body.permission") == (malformed.status, malformed.code, malformed.field)


def test_grant_beyond_the_ceiling_is_refused(world: World) -> None:
    """
    A caller grants only what it holds.
    """
    account = world.account()
    caller = world.caller("grant:create")
    answer = caller.post(path(account.id), {"permission": "report:write"})

    assert (403, "ceiling_exceeded") == (answer.status, answer.code)


#: All that is declared of the host's today, by name.
ALL_REPORTS = ("report:read", "report:write", "report:export")


def test_names_are_no_pattern(world: World) -> None:
    """
    Who holds all that a pattern covers today hands out no pattern: it reaches what is declared later.
    """
    manager = world.caller("grant:create", "credential:issue", *ALL_REPORTS, name="manager")
    holder = world.account("holder", permissions=("report:*",))
    answers = [
        manager.post(path(ident), {"permission": pattern, "justification": "x"})
        for ident in (manager.id, world.account().id)
        for pattern in ("report:*", "*:*", "*:read")
    ]
    key = manager.post(f"/v1/service-accounts/{holder.id}/keys", {"name": "k1"})

    assert {(403, "ceiling_exceeded")} == {(answer.status, answer.code) for answer in [*answers, key]}
    assert (403, "ceiling_exceeded", "body.permission") == (
        answers[0].status,
        answers[0].code,
        answers[0].field,
    )


def test_own_pattern_hands_out_what_it_covers(world: World) -> None:
    """
    A pattern is handed out by whoever holds one that covers it, directly or by a role.
    """
    direct = world.caller("grant:create", "report:*", name="direct")
    account = world.account("administrator", roles=("administrator",))
    by_role = Caller(world.key(account)[1], account)
    granted = [
        caller.post(path(world.account(f"a{place}").id), {"permission": pattern})
        for place, (caller, pattern) in enumerate(
            [(direct, "report:*"), (by_role, "report:*"), (by_role, "*:*"), (world.owner, "user:*")]
        )
    ]
    beyond = by_role.post(path(world.account().id), {"permission": "user:*"})

    assert [201] * 4 == [answer.status for answer in granted], [answer.text for answer in granted]
    assert (403, "ceiling_exceeded") == (beyond.status, beyond.code)


def test_role_with_a_pattern_needs_one_that_covers_it(world: World) -> None:
    """
    Who holds all permissions of a role by name, but not what it will reach later, does not hand it out.
    """
    names = [each["permission"] for each in _held(world.account("a", roles=("administrator",)), world)]
    weak = world.caller(*names, name="weak")
    strong = world.caller(*names, "*:*", name="strong")
    body = {"roles": ["administrator"], "justification": "x"}
    answers = [
        caller.patch(f"/v1/service-accounts/{world.account(caller.id).id}", body) for caller in (weak, strong)
    ]

    assert [(403, "ceiling_exceeded", "body.roles.0"), (200, "", None)] == [
        (answer.status, answer.code, answer.field) for answer in answers
    ]


def _held(account: Principal, world: World) -> list[dict[str, str]]:
    items: list[dict[str, str]] = world.owner.get(path(account.id, "permissions")).json["items"]
    return items


def test_elevated_grant_needs_a_justification(world: World) -> None:
    """
    An elevated permission is granted only with a reason.
    """
    account = world.account()
    without = world.owner.post(path(account.id), {"permission": "credential:issue"})
    reasoned = world.owner.post(
        path(account.id), {"permission": "credential:issue", "justification": "robots"}
    )

    assert (422, "justification_required", "body.justification") == (
        without.status,
        without.code,
        without.field,
    )
    assert 201 == reasoned.status


def test_grants_of_other_accounts_do_not_exist(world: World) -> None:
    """
    A grant is found under its own account only.
    """
    mine, other = world.account("mine"), world.account("other", permissions=("report:read",))
    grant = world.owner.get(path(other.id)).json["items"][0]["id"]
    answer = world.owner.delete(f"{path(mine.id)}/{grant}")

    assert (404, "not_found") == (answer.status, answer.code)


def test_deleted_account_is_granted_nothing(world: World) -> None:
    """
    What is deleted gets no permission; restored, it has what it had.
    """
    account = world.account(permissions=("report:read",))
    world.owner.delete(f"/v1/service-accounts/{account.id}")
    refused = world.owner.post(path(account.id), {"permission": "report:write"})
    world.owner.post(f"/v1/service-accounts/{account.id}/restore")

    assert (409, "state_conflict") == (refused.status, refused.code)
    assert ["report:read"] == [each["permission"] for each in world.owner.get(path(account.id)).json["items"]]


def test_grants_change_together_or_not_at_all(world: World) -> None:
    """
    One call grants and takes away; what is so already is left alone; one that is refused changes nothing.
    """
    account = world.account(permissions=("report:read", "user:read"))
    change = path(account.id)
    sent: dict[str, object] = {"grant": ["report:write", "user:read"], "take": ["report:read", "role:read"]}
    sent |= {"justification": "x"}
    done = world.owner.patch(change, sent)
    again = world.owner.patch(change, sent)
    refused = world.owner.patch(change, {"grant": ["nothing:here"], "take": ["user:read"]})
    both = world.owner.patch(change, {"grant": ["user:read"], "take": ["user:read"]})
    held = [each["permission"] for each in world.owner.get(path(account.id)).json["items"]]

    assert (["report:write"], ["report:read"]) == tuple(
        [each["permission"] for each in done.json[name]] for name in ("granted", "taken")
    )
    assert done.json["receipt"]["complete"]
    assert ([], []) == (again.json["granted"], again.json["taken"])
    assert (422, "body.grant") == (refused.status, refused.field)
    assert (400, "body.take") == (both.status, both.field)
    assert {"report:write", "user:read"} == set(held)


def test_nobody_changes_grants_beyond_their_own(world: World) -> None:
    """
    Who may grant and take away still hands out only what they hold.
    """
    account = world.account()
    caller = world.caller("grant:create", "grant:delete", "user:read")
    change = path(account.id)
    own = caller.patch(change, {"grant": ["user:read"]})
    more = caller.patch(change, {"grant": ["role:read"], "take": ["user:read"]})
    held = [each["permission"] for each in world.owner.get(path(account.id)).json["items"]]

    assert (200, 403, "ceiling_exceeded") == (own.status, more.status, more.code)
    assert ["user:read"] == held
