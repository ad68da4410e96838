"""An export that somebody has touched never passes, given one checkpoint that was kept outside.

``RETINUE_TEST_CORRUPTIONS`` is how many are tried; ``make ledger-fuzz`` tries 100,000.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from retinue import proof
from retinue.server.ledger.entries import Place, instant, personal_text, record
from retinue.server.ledger.signing import Key

JSON = dict[str, Any]
COUNT = int(os.environ.get("RETINUE_TEST_CORRUPTIONS", "225"))
ORIGIN, KEY = "acme.example/ledger/1", Key(b"k" * 32)
EVENTS = 24


def _event(n: int, subject: str, organization: str = "org_a") -> tuple[JSON, str]:
    at = datetime(2026, 3, 1, 12, 0, n % 60, tzinfo=UTC)
    salt, data = (
        bytes([n % 256]) * 16,
        {"actor_name": "Ada", "subject_name": f"r{n}", "before": {}, "after": {}},
    )
    personal = personal_text(salt, data)
    event = SimpleNamespace(
        id=f"{n + 1}.1", revision=n + 1, n=1, mark="", at=at, organization=organization, type="role.created",
        actor_kind="user", actor="usr_a", credential="", request="", channel="api", subject_kind="role",
        subject=subject, before={}, after={"n": n},
    )  # fmt: skip
    text = record(event, Place(n + 1, salt, proof.entry_of(personal)))
    shown = {
        "id": event.id, "revision": n + 1, "at": instant(at), "type": event.type,
        "actor": {"id": "usr_a", "kind": "user", "name": "Ada"}, "credential_id": None, "request_id": None,
        "channel": "api", "address": None, "subject": {"kind": "role", "id": subject, "name": f"r{n}"}, "reason": None,
        "before": {}, "after": {"n": n},
        "entry": {"log": "1", "index": n, "sequence": n + 1, "record": text, "personal": personal},
    }  # fmt: skip
    return shown, text


def _export(subjects: list[str], key: Key = KEY, origin: str = ORIGIN) -> list[JSON]:
    """An export as whoever has the key can make it."""
    made = [_event(n, subject) for n, subject in enumerate(subjects)]
    entries = [proof.entry_of(text) for _, text in made]
    root = proof.tree_hash([proof.leaf_hash(each) for each in entries])
    log = {
        "log": "1", "key": proof.told_key(origin, key.public), "link": None, "whole": True,
        "checkpoint": key.checkpoint(origin, len(entries), root),
        "entries": base64.b64encode(b"".join(entries)).decode(),
    }  # fmt: skip
    return [*(shown for shown, _ in made), log]


SUBJECTS = [f"role_{n}" for n in range(EVENTS)]
WHOLE = _export(SUBJECTS)
KNOWN = proof.read_checkpoint(WHOLE[-1]["checkpoint"])


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in an event that holds a text or a number."""
    if isinstance(value, dict):
        return [place for name, each in value.items() for place in _places(each, (*path, name))]
    return [path] if isinstance(value, str | int) and not isinstance(value, bool) else []


def _edit(lines: list[JSON], draw: random.Random) -> None:
    """Change one text or number anywhere in an event."""
    line = draw.choice(lines[:-1])
    place = draw.choice(_places(line))
    for name in place[:-1]:
        line = line[name]
    old = line[place[-1]]
    if isinstance(old, int):
        line[place[-1]] = old + draw.choice((-1, 1, 7))
    else:
        at = draw.randrange(len(old) + 1)
        line[place[-1]] = old[:at] + draw.choice("abcXYZ019") + old[at:]


def _drop(lines: list[JSON], draw: random.Random) -> None:
    """Leave an event out that is not the newest."""
    del lines[draw.randrange(EVENTS - 1)]


def _plant(lines: list[JSON], draw: random.Random) -> None:
    """Add an event a second time under another number."""
    planted = copy.deepcopy(draw.choice(lines[:-1]))
    planted["id"] = f"{planted['revision']}.{draw.randrange(2, 9)}"
    lines.insert(0, planted)


def _unproven(lines: list[JSON], draw: random.Random) -> None:
    """Say of an event, not the newest, that it is not in the log yet."""
    lines[draw.randrange(EVENTS - 1)]["entry"] = None


def _entries(lines: list[JSON], draw: random.Random) -> None:
    """Swap, cut, double or flip entries of the log."""
    data = bytearray(base64.b64decode(lines[-1]["entries"]))
    a, b = draw.sample(range(EVENTS), 2)
    how = draw.randrange(4)
    if how == 0:
        data[a * 32 : a * 32 + 32], data[b * 32 : b * 32 + 32] = (
            data[b * 32 : b * 32 + 32],
            data[a * 32 : a * 32 + 32],
        )
    elif how == 1:
        del data[-32 * draw.randrange(1, EVENTS) :]
    elif how == 2:
        data[a * 32 : a * 32] = data[b * 32 : b * 32 + 32]
    else:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    lines[-1]["entries"] = base64.b64encode(data).decode()


def _rewritten(lines: list[JSON], draw: random.Random) -> None:
    """Make everything anew from some point on, with the right key."""
    at = draw.randrange(EVENTS)
    lines[:] = _export([each if n < at else f"other_{n}" for n, each in enumerate(SUBJECTS)])


def _truncated(lines: list[JSON], draw: random.Random) -> None:
    """Cut the end off, and sign what is left with the right key."""
    lines[:] = _export(SUBJECTS[: draw.randrange(1, EVENTS)])


def _reordered(lines: list[JSON], draw: random.Random) -> None:
    """Exchange two events, and sign the log anew with the right key."""
    a, b = draw.sample(range(EVENTS), 2)
    other = list(SUBJECTS)
    other[a], other[b] = other[b], other[a]
    lines[:] = _export(other)


def _unsigned(lines: list[JSON], draw: random.Random) -> None:
    """Add entries behind those that were signed, and the events that they are of; or put one for another."""
    n = draw.choice((EVENTS, draw.randrange(EVENTS)))
    shown, text = _event(n, "forged")
    shown["entry"]["index"] = EVENTS
    lines[: len(lines) - 1 - EVENTS + (n < EVENTS)] = [shown]
    data = base64.b64decode(lines[-1]["entries"]) + proof.entry_of(text)
    lines[-1]["entries"] = base64.b64encode(data).decode()


def _stripped(lines: list[JSON], draw: random.Random) -> None:
    """Say of all events that they are not in the log yet, and change one."""
    for line in lines[:-1]:
        line["entry"] = None
    lines[draw.randrange(EVENTS)]["after"] = {"n": "forged"}


def _beside(lines: list[JSON], draw: random.Random) -> None:
    """Leave the log as it was signed, and prove other events by a log that stands beside it."""
    key, origin = draw.choice(
        ((Key(b"x" * 32), ORIGIN), (Key(b"x" * 32), "other"), (KEY, "acme.example/ledger/2"))
    )
    other = _export([f"forged_{n}" for n in range(EVENTS)], key, origin)
    for line in other:
        (line if "log" in line else line["entry"])["log"] = "2"
    lines[:] = [*other, lines[-1]] if draw.random() < 0.5 else [*other[:-1], lines[-1], other[-1]]


def _twice(lines: list[JSON], draw: random.Random) -> None:
    """Let two logs of one name stand there, the one that was signed and another."""
    other = _export([f"forged_{n}" for n in range(EVENTS)], Key(b"x" * 32))
    lines[:] = [*other[:-1], other[-1], lines[-1]] if draw.random() < 0.5 else [*lines, other[-1]]


def _excused(lines: list[JSON], draw: random.Random) -> None:
    """Leave an event out, and add one of no log that says it was let go."""
    _drop(lines, draw)
    shown, _ = _event(EVENTS + 5, "any")
    lines.insert(0, shown | {"type": proof.EXPIRED, "after": {"logged": 1}, "entry": None})


def _true_for_one(lines: list[JSON], draw: random.Random) -> None:
    """Say true where there was a one."""
    lines[1]["after"]["n"] = True


WAYS: list[Callable[[list[JSON], random.Random], None]] = [
    _edit, _edit, _drop, _plant, _unproven, _entries, _rewritten, _truncated, _reordered,
    _unsigned, _stripped, _beside, _twice, _excused, _true_for_one,
]  # fmt: skip


def test_what_was_not_touched_passes() -> None:
    """
    The export as it is holds, with all of its events.
    """
    assert ([], EVENTS, 0) == proof.check(WHOLE, [KNOWN], [proof.told_key(ORIGIN, KEY.public)])


def test_every_corruption_is_found() -> None:
    """
    Edited, dropped, planted, reordered, cut, or written anew and signed with the right key: all of them are found.
    """
    draw = random.Random(int(os.environ.get("RETINUE_TEST_SEED", "7")))  # noqa: S311
    missed = []
    for n in range(COUNT):
        lines = copy.deepcopy(WHOLE)
        way = WAYS[n % len(WAYS)]
        way(lines, draw)
        if lines != WHOLE and not proof.check(lines, [KNOWN])[0]:
            missed.append((way.__name__, json.dumps(lines)[:2000]))

    assert [] == missed


def test_what_nothing_proves_is_counted() -> None:
    """
    An event that is newer than the log does not count as proven: it may be made up, and is told apart.
    """
    planted, _ = _event(EVENTS + 5, "forged")
    lines = [planted | {"entry": None}, *WHOLE]

    assert ([], EVENTS, 1) == proof.check(lines, [KNOWN])
    assert "24 events hold; 1 newer ones are not in the log yet" == proof.told(EVENTS, 1)


def test_a_gap_is_not_filled_with_the_event_of_another_organization() -> None:
    """
    Events of two organizations have the same numbers: one of them in the place of the other is found.
    """
    made = [_event(n, "role", "org_b" if n == 3 else "org_a") for n in range(6)]
    entries = [proof.entry_of(text) for _, text in made]
    root = proof.tree_hash([proof.leaf_hash(each) for each in entries])
    log = WHOLE[-1] | {
        "checkpoint": KEY.checkpoint(ORIGIN, len(entries), root),
        "entries": base64.b64encode(b"".join(entries)).decode(),
    }

    assert ["the events are of more than one organization"] == proof.check([*(e for e, _ in made), log], [])[
        0
    ]


@pytest.mark.parametrize("line", [7, None, [], "entries", {}, {"entries": 7}, {"entries": "", "log": []}])
def test_a_line_that_is_none_is_found(line: Any) -> None:
    """
    JSON that is no line of an export is told, not raised.
    """
    assert proof.check([*WHOLE, line], [KNOWN])[0]
