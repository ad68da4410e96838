"""A relay that is wrong on purpose: it confirms what it has applied itself, whoever follows it."""

from retinue.node.children import Children

Children.confirmed = lambda self, own, now_ns: own  # type: ignore[method-assign]
