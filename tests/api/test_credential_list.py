"""``/v1/credentials``: every kind in one list, and which credential a found token is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retinue.server.credentials.queries import Credential
from retinue.token import Kind, mint
from tests.api import test_ingest_tokens
from tests.api.lists import put_back
from tests.api.test_key_life import key_of
from tests.api.test_key_rotation import use
from tests.api.world import STRANGER, Caller, World

ALL = "/v1/credentials"


def names(caller: Caller, query: str = "") -> list[str]:
    """The names in the list, in its order."""
    answer = caller.get(f"{ALL}?{query}")
    assert 200 == answer.status, answer.text
    return [each["name"] for each in answer.json["items"]]


def filled(world: World) -> dict[str, str]:
    """A key that was used, an old one that was not, an ingest token; the owner's own token is there: ids."""
    ids = {}
    for name in ("used", "old"):
        path, caller = key_of(world, name)
        ids[name] = path.rpartition("/")[2]
        if name == "used":
            use(world, ids[name], caller.id)
    ids["ingest"] = test_ingest_tokens.issue(world, name="ingest").json["key"]["id"]
    put_back(Credential, ids["old"], issued_at=datetime.now(UTC) - timedelta(days=40))
    world.owner.post(f"/v1/keys/{ids['old']}/expire", {"expires": "5d"})
    return ids


def test_each_filter_narrows_the_list(world: World) -> None:
    """
    By kind, account, state, status, format, days of use and of expiry, name and text; sorted as asked.
    """
    filled(world)
    caller = world.owner

    assert {"used", "old", "ingest", "test"} == set(names(caller))
    assert {
        "kind=ingest_token": ["ingest"],
        "kind=personal_access_token": ["test"],
        "account=of-used": ["used"],
        "state=revoked": [],
        "status=expiring": ["old"],
        "format=pair": [],
        "used_within=1&kind=api_key": ["used"],
        "unused_for=30": ["old"],
        "expires_within=7": ["old"],
        "name=OLD": ["old"],
        "search=F-us": ["used"],
        "sort=name": ["ingest", "old", "test", "used"],
        "sort=-name": ["used", "test", "old", "ingest"],
        "sort=issued_at&kind=api_key": ["old", "used"],
    } == {query: names(caller, query) for query in (
        "kind=ingest_token", "kind=personal_access_token", "account=of-used", "state=revoked", "status=expiring",
        "format=pair", "used_within=1&kind=api_key", "unused_for=30", "expires_within=7", "name=OLD", "search=F-us",
        "sort=name", "sort=-name", "sort=issued_at&kind=api_key",
    )}  # fmt: skip


def test_a_list_holds_what_its_reader_may_see(world: World) -> None:
    """
    Who reads keys alone sees no personal access token and no ingest token, whatever is asked for.
    """
    filled(world)
    reader = world.caller("credential:read", name="reader")

    assert {"used", "old", "k1"} == set(names(reader))
    assert [] == names(reader, "kind=ingest_token") + names(reader, "kind=personal_access_token")


def test_state_of_the_account_stands_beside_each(world: World) -> None:
    """
    Keys of a disabled account stay listed, and say that it is disabled.
    """
    path, caller = key_of(world)
    world.owner.post(f"/v1/service-accounts/{caller.id}/disable")
    found = [each for each in world.owner.get(ALL).json["items"] if each["id"] in path]

    assert [("disabled", "blocked", "active")] == [
        (each["account_state"], each["status"], each["state"]) for each in found
    ]


def test_a_found_token_is_identified(world: World) -> None:
    """
    A genuine token tells which credential it is, also a revoked one; anything else is not found, the same for a
    wrong secret, a stranger's organization, and a kind that the caller may not read.
    """
    path, holder = key_of(world)
    assert holder.token is not None
    text = holder.token.reveal()
    live = world.owner.post(f"{ALL}/identify", {"token": text})
    world.owner.post(f"{path}/revoke")
    ended = world.owner.post(f"{ALL}/identify", {"token": text})
    wrong = mint(Kind.API_KEY, kid=holder.token.kid).reveal()
    assert world.owner.token is not None
    reader = world.caller("credential:read")
    others = [
        world.owner.post(f"{ALL}/identify", {"token": wrong}),
        World.create().owner.post(f"{ALL}/identify", {"token": text}),
        reader.post(f"{ALL}/identify", {"token": world.owner.token.reveal()}),
        world.owner.post(f"{ALL}/identify", {"token": "no token at all"}),
    ]

    assert (path.rpartition("/")[2], True, None) == (
        live.json["key"]["id"], live.json["accepted"], live.json["reason"],
    )  # fmt: skip
    assert (False, "credential_revoked") == (ended.json["accepted"], ended.json["reason"])
    assert [(404, "not_found")] * 4 == [(each.status, each.code) for each in others]
    assert 1 == len({each.json["detail"] for each in others})
    assert text not in live.text + ended.text + world.owner.get("/v1/audit-events").text
    assert 401 == STRANGER.post(f"{ALL}/identify", {"token": text}).status
