"""A node that is wrong on purpose: its verifiers never look at the lease."""

from retinue.replica import lease

lease.is_running = lambda *_: True
