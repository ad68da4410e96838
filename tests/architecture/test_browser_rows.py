"""What a system's users find in its console is shown in a browser: each such row has a test there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.conformance.rows import SYSTEMS, rows

FOLDER = Path(__file__).parents[1] / "browser" / "presets"


def _named_after(preset: str) -> list[str]:
    """Return the ids of rows that tests of a file are named after."""
    body = ast.parse((FOLDER / f"test_{preset}.py").read_text()).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef)]
    return [found[1] for name in names if (found := re.match(r"test_([A-Z]{2}\d+)_\w+", name))]


def test_every_row_about_pages_is_shown_in_a_browser() -> None:
    """
    Each stated or implied row of kind ``console`` has one test of its id, in the file of its system's preset.
    """
    owed = {row.id: SYSTEMS[row.system][0] for row in rows() if row.is_binding and row.kind == "console"}
    shown = [(each, preset) for preset, _ in SYSTEMS.values() for each in _named_after(preset)]

    assert 27 == len(owed)
    assert sorted(owed.items()) == sorted(shown)
