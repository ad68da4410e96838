"""Which ledger transaction is open on this thread, if any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol


class Open(Protocol):
    """What the guard needs to know of an open transaction."""

    wrote: bool


_open: ContextVar[Open | None] = ContextVar("retinue_ledger_transaction", default=None)
_suspended: ContextVar[bool] = ContextVar("retinue_ledger_guard_suspended", default=False)
_compacting: ContextVar[bool] = ContextVar("retinue_ledger_compacting", default=False)
_expiring: ContextVar[bool] = ContextVar("retinue_ledger_expiring", default=False)
_appending: ContextVar[bool] = ContextVar("retinue_ledger_appending", default=False)


def get() -> Open | None:
    """Return the transaction that is open here."""
    return _open.get()


@contextmanager
def entered(transaction: Open) -> Iterator[None]:
    """Make ``transaction`` the open one. Transactions do not nest."""
    if _open.get() is not None:
        raise RuntimeError("a ledger transaction is open already; transactions do not nest")
    mark = _open.set(transaction)
    try:
        yield
    finally:
        _open.reset(mark)


@contextmanager
def _marked(state: ContextVar[bool]) -> Iterator[None]:
    mark = state.set(True)
    try:
        yield
    finally:
        state.reset(mark)


def is_compacting() -> bool:
    """Tell whether old changes are being deleted here."""
    return _compacting.get()


def compacting() -> AbstractContextManager[None]:
    """Let old changes be deleted, and the head say so."""
    return _marked(_compacting)


def is_expiring() -> bool:
    """Tell whether events go here that their organization keeps no longer."""
    return _expiring.get()


def expiring() -> AbstractContextManager[None]:
    """Let events go, inside a ledger transaction."""
    return _marked(_expiring)


def is_appending() -> bool:
    """Tell whether entries are added to the Merkle log here."""
    return _appending.get()


def appending() -> AbstractContextManager[None]:
    """Let the Merkle log be written: it says nothing that events do not say."""
    return _marked(_appending)


def is_suspended() -> bool:
    """Tell whether the guard is off (migrations)."""
    return _suspended.get()


def suspended() -> AbstractContextManager[None]:
    """Switch the guard off while the schema changes."""
    return _marked(_suspended)
