"""A relay that is wrong on purpose: one that is started again does not ask to whom the one before has lent."""

from retinue.node.children import Children

_right = Children.begin


def _wrong(self, *, inherits, now_ns, lease_ms):  # type: ignore[no-untyped-def]
    _right(self, inherits=False, now_ns=now_ns, lease_ms=lease_ms)


Children.begin = _wrong  # type: ignore[method-assign]
