"""Within one read of many parts, such as a page, the policy is looked up once.

A change never uses this: what it has read holds until its commit (``queries.in_force``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_known: ContextVar[dict[str, str] | None] = ContextVar("retinue_policies_known", default=None)


@contextmanager
def reads(is_read: bool = True) -> Iterator[None]:
    """Remember, until the end of the block, which version stands in each organization.

    A read that is part of another one shares what that remembers.
    """
    outer = _known.get()
    token = _known.set(({} if outer is None else outer) if is_read else None)
    try:
        yield
    finally:
        _known.reset(token)


def known() -> dict[str, str] | None:
    """Return what is remembered, by organization; ``None`` outside of such a read."""
    return _known.get()
