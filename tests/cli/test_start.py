"""What a start loads: counted in modules, because times depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from retinue.cli.app import _COMMANDS
from tests.cli.conftest import Run

_COUNT = """
import json, sys
from retinue.cli.__main__ import main
try:
    main(sys.argv[1:])
finally:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""
#: The modules of the nouns, of which a command loads its own alone.
NOUNS = {f"retinue.cli.{place.partition(':')[0]}" for _, place, _, _ in _COMMANDS}
_FRAMEWORK = {"cyclopts", "rich", "docstring_parser", "attrs"}
_PLANES = {"django", "ninja", "granian", "uvloop", "pydantic"}


def loaded(*words: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after this command."""
    process = subprocess.run(
        [sys.executable, "-c", _COUNT, *words], capture_output=True, text=True, timeout=180
    )
    return set(json.loads(process.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "most", "without"),
    [
        (("--help",), 260, _PLANES | {"yaml", "lmdb", "msgspec", "keyring", "ssl"}),
        (
            ("account", "list", "-o", "json"),
            290,
            _PLANES | {"yaml", "keyring", "webbrowser", "sqlite3"},
        ),
        (
            ("verify", "--file", "own-token"),
            170,
            _PLANES | _FRAMEWORK | {"yaml", "msgspec", "lmdb", "keyring"},
        ),
        (
            ("verify", "--offline", "--file", "own-token"),
            230,
            _PLANES | _FRAMEWORK | {"yaml", "keyring", "http.client", "ssl"},
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_start_is_small(words: tuple[str, ...], most: int, without: set[str], run: Run) -> None:
    """So many modules at most, and none of what this command does without."""
    found = loaded(*words)

    assert set() == found & without
    assert len(found) <= most


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (("--help",), set()),
        (("account", "list", "-o", "json"), {"retinue.cli.account"}),
        (("log", "list", "-o", "json"), {"retinue.cli.log"}),
        (("verify", "--file", "own-token"), set()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_loads_its_own_noun_alone(words: tuple[str, ...], own: set[str], run: Run) -> None:
    """Nouns are loaded when they are called for."""
    assert own == loaded(*words) & NOUNS
