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

from retinue import proof
from retinue.server.ledger.entries import Place, instant, personal_text, record
from retinue.server.ledger.signing import Key

JSON = dict[str, Any]
COUNT = int(os.environ.get("RETINUE_TEST_CORRUPTIONS", "225"))
ORIGIN, KEY = "acme.example/ledger/1", Key(b"k" * 32)
EVENTS = 24


def _event(n: int, subject: str) -> tuple[JSON, str]:
    at = datetime(2026, 3, 1, 12, 0, n % 60, tzinfo=UTC)
    salt, data = (
        bytes([n % 256]) * 16,
        {"actor_name": "Ada", "subject_name": f"r{n}", "before": {}, "after": {}},
    )
    personal = personal_text(salt, data)
    event = SimpleNamespace(
        id=f"{n + 1}.1", revision=n + 1, n=1, mark="", at=at, organization="org_a", type="role.created",
        actor_kind="user", actor="usr_a", credential="", request="", channel="api", subject_kind="role",
        subject=subject, before={}, after={"n": n},
    )  # fmt: skip
    text = record(event, Place(n + 1, salt, proof.entry_of(personal)))
    shown = {
        "id": event.id, "revision": n + 1, "at": instant(at), "type": event.type,
        "actor": {"id": "usr_a", "kind": "user", "name": "Ada"}, "credential_id": None, "request_id": None,
        "address": None, "subject": {"kind": "role", "id": subject, "name": f"r{n}"}, "reason": None,
        "before": {}, "after": {"n": n},
        "entry": {"log": "1", "index": n, "sequence": n + 1, "record": text, "personal": personal},
    }  # fmt: skip
    return shown, text


def _export(subjects: list[str]) -> list[JSON]:
    """An export as whoever has the key can make it."""
    made = [_event(n, subject) for n, subject in enumerate(subjects)]
    entries = [proof.entry_of(text) for _, text in made]
    root = proof.tree_hash([proof.leaf_hash(each) for each in entries])
    log = {
        "log": "1", "key": proof.told_key(ORIGIN, KEY.public), "link": None, "whole": True,
        "checkpoint": KEY.checkpoint(ORIGIN, len(entries), root),
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


WAYS: list[Callable[[list[JSON], random.Random], None]] = [
    _edit, _edit, _drop, _plant, _unproven, _entries, _rewritten, _truncated, _reordered,
]  # fmt: skip


def test_what_was_not_touched_passes() -> None:
    """
    The export as it is holds, with all of its events.
    """
    assert ([], EVENTS) == proof.check(WHOLE, [KNOWN], [proof.told_key(ORIGIN, KEY.public)])


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
