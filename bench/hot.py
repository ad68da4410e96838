"""What is counted: the hot path, so many times. :mod:`bench.instructions` runs this under callgrind.

``python -m bench.hot HOME MEASURE=TURNS ...`` forks a child for each measure: what one counts beyond another
that took fewer turns is the price of those turns, and nothing of the start. HOME is a node's folder, with
``tokens``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from retinue import pepper
from retinue.decision import Allowed, Denied
from retinue.guard import Guard, local
from retinue.guard.local import Local, Places
from retinue.replica.store import Store
from retinue.token import DEFAULT_BRAND
from retinue.verifier import Question, Verifier

NEED = ("report:read",)
#: Taken before the turns, so that what is made on first use is there.
WARM = 50
#: A replica of this bench is small, and a counting machine cannot map as much as a node does.
MAP_BYTES = 1 << 30
#: Nothing that happens by the clock may fall into a turn.
NEVER_NS = 1 << 62
Act = Callable[[Any], object]
Measure = Callable[[Path, list[str]], tuple[Act, list[Any]]]


def main(folder: Path, measures: list[str]) -> None:
    """Count each ``MEASURE=TURNS`` in a child of its own, and name its process."""
    defaults = Store.__init__.__kwdefaults__
    assert defaults is not None
    defaults["map_bytes"] = MAP_BYTES
    local.WATCH_NS = NEVER_NS
    tokens = (folder / "tokens").read_text().split()
    for each in measures:
        measure, _, turns = each.partition("=")
        child = os.fork()
        if child == 0:
            print(os.getpid(), each, flush=True)
            act, questions = MEASURES[measure](folder, tokens)
            for number in range(int(turns) + WARM):
                act(questions[number % len(questions)])
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"{each} failed")


def _verifier(folder: Path) -> Verifier:
    return Verifier(Store(folder / "replica"), pepper.load(folder / "pepper"))


def _decision(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
    """A whole decision, without its entry in the request log."""
    verify, questions = _verifier(folder).verify, [Question(token, NEED) for token in tokens]
    assert isinstance(verify(questions[0]), Allowed)
    return verify, questions


def _again(first: Measure) -> Measure:
    """Return a measure of what was asked three times before in the same state of the replica."""

    def again(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
        act, questions = first(folder, tokens[:WARM])
        for each in 3 * questions:
            act(each)
        return act, questions

    return again


def _garbage(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
    """The refusal of a token whose checksum is wrong."""
    verify, question = _verifier(folder).verify, Question("rtnsa_" + "x" * 12 + "_" + "x" * 49, NEED)
    assert isinstance(verify(question), Denied)
    return verify, [question]


def _guard(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
    """A guard in a host's process: the decision, its entry in the request log, and the caller."""
    places = Places(folder / "replica", folder / "pepper", folder / "spool", (DEFAULT_BRAND,))
    answer = Guard(decider=Local(places)).answer
    asked = [Question(token, NEED, None, None, "192.0.2.7", "GET", "/reports/7") for token in tokens]
    assert answer(asked[0]).kind == "service_account"
    return answer, asked


class _Transport:
    """What a connection writes to: nothing is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", 1

    def write(self, data: bytes) -> None:
        self.sent = data


def _http(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
    """``POST /v1/verify`` at a node's listener, between the bytes that come and those that go."""
    from retinue.node.exchange import Listener
    from retinue.node.http import Connection
    from retinue.node.settings import from_environment
    from retinue.node.worker import Worker

    worker = Worker(from_environment({"RETINUE_HOME": str(folder)}), 0)
    worker._watch()
    transport = _Transport()
    connection = Connection(Listener(worker._routes, asyncio.new_event_loop(), 10))
    connection.connection_made(cast(asyncio.BaseTransport, transport))
    head = b"POST /v1/verify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
    bodies = [b'{"token":"%b","need":["report:read"]}' % token.encode() for token in tokens]
    connection.data_received(head % len(bodies[0]) + bodies[0])
    assert b'"allowed":true' in transport.sent
    return connection.data_received, [head % len(body) + body for body in bodies]


def _http_garbage(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
    """The same, of tokens whose checksums are wrong, after one that was right."""
    act, requests = _http(folder, tokens)
    return act, [
        each.replace(token.encode(), _mistyped(token)) for each, token in zip(requests, tokens, strict=True)
    ]


def _mistyped(token: str) -> bytes:
    return (token[:-1] + ("0" if token[-1] != "0" else "1")).encode()


def _reference(folder: Path, tokens: list[str]) -> tuple[Act, list[Any]]:
    """The interpreter by itself: what this costs depends on its build, and on nothing of ours."""

    def act(text: str) -> object:
        parts = text.split("_")
        found = {each: each.encode() for each in parts}
        return sorted(found)[0] + str(len(found)) if all(map(found.get, parts)) else None

    return act, list(tokens)


MEASURES: dict[str, Measure] = {
    "decision": _decision,
    "decision again": _again(_decision),
    "garbage": _garbage,
    "guard": _guard,
    "guard again": _again(_guard),
    "http": _http,
    "http again": _again(_http),
    "http garbage": _http_garbage,
    "reference": _reference,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
