"""The instant of a change, and the time that a call may take."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from retinue.server.api import limits
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.storage.estate import Task


@pytest.mark.usefixtures("estate")
def test_who_waited_at_the_door_acts_when_it_is_let_in() -> None:
    """
    The instant of a transaction is after that at which the one before let it in, not when it came to wait: a
    credential that ends in between has ended.
    """

    def instant() -> datetime:
        with transaction(SYSTEM) as tx:
            return tx.now

    with transaction(SYSTEM):
        task = Task(instant)
        time.sleep(0.05)
        left = timezone.now()
        if connection.vendor == "postgresql":  # there nobody waits before a row is locked
            task.result()
            return

    assert left - timedelta(milliseconds=1) <= task.result()


def test_the_time_of_a_call_ends_with_it_whoever_hooks_in_meanwhile() -> None:
    """
    A wrapper that is put on the connection during a call stays afterwards; the clock of the call does not, so
    that later calls of the thread have their own time.
    """

    def trace(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(sql, params, many, context)

    before = list(connection.execute_wrappers)
    with limits.timed(HttpRequest()):
        during = len(connection.execute_wrappers)
        connection.execute_wrappers.append(trace)
    after = list(connection.execute_wrappers)
    connection.execute_wrappers[:] = before

    assert (len(before) + 1, [*before, trace]) == (during, after)
