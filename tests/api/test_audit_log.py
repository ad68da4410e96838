"""The log that proves the audit events, as the API and the tiles give it."""

from __future__ import annotations

import base64
import json

import pytest

from retinue import proof
from retinue.server.ledger import current, keeping
from retinue.server.ledger.keeping import Keeper
from retinue.server.ledger.models import Log
from tests.api.world import STRANGER, World
from tests.server_support import merkle

LOG = "/v1/audit-log"
COUNTED = "events of other organizations that are not what was signed"


def _newest(world: World) -> dict[str, object]:
    merkle.append()
    found: dict[str, object] = world.owner.get(LOG).json["logs"][-1]
    return found


def _note(log: dict[str, object]) -> proof.Checkpoint:
    note = proof.read_checkpoint(str(log["checkpoint"]))
    note.check(proof.read_key(str(log["key"]))[1])
    return note


def _all_entries(world: World, log: dict[str, object]) -> list[bytes]:
    found: list[bytes] = []
    while True:
        answer = world.owner.get(f"{LOG}/{log['name']}/entries?first={len(found)}").json
        data = base64.b64decode(answer["entries"])
        found += [data[at : at + 32] for at in range(0, len(data), 32)]
        if len(data) < 4096 * 32:
            return found


def test_the_checkpoint_is_that_of_the_entries(world: World) -> None:
    """
    The newest checkpoint is signed by the log's key, and its root is that over the entries that are given.
    """
    log = _newest(world)
    note, entries = _note(log), _all_entries(world, log)

    assert (note.origin, note.size, base64.b64encode(note.root).decode()) == (
        log["origin"],
        log["size"],
        log["root"],
    )
    assert len(entries) == note.size
    assert proof.tree_hash([proof.leaf_hash(each) for each in entries]) == note.root
    assert 0 == world.owner.get(LOG).json["behind"]


def test_each_event_has_a_proof(world: World) -> None:
    """
    The proof of an event leads from its record to the root that was signed, and the record says what the event
    says.
    """
    account = world.account("etl")
    log = _newest(world)
    event = world.owner.get(f"/v1/audit-events?subject={account.id}").json["items"][0]
    found = world.owner.get(f"/v1/audit-events/{event['id']}/proof").json
    note = proof.read_checkpoint(found["checkpoint"])
    record = json.loads(found["record"])
    leaf = proof.leaf_hash(proof.entry_of(found["record"]))

    assert note == _note(log)
    assert (event["id"], event["type"], event["at"], event["subject"]["id"]) == (
        record["id"],
        record["type"],
        record["at"],
        record["subject"],
    )
    assert base64.b64encode(leaf).decode() == found["leaf"]
    hashes = [base64.b64decode(each) for each in found["hashes"]]
    assert proof.is_included(leaf, found["index"], note.size, hashes, note.root)
    assert proof.entry_of(found["personal"]).hex() == record["personal"]
    assert f"c2sp.org/tlog-proof@v1\nindex {found['index']}\n" in found["proof"]
    assert found["proof"].endswith("\n\n" + found["checkpoint"])


def test_events_are_listed_with_their_entries(world: World) -> None:
    """
    Where it is asked for, each event carries its entry; one that is not in the log yet carries none, and its
    proof is refused as a conflict.
    """
    merkle.append()
    world.account("late")
    items = world.owner.get("/v1/audit-events?entries=true").json["items"]
    late = items[0]["id"]

    assert items[0]["entry"] is None
    assert all(item["entry"] for item in items if item["entry"] or item["revision"] < items[0]["revision"])
    assert (409, "state_conflict") == _told(world.owner.get(f"/v1/audit-events/{late}/proof"))
    assert all(item["entry"] is None for item in world.owner.get("/v1/audit-events").json["items"])


def _told(answer: object) -> tuple[int, str]:
    return answer.status, answer.code  # type: ignore[attr-defined]


def test_the_log_is_only_added_to(world: World) -> None:
    """
    Between two checkpoints there is a proof that the later log begins with the earlier one.
    """
    old = _note(_newest(world))
    world.account("etl")
    log = _newest(world)
    new = _note(log)
    answer = world.owner.get(f"{LOG}/{log['name']}/consistency?old={old.size}&new={new.size}")
    hashes = [base64.b64decode(each) for each in answer.json["hashes"]]

    assert old.size < new.size
    assert proof.is_consistent(old.size, old.root, new.size, new.root, hashes)
    assert not proof.is_consistent(old.size, b"x" * 32, new.size, new.root, hashes)


@pytest.mark.parametrize(
    "query", ["old=2&new=1", "old=-1&new=1", "old=0&new=99999999", "old=a&new=1", "new=1"]
)
def test_sizes_that_are_none_are_refused(world: World, query: str) -> None:
    """
    Sizes in the wrong order, beyond the log or that are no numbers are refused by name.
    """
    log = _newest(world)
    answer = world.owner.get(f"{LOG}/{log['name']}/consistency?{query}")

    assert 400 == answer.status, answer.text
    assert 404 == world.owner.get(f"{LOG}/9.9/consistency?old=0&new=0").status
    assert 400 == world.owner.get(f"{LOG}/{log['name']}/entries?first=1").status


def test_an_auditor_sees_nothing_of_another_organization(world: World) -> None:
    """
    Of another organization there is neither a record nor a proof; what is seen of the log are salted hashes, in
    which no name, handle or id of the other one stands.
    """
    other = World.create()
    account = other.account("theirs")
    log = _newest(world)
    theirs = other.owner.get("/v1/audit-events?limit=200").json["items"]
    answers = [
        world.owner.get(path)
        for path in (
            LOG,
            f"{LOG}/{log['name']}/entries",
            f"{LOG}/{log['name']}/checkpoint",
            f"{LOG}/{log['name']}/tile/0/000.p/1",
            "/v1/audit-events?entries=true&limit=200",
        )
    ]

    assert {404} == {world.owner.get(f"/v1/audit-events/{each['id']}/proof").status for each in theirs}
    for answer in answers:
        assert 200 == answer.status
        for text in (account.id, other.organization.id, other.organization.handle):
            assert text not in answer.text


def test_what_is_wrong_with_events_of_others_is_a_count(world: World) -> None:
    """
    What was found is told by ids of events to whose they are, also if the event is gone; others learn how many
    there are, and what is wrong with the log itself.
    """
    other = World.create()
    accounts = world.account("ours"), other.account("theirs")
    log = _newest(world)
    ours, theirs = (
        each.owner.get(f"/v1/audit-events?subject={account.id}").json["items"][0]["id"]
        for each, account in zip((world, other), accounts, strict=True)
    )
    notes = {
        ours: f"the personal part of event {ours} is not what it was",
        theirs: f"event {theirs} is gone",
    }
    with current.appending():
        rows = Log.objects.filter(name=log["name"])
        rows.update(trouble=[*notes.values(), f"{log['origin']}: no signature"])
        found = [each.owner.get(LOG).json for each in (world, other)]
        rows.update(trouble=[])

    assert ["broken", "broken"] == [each["state"] for each in found]
    assert [[notes[each], f"{log['origin']}: no signature", f"{COUNTED}: 1"] for each in (ours, theirs)] == [
        each["logs"][-1]["trouble"] for each in found
    ]


def test_tiles_are_those_of_the_standard(world: World) -> None:
    """
    A bundle has a length before each entry, and a tile the hashes of the bundle's entries; a tile that is not
    there, and one with a width that it has not, are not found.
    """
    log = _newest(world)
    width = min(int(str(log["size"])), 255)
    part = f"000.p/{width}" if int(str(log["size"])) < 256 else "000"
    bundle = world.owner.get(f"{LOG}/{log['name']}/tile/entries/{part}").body
    hashes = world.owner.get(f"{LOG}/{log['name']}/tile/0/{part}").body
    entries = [bundle[at + 2 : at + 34] for at in range(0, len(bundle), 34)]

    assert {b"\x00\x20"} == {bundle[at : at + 2] for at in range(0, len(bundle), 34)}
    assert b"".join(proof.leaf_hash(each) for each in entries) == hashes
    for bad in (
        "0/x001/000",
        "0/000.p/0",
        "0/000.p/256",
        "6/000",
        "0/1",
        "-1/000",
        "0/" + "x999/" * 1500 + "000",
    ):
        assert 404 == world.owner.get(f"{LOG}/{log['name']}/tile/{bad}").status
    assert 404 == world.owner.get(f"{LOG}/none/checkpoint").status


def test_who_may_not_read_events_reads_no_tile(world: World) -> None:
    """
    Without a token, or without the permission, nothing is told; another method is refused by name.
    """
    log = _newest(world)
    weak = world.caller("report:read")
    for path in ("checkpoint", "tile/0/000"):
        address = f"{LOG}/{log['name']}/{path}"
        assert (401, "token_missing") == _told(STRANGER.get(address))
        assert (403, "permission_missing") == _told(weak.get(address))
        assert 405 == world.owner.post(address).status


def test_a_look_says_what_it_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The call has the rows looked at, and gives what was found, with size and time.
    """
    signer = merkle.append()
    keeper = Keeper(signer)
    monkeypatch.setattr(keeping, "_keeper", keeper)
    keeper.start()
    world.account("etl")
    answer = world.owner.post(f"{LOG}/verify")
    keeper.end()
    keeper.join(10)

    assert 200 == answer.status, answer.text
    assert "whole" == answer.json["state"]
    assert answer.json["logs"][-1]["verified_size"] == answer.json["logs"][-1]["size"]
    assert answer.json["logs"][-1]["verified_at"] is not None
