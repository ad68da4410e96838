"""A relay that is wrong on purpose: it lends whole leases, as if its own had begun just now."""

from retinue.node import relay

_right = relay.Relay._lend


def _wrong(self, snapshot, meta, child, answer, arrived_ns):  # type: ignore[no-untyped-def]
    _right(self, snapshot, meta, child, answer, arrived_ns)
    answer.age_ms = 0


relay.Relay._lend = _wrong  # type: ignore[method-assign]
