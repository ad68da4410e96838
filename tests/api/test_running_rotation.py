"""A rotation that runs is made longer, or taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.api.policies import set_policy
from tests.api.test_key_life import holder, key_of
from tests.api.test_key_rotation import statuses
from tests.api.world import World


def until(world: World, path: str) -> timedelta:
    """Return for how long from now the key is still accepted."""
    return datetime.fromisoformat(world.owner.get(path).json["retires_at"]) - datetime.now(UTC)


def test_overlap_is_extended_within_the_policy(world: World) -> None:
    """
    The old key is accepted for so much longer, whichever of the two is named; never longer since the rotation than
    the policy's overlap, nor past its own end.
    """
    path, old = key_of(world)
    new = world.owner.post(f"{path}/rotate", {"overlap": "1h"}).json["key"]
    one = f"/v1/keys/{new['id']}/extend-rotation"
    extended = world.owner.post(one, {"by": "2h"})
    too_long = world.owner.post(f"{path}/extend-rotation", {"by": "22h"})
    set_policy(world, rotation__overlap_seconds=10 * 86_400)
    world.owner.post(f"{path}/expire", {"expires": "4h"})
    past_end = world.owner.post(one, {"by": "5h"})

    assert (200, path.rpartition("/")[2]) == (extended.status, extended.json["id"]), extended.json
    assert abs(until(world, path) - timedelta(hours=3)) < timedelta(minutes=1)
    assert [(400, "body.by")] * 2 == [(each.status, each.field) for each in (too_long, past_end)]
    assert "rotation.overlap_seconds" in too_long.json["detail"]
    assert 200 == old.get("/v1/me").status
    wrong: tuple[dict[str, str], ...] = ({}, {"by": "0s"}, {"by": "soon"}, {"by": "9999999d"})
    assert [400] * 4 == [world.owner.post(one, body).status for body in wrong]


def test_rotation_is_taken_back(world: World) -> None:
    """
    The old key no longer retires and can be rotated again; the new one is refused, for good.
    """
    for named in ("old", "new"):
        path, old = key_of(world, named)
        new = world.owner.post(f"{path}/rotate")
        successor = f"/v1/keys/{new.json['key']['id']}"
        undone = world.owner.post(f"{path if named == 'old' else successor}/undo-rotation")

        assert (200, path.rpartition("/")[2], "active", None, None) == (
            undone.status, *(undone.json[name] for name in ("id", "state", "retires_at", "rotated_to")),
        )  # fmt: skip
        assert [200, 401] == statuses(old, holder(new))
        assert ("revoked", "superseded") == tuple(
            world.owner.get(successor).json[e] for e in ("state", "reason")
        )
        assert [409, 409, 409] == [
            world.owner.post(f"{each}/{act}").status
            for each, act in ((path, "undo-rotation"), (successor, "finish-rotation"), (successor, "restore"))
        ]
        again = world.owner.post(f"{path}/rotate")
        assert 409 == world.owner.post(f"{successor}/finish-rotation").status
        assert [200, 401, 200] == statuses(old, holder(new), holder(again))


def test_what_has_retired_or_lost_its_name_stays_so(world: World) -> None:
    """
    A rotation without overlap, or one that is over, is neither extended nor taken back; nor one whose successor was
    rotated, or whose old name another key has; nor by the token that was replaced.
    """
    path, _ = key_of(world, "gone")
    world.owner.post(f"{path}/rotate", {"overlap": "0s"})
    over = [
        world.owner.post(f"{path}/{act}", {"by": "1h"} if act == "extend-rotation" else {}).status
        for act in ("extend-rotation", "undo-rotation")
    ]
    twice, _ = key_of(world, "twice")
    second = world.owner.post(f"{twice}/rotate", {"name": "second"}).json["key"]["id"]
    world.owner.post(f"/v1/keys/{second}/rotate", {"overlap": "0s"})
    named, _ = key_of(world, "named")
    world.owner.post(f"{named}/rotate", {"name": "other"})
    account = world.owner.get(named).json["account"]["id"]
    world.owner.post(f"/v1/service-accounts/{account}/keys", {"name": "named"})
    taken = world.owner.post(f"{named}/undo-rotation")

    assert [409, 409] == over
    assert 409 == world.owner.post(f"{twice}/undo-rotation").status
    assert (409, "duplicate_name") == (taken.status, taken.code)
    assert "retiring" == world.owner.get(named).json["status"]


def test_replaced_token_does_not_keep_itself(world: World) -> None:
    """
    Whoever has the old token, and may rotate keys, neither lets it live longer nor takes its rotation back with it.
    """
    thief = world.caller("credential:rotate")
    (key,) = world.owner.get(f"/v1/service-accounts/{thief.id}/keys").json["items"]
    path = f"/v1/keys/{key['id']}"
    world.owner.post(f"{path}/rotate", {"overlap": "1h"})

    assert [409, 409] == [
        thief.post(f"{path}/{act}-rotation", body).status
        for act, body in (("extend", {"by": "1h"}), ("undo", {}))
    ]
    assert 200 == world.owner.post(f"{path}/undo-rotation").status
