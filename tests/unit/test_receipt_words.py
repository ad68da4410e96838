"""What the command line says of a receipt."""

from __future__ import annotations

import pytest

from retinue.cli.session import in_words
from retinue.client.models import Receipt, Settled


def _receipt(*nodes: Settled, complete: bool = True) -> Receipt:
    state = "complete" if complete else "pending"
    return Receipt(
        id="rcp_1", epoch=1, revision=7, complete=complete, state=state, bound="10.5s", nodes=[*nodes]
    )


CONFIRMED = Settled(node="fra", how="confirmed", waited_ms=12.4)


@pytest.mark.parametrize(
    ("words", "receipt"),
    [
        ("holds: no node was deciding", _receipt()),
        ("holds on 1 of 1 nodes, 12 ms", _receipt(CONFIRMED)),
        (
            "holds on 2 of 2 nodes, 9870 ms; not reached, its lease has ended: ams",
            _receipt(CONFIRMED, Settled(node="ams", how="lease_ended", waited_ms=9870.2)),
        ),
        (
            "committed, not yet promised for ams (at most 10.5s; receipt rcp_1)",
            _receipt(CONFIRMED, Settled(node="ams", how="waiting"), complete=False),
        ),
    ],
)
def test_a_receipt_in_words(words: str, receipt: Receipt) -> None:
    """A person reads on how many nodes it holds, since when, and who was not reached."""
    assert words == in_words(receipt)
