"""A node keeps what stands around the token in a body: an answer must never depend on what came before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.node.exchange import Request
from retinue.node.settings import from_environment
from retinue.node.worker import Worker
from retinue.usage import SpoolTail
from tests.node.world import World, build

_VARIES = re.compile(rb"Date: [^\r]+|req_[0-9A-Za-z]+")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Worker]]:
    """A worker that is asked in process, with its known accounts."""
    home = tmp_path_factory.mktemp("bodies") / "home"
    world = build(home)
    worker = Worker(from_environment({"RETINUE_HOME": str(home)}), 0)
    worker._watch()
    yield world, worker
    worker.close()


def _answer(worker: Worker, body: bytes) -> bytes:
    request = Request("127.0.0.1")
    request.body = body
    return _VARIES.sub(b"", worker._decisions.verify(request))


_BEHIND = (
    b'}', b',"need":["report:read"]}', b',"need":["report:write"]}', b',"need":["report:read","report:write"]}',
    b' ,"need":[]}', b',"need":null}', b',"need":["a:\\u0062"]}', b',"need":["report:none"]}',
    b',"organization":"acme"}', b',"organization":"nobody"}', b',"organization":"\xc3\xa4"}',
    b',"organization":null,"need":["report:read"]}', b',"need":["report:read"],"need":["report:write"]}',
    b',"token":"another"}', b',"scheme":"Bearer"}', b',"scheme":"apikey"}', b',"scheme":"no scheme"}',
    b',"address":"192.0.2.7","need":["report:read"]}', b',"path":"/a?b","method":"GET"}', b',"path":"a"}',
    b',"resource":"r1","need":["report:read"]}', b',"attributes":{"owner":"x"}}', b',"route":"/a/{b}"}',
    b',"client":"cli"}', b',"unknown":1}', b',"need":["report:read"]', b'}}', b',"need":"report:read"}',
)  # fmt: skip
_TOKENS = ("reader", "powerless", "revoked", "warned")
_ODD = (
    b"",
    b"x",
    b"rtnsa_",
    b"rtnsa_" + b"x" * 12 + b"_" + b"x" * 49,
    b"eyJhbGciOiJub25lIn0",
    b'\\"',
    b"\\u0072",
    b"\xc3\xa4",
    b"\xff",
    b"\x00",
    b"a b",
    b"{}",
    b"a" * 9_000,
)


@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from([*_TOKENS, *_ODD]),
            st.sampled_from(_BEHIND),
            st.sampled_from([b'{"token":"', b'{"token":"', b'{ "token":"', b'{"Token":"', b'["token":"']),
            st.sampled_from([b"", b"", b"secret-token:", b"x"]),
        ),
        min_size=2,
        max_size=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_answers_do_not_depend_on_what_came_before(served: tuple[World, Worker], drawn: Any) -> None:
    """
    Any bodies in any order, each also for another token in what was kept of it: the same bytes as from a node
    that keeps nothing.
    """
    world, worker = served
    for token, behind, opening, before in drawn:
        known = token in world.tokens
        text = world.token(token).encode() if known else token if isinstance(token, bytes) else b"gone"
        body = opening + before + text + b'"' + behind
        answered = _answer(worker, body)
        kept, worker._decisions._asked = worker._decisions._asked, {}
        worker._decisions.verifier._kept.known.clear()
        worker._decisions.verifier._kept.facts.garbage.clear()
        expected = _answer(worker, body)
        worker._decisions._asked = kept

        assert expected == answered, body


def test_what_is_kept_is_used_and_bounded(served: tuple[World, Worker]) -> None:
    """
    The same question about another token is not read again; what says more of a request than its token is never
    kept, nor more than a bound.
    """
    world, worker = served
    asked = worker._decisions._asked
    asked.clear()
    for behind in _BEHIND:
        for name in ("reader", "revoked"):
            _answer(worker, b'{"token":"' + world.token(name).encode() + b'"' + behind)
    kept = set(asked)
    for number in range(2_000):
        _answer(worker, b'{"token":"x","need":["report:read"]' + b" " * number + b"}")

    assert {b"}", b',"need":["report:read"]}', b',"organization":"acme"}'} <= kept
    assert not [each for each in kept if b"address" in each or b"path" in each or each.count(b'"need"') > 1]
    assert 0 < len(asked) <= 256
    assert max(map(len, asked)) <= 1024


def test_the_log_is_the_same(served: tuple[World, Worker], tmp_path: Path) -> None:
    """
    What is kept is logged like what was read: all but instant and duration.
    """
    world, worker = served
    body = b'{"token":"%b","need":["report:read"]}' % world.token("reader").encode()
    first = worker._spool.sequence
    worker._decisions.verifier._kept.known.clear()
    worker._decisions.verifier._kept.facts.before.clear()
    answers = {_answer(worker, body) for _ in range(5)}
    tail = SpoolTail(worker._spool.path)
    tail.seek(first)
    _, entries = tail.read(10)
    tail.close()

    assert 1 == len(answers)
    assert 5 == len(entries)
    assert all(each.at_ms > 1_700_000_000_000 and each.duration_us >= 0 for each in entries)
    alike = {repr([v for k, v in _fields(each) if k not in ("at_ms", "duration_us")]) for each in entries}
    assert 1 == len(alike)
    assert "reader" in alike.pop()


def _fields(entry: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(entry, name)) for name in entry.__struct_fields__]
