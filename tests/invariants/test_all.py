"""Each invariant of the model has its tests here, by its number."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

_TEST = re.compile(r"^def test_inv(\d+)_", re.MULTILINE)


def test_every_invariant_has_tests() -> None:
    """
    INV1 to INV10 each stand in one module of this folder, with more than one test.
    """
    found: Counter[int] = Counter()
    for path in Path(__file__).parent.glob("test_inv*.py"):
        numbers = {int(number) for number in _TEST.findall(path.read_text())}
        assert 1 == len(numbers), path.name
        found[numbers.pop()] += len(_TEST.findall(path.read_text()))

    assert set(range(1, 11)) == set(found)
    assert min(found.values()) > 1
