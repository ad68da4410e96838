"""``expiry.enforce: all``: existing credentials get the shorter expiry too, after a dry run and with a warning."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from retinue.server import housekeeping
from retinue.server.credentials.queries import Credential
from tests.api.lists import put_back
from tests.api.policies import set_policy
from tests.api.test_key_life import key_of
from tests.api.world import World

PLAN = "/v1/credentials/expiry-plan"
WARN = timedelta(days=30)


def stock(world: World) -> list[str]:
    """Four keys without end, a hundred days old, and one that ends soon enough: their ids, the last one's last."""
    set_policy(world, expiry__required=False, expiry__default_days="never")
    ids = [key_of(world, f"k{number}")[0].rpartition("/")[2] for number in range(5)]
    for ident in ids:
        put_back(Credential, ident, issued_at=datetime.now(UTC) - timedelta(days=100))
    world.owner.post(f"/v1/keys/{ids[-1]}/expire", {"expires": "5d"})
    return ids


def ends(world: World, ids: list[str]) -> list[datetime | None]:
    """When each key ends."""
    found = [world.owner.get(f"/v1/keys/{ident}").json["expires_at"] for ident in ids]
    return [None if each is None else datetime.fromisoformat(each) for each in found]


def sweep() -> None:
    """What housekeeping does in its hour."""
    housekeeping.sweep(datetime.now(UTC), threading.Event())


def test_stock_is_shortened_after_a_dry_run(world: World) -> None:
    """
    The plan says what would be shortened and until when, and nothing is while only new credentials are concerned;
    then all of it gets an end, not before the first warning, no two at once, and a second sweep moves none.
    """
    ids = stock(world)
    set_policy(world, expiry__required=True, expiry__default_days=60, expiry__max_days=90)
    sweep()
    planned, before = world.owner.get(PLAN).json, ends(world, ids)
    set_policy(world, expiry__enforce="all")
    sweep()
    after = ends(world, ids)
    sweep()

    assert ("new", 4, 0, [None] * 4) == (
        planned["enforce"],
        planned["credentials"],
        planned["in_use"],
        before[:-1],
    )
    first, last = datetime.now(UTC) + WARN - timedelta(minutes=1), datetime.now(UTC) + 2 * WARN
    made = [each for each in after[:-1] if each is not None]
    assert 4 == len(made)
    assert all(first < each < last for each in made)
    assert all(later - earlier > timedelta(days=5) for earlier, later in pairwise(made))
    assert after == ends(world, ids)
    assert before[-1] == after[-1]
    assert 0 == world.owner.get(PLAN).json["credentials"]


def test_what_has_time_keeps_its_own_end(world: World) -> None:
    """
    A young key ends when its longest life is over, and not earlier.
    """
    set_policy(world, expiry__required=False, expiry__default_days="never")
    path, _ = key_of(world)
    issued = datetime.fromisoformat(world.owner.get(path).json["issued_at"])
    set_policy(
        world, expiry__required=True, expiry__default_days=60, expiry__max_days=90, expiry__enforce="all"
    )
    sweep()

    assert [issued + timedelta(days=90)] == ends(world, [path.rpartition("/")[2]])
