"""Appending to the Merkle log beside writers and other processes: nobody waits for it, and it writes once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from retinue.server.ledger import appending, verifying
from retinue.server.ledger import transaction as ledger
from retinue.server.ledger.appending import Signer
from retinue.server.ledger.models import AuditEvent, Log
from retinue.server.ledger.signing import Key, Outside
from tests.server_support import merkle
from tests.storage.estate import Estate, Task

pytestmark = pytest.mark.usefixtures("awake")


def _newest() -> Log:
    found = appending.newest()
    assert found is not None
    return found


def test_writers_wait_for_the_rows_alone(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    While entries, tiles and signature are made the door is free: another thread changes something then, and that
    is appended next. With the door held four statements are sent, however long the log is.
    """
    signer, sent = merkle.append(), list[str]()
    estate.account()
    checkpoint = Key.checkpoint

    def signed(key: Key, *given: Any) -> str:
        Task(estate.account).result()
        return checkpoint(key, *given)

    def count(execute: Callable[..., Any], sql: str, *given: Any) -> Any:
        if ledger._door._owner == threading.get_ident():
            sent.append(sql.split(None, 1)[0])
        return execute(sql, *given)

    with monkeypatch.context() as patch, connection.execute_wrapper(count):
        patch.setattr(Key, "checkpoint", signed)
        first = signer.append()

    assert first > 0
    assert sent == (["BEGIN", "UPDATE", "INSERT", "INSERT"] if connection.vendor == "sqlite" else [])
    assert signer.append() > 0
    assert 0 == signer.append()
    assert [] == verifying.verify(signer.outside.read())


def test_who_is_overtaken_in_its_host_finds_nothing_broken(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Another process with the same file outside appends after the log's row was read: the file is ahead of that
    row, and nothing is wrong. Nothing is written twice, and nothing said.
    """
    first = merkle.append()
    second = Signer(first.deployment, first.key, first.outside)
    estate.account()
    following = appending._following

    def overtaken(log: Log, most: int) -> list[AuditEvent]:
        monkeypatch.setattr(appending, "_following", following)
        rows = following(log, most)
        assert Task(second.append).result() > 0
        return rows

    monkeypatch.setattr(appending, "_following", overtaken)

    assert 0 == first.append()
    assert [] == verifying.verify(first.outside.read())


def test_who_was_overtaken_writes_nothing(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Another process appends, or begins another log, after a batch was made and before it is written: nothing of
    the batch is written, and the next append goes on from what there is.
    """
    first = merkle.append()
    second = Signer(first.deployment, first.key, Outside(tmp_path))
    other = Signer(first.deployment, Key(secrets.token_bytes(32)), first.outside)
    made = Signer._made
    for appends, meanwhile in ((first, second.append), (first, other.begin), (other, first.begin)):
        estate.account()

        def overtaken(signer: Signer, *given: Any, act: Callable[[], Any] = meanwhile) -> Any:
            monkeypatch.setattr(Signer, "_made", made)
            batch = made(signer, *given)
            Task(act).result()
            return batch

        before = _newest()
        monkeypatch.setattr(Signer, "_made", overtaken)
        written = appends.append()
        after = _newest()

        assert 0 == written
        assert (before.id, before.size) < (after.id, after.size)
        if before.id != after.id:
            assert before.size == Log.objects.get(id=before.id).size
    while first.append():
        pass

    assert [] == verifying.verify(first.outside.read())
