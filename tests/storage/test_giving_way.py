"""What is done in the background waits for calls that are answered, and not for ever."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import connection

from retinue.server.ledger import giving_way as module
from retinue.server.ledger.giving_way import Patience, answering, giving_way, standing_back
from retinue.server.threads import Calls
from tests.storage.estate import Task

pytestmark = pytest.mark.usefixtures("awake")


def _select(seconds: float) -> Patience:
    with giving_way(seconds) as patience, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.execute("SELECT 1")
    return patience


def test_a_statement_waits_for_the_calls_that_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    While two calls are answered nothing is sent; when both are, it is.
    """
    monkeypatch.setattr(module, "ONE_SECONDS", 30.0)
    ends = threading.Event(), threading.Event()
    begun = threading.Semaphore(0)

    def call(end: threading.Event) -> None:
        with answering():
            begun.release()
            end.wait(30)

    calls = [Task(lambda end=end: call(end)) for end in ends]  # type: ignore[misc]
    for _ in calls:
        assert begun.acquire(timeout=30)
    waiting = Task(lambda: _select(60.0))
    is_waiting = []
    for call_, end in zip(calls, ends, strict=True):
        waiting.join(0.05)
        is_waiting.append(waiting.is_alive())
        end.set()
        call_.result()

    assert [True, True] == is_waiting
    assert waiting.result().spent > 0
    assert 0 == _select(60.0).spent


def test_a_call_that_waits_for_long_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A call that is not answered: each statement is sent a little later, and none when patience has ended.
    """
    monkeypatch.setattr(module, "ONE_SECONDS", 0.02)
    with answering():
        both, one = _select(30.0).spent, _select(0.01).spent

    assert both >= 0.04
    assert 0.01 <= one


def test_each_call_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The server marks a thread as answering for as long as it does, also if that fails.
    """
    found: list[bool] = []

    def asked(calls: Calls, environ: dict[str, Any]) -> Any:
        found.append(threading.get_ident() in module._answering)
        raise RuntimeError

    monkeypatch.setattr(Calls, "_asked", asked)
    answer = Calls.__new__(Calls)._answered({})

    assert [True] == found
    assert 500 == answer[0]
    assert threading.get_ident() not in module._answering


def test_a_full_collection_does_not_look_at_the_program() -> None:
    """
    Once calls can be answered, what is loaded is out of the sight of the garbage collector, which holds up all threads.
    """
    before = gc.get_freeze_count()
    try:
        with closing(asyncio.new_event_loop()) as loop, ThreadPoolExecutor(1) as threads:
            Calls(loop, threads)
        frozen, seen = gc.get_freeze_count() - before, len(gc.get_objects())
    finally:
        gc.unfreeze()

    assert frozen > 10 * seen


def test_who_stands_back_is_no_call() -> None:
    """
    A call that stands back holds nobody up and does not wait for itself; after that it is a call again.
    """
    with answering():
        with standing_back(30.0) as give_way:
            give_way()
            assert 0 == _select(30.0).spent
        assert threading.get_ident() in module._answering
    with standing_back(30.0):
        pass
    assert threading.get_ident() not in module._answering
