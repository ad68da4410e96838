"""A key of the policy that is accepted has an effect: a test shows it, of each key."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from retinue.server.policies.enforced import UNENFORCED
from retinue.server.policies.keys import KEYS, members
from tests.architecture.keys_shown import FIXED, SHOWN_BY

TESTS = Path(__file__).parents[1]
LEAVES = [
    f"{key.name}.{member}" if member else key.name
    for key in KEYS.values()
    for member in members(key) or ("",)
]
SHOWN = [
    (leaf, file, test)
    for file, tests in SHOWN_BY.items()
    for test, leaves in tests.items()
    for leaf in leaves
]


@cache
def _tests(file: str) -> tuple[str, frozenset[str]]:
    """The text of a file, and the names of its tests."""
    text = (TESTS / f"{file}.py").read_text()
    found = [each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)]
    return text, frozenset(each.name for each in found if each.name.startswith("test_"))


def test_every_key_has_a_test() -> None:
    """
    Each key, and each member of one that is an object, once; of what is not enforced only the default is accepted.
    """
    assert sorted(LEAVES) == sorted([*(leaf for leaf, _, _ in SHOWN), *UNENFORCED])


@pytest.mark.parametrize(("leaf", "file", "test"), SHOWN, ids=[leaf for leaf, _, _ in SHOWN])
def test_the_test_of_a_key_states_it(leaf: str, file: str, test: str) -> None:
    """
    The test is there, and its file states the key and, of an object, the member.
    """
    text, names = _tests(file)
    key = leaf if leaf in KEYS else leaf.rpartition(".")[0]
    ways = (f"{key.replace('.', '__')}=", f'"{key}"', f"``{key}``", f"``{leaf}``")

    assert test in names
    assert leaf in FIXED or any(way in text for way in ways)
    assert leaf in FIXED or leaf in KEYS or leaf.rpartition(".")[2] in text
