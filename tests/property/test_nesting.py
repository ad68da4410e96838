"""Leases behind relays, with clocks that lose time: no node decides when the control plane has waited it out.

A chain of clocks, each of which loses at most ε·L of real time in a lease. The rules are those of the product:
what a relay lends (``age_ms``), where its child's lease begins, for how long it may decide.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.replica.lease import EPSILON, MOST_HOPS, is_running, length_ms
from retinue.replica.records import Meta

L_MS = 10_000
BOUND_MS = L_MS * (1 + EPSILON)
LOSS_MS = L_MS * EPSILON
MS = 1_000_000
#: What milliseconds of an age and of a clock may hide.
ROUNDING_MS = 2 * (MOST_HOPS + 1)


@dataclass
class Clock:
    """A clock that stands still for ``lost_ms`` from a real instant on, and begins somewhere."""

    stops_at_ms: int
    lost_ms: int
    begin_ms: int = 1_000_000

    def shows(self, real_ms: float) -> int:
        """Return what it shows, in nanoseconds."""
        stood = min(max(real_ms - self.stops_at_ms, 0), self.lost_ms)
        return int((self.begin_ms + real_ms - stood) * MS)


#: Round instants meet: each clock may lose all that it may while it is the one that measures.
INSTANTS = st.integers(0, L_MS) | st.sampled_from(range(0, 5_000, 1_000))
LOSSES = st.integers(0, int(LOSS_MS)) | st.just(int(LOSS_MS))
CLOCKS = st.builds(Clock, INSTANTS, LOSSES, st.integers(1_000_000, 2_000_000))
#: For each hop: how long after the lease of the one above was taken the poll arrives, and its way there and back.
WAYS = st.integers(0, 3_000) | st.just(0)
HOPS = st.tuples(st.integers(0, L_MS) | st.sampled_from([1_000, 2_000]), WAYS, WAYS)


@settings(max_examples=1_000)
@given(st.lists(CLOCKS, min_size=MOST_HOPS + 1, max_size=MOST_HOPS + 1), st.lists(HOPS, max_size=MOST_HOPS))
def test_no_node_outlives_the_bound(clocks: list[Clock], hops: list[tuple[int, int, int]]) -> None:
    """
    However polls and answers are delayed, and whenever each clock loses its part: L(1+ε) of real time after the relay
    at the top was granted its lease, nobody below decides.
    """
    fresh_from_ns, taken_ms = clocks[0].shows(0), 0.0
    for depth, (after, there, back) in enumerate(hops, start=1):
        above, below = clocks[depth - 1], clocks[depth]
        arrives_ms = taken_ms + after
        sent_ms = arrives_ms - there
        arrived_ns = above.shows(arrives_ms)
        age_ms = max(0, -(-(arrived_ns - fresh_from_ns) // MS))
        fresh_from_ns = below.shows(sent_ms) - age_ms * MS
        taken_ms = arrives_ms + back
    depth = len(hops)
    end_ns = clocks[depth].shows(BOUND_MS + ROUNDING_MS)

    assert length_ms(L_MS, depth) * MS <= end_ns - fresh_from_ns


@given(st.integers(0, MOST_HOPS), st.integers(2_000, 3_600_000))
def test_each_relay_costs_one_margin(hops: int, lease_ms: int) -> None:
    """
    A lease behind relays ends one margin earlier for each, to the millisecond, and never later.
    """
    meta = Meta(complete=True, boot_id="b", fresh_from_ns=MS, fresh_wall_ms=0, hops=hops)
    ends = length_ms(lease_ms, hops)

    assert abs(ends - lease_ms * (1 - EPSILON * hops)) <= 1
    assert is_running(meta, lease_ms, "b", MS * ends, ends - 1)
    assert not is_running(meta, lease_ms, "b", MS * (ends + 1), ends)
