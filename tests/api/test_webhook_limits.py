"""What cannot be a webhook, how many there may be, and who may make one."""

from __future__ import annotations

import pytest

from tests.api.messages import Outside
from tests.api.test_webhooks import JSON, made
from tests.api.world import Caller, World


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "body.url"),
        ({"url": "https://user:word@hooks.example/"}, "body.url"),
        ({"url": "gopher://hooks.example/"}, "body.url"),
        ({"url": "http://192.168.1.1/"}, "body.url"),
        ({"events": []}, "body.events"),
        ({"events": ["key.*", "nonsense"]}, "body.events.1"),
        ({"events": ["key.nothing"]}, "body.events.0"),
        ({"name": ""}, "body.name"),
    ],
)
def test_what_cannot_be_called_is_refused(world: World, outside: Outside, wrong: JSON, field: str) -> None:
    """
    Addresses inside, other schemes, and events that there are not name their field; nothing is made.
    """
    body = {"name": "siem", "url": "https://hooks.example/x", "events": ["*"]} | wrong
    answer = world.owner.post("/v1/webhooks", body)

    assert (400, field) == (answer.status, answer.field)
    assert [] == world.owner.get("/v1/webhooks").json["items"]


def test_names_and_numbers_have_limits(world: World, outside: Outside) -> None:
    """
    A name stands once; an organization has twenty webhooks at most.
    """
    path, _ = made(world, outside, "w0")
    body = {"name": "w0", "url": "https://hooks.example/", "events": ["*"]}
    assert (409, "duplicate_name") == ((taken := world.owner.post("/v1/webhooks", body)).status, taken.code)
    for number in range(1, 20):
        made(world, outside, f"w{number}")
    full = world.owner.post("/v1/webhooks", body | {"name": "more"})
    renamed = world.owner.patch(path, {"name": "w1"})

    assert [(409, "state_conflict"), (409, "duplicate_name")] == [
        (each.status, each.code) for each in (full, renamed)
    ]


def test_who_sends_events_out_may_export_them(world: World, outside: Outside) -> None:
    """
    To make a webhook, or point it elsewhere, needs audit_log:export beside organization:update; another organization's
    webhook does not exist.
    """
    path, _ = made(world, outside)
    body = {"name": "mine", "url": "https://hooks.example/", "events": ["*"]}
    half, whole = world.caller("organization:update"), world.caller("organization:update", "audit_log:export")
    stranger: Caller = World.create().owner

    assert (403, 201) == (half.post("/v1/webhooks", body).status, whole.post("/v1/webhooks", body).status)
    assert (403, 200) == (half.patch(path, {"name": "x"}).status, half.post(f"{path}/disable").status)
    assert {404} == {
        stranger.get(path).status,
        stranger.delete(path).status,
        stranger.get(f"{path}/deliveries").status,
    }
