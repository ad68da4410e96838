"""Within one read of many parts, such as a page, the same thing is looked up once.

A change never uses this: what it has read holds until its commit (``queries.in_force``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from retinue.server.ledger import current
from retinue.server.ledger.transaction import Transaction

#: What is remembered, by its kind and what it depends on.
Memory = dict[Hashable, Any]
_known: ContextVar[Memory | None] = ContextVar("retinue_known", default=None)
T = TypeVar("T")
_ABSENT = object()


@contextmanager
def reads(is_read: bool = True, begun: Memory | None = None) -> Iterator[None]:
    """Remember, until the end of the block, what :func:`once` and :func:`by_id` have read.

    ``begun`` is what an earlier block of the same read has remembered, and is added to. A read that is part
    of another one shares what that remembers.
    """
    known = _known.get() if begun is None else begun
    token = _known.set(({} if known is None else known) if is_read else None)
    try:
        yield
    finally:
        _known.reset(token)


def _memory() -> Memory | None:
    return None if isinstance(current.get(), Transaction) else _known.get()


def once(key: Hashable, read: Callable[[], T]) -> T:
    """Return what ``read`` returns; within one read it is called once for each ``key``.

    Nobody may change what is returned.
    """
    memory = _memory()
    if memory is None:
        return read()
    if key not in memory:
        memory[key] = read()
    return cast("T", memory[key])


def learn(kind: str, found: Mapping[str, object]) -> None:
    """Remember for :func:`by_id` what was read beside something else."""
    memory = _memory()
    if memory is not None:
        memory.update({(kind, ident): row for ident, row in found.items()})


def by_id(kind: str, ids: Iterable[str], read: Callable[[list[str]], Mapping[str, T]]) -> dict[str, T]:
    """Return what ``read`` finds for ids; within one read it is asked for those that are new."""
    wanted = dict.fromkeys(ids)
    memory = _memory()
    if memory is None:
        return dict(read(list(wanted))) if wanted else {}
    unknown = [each for each in wanted if (kind, each) not in memory]
    if unknown:
        found = read(unknown)
        for each in unknown:
            memory[kind, each] = found.get(each, _ABSENT)
    return {each: memory[kind, each] for each in wanted if memory[kind, each] is not _ABSENT}
