"""The requirements of the five systems, and which test shows each: read from the table and from the tests."""

from __future__ import annotations

import ast
import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
TABLE = FOLDER / "requirements.tsv"
#: Folder, preset and name of the system by the first letters of a row's id.
SYSTEMS = {
    "WH": ("whaly", "Whaly"),
    "QU": ("qualytics", "Qualytics"),
    "PR": ("precisely", "Precisely Data Integrity Suite"),
    "PL": ("planhat", "Planhat"),
    "WF": ("wavefront", "Wavefront"),
}
_ID = re.compile(r"test_([A-Z]{2}\d+)_\w+")


@dataclass(frozen=True)
class Row:
    """One requirement: where it stands, what it is about, and in which words of the model it is met."""

    id: str
    seed: str
    source: str
    kind: str
    requirement: str
    element: str

    @property
    def system(self) -> str:
        """The first letters of the id."""
        return self.id[:2]

    @property
    def is_binding(self) -> bool:
        """Whether the system's own text states or implies it."""
        return self.source in ("stated", "implied")


@dataclass(frozen=True)
class Shown:
    """A test of a row. ``missing`` is why it cannot pass yet; empty for one that passes."""

    row: str
    path: str
    name: str
    missing: str = ""


def missing(reason: str) -> pytest.MarkDecorator:
    """Mark the test of a row that is not met yet: it is known to fail, and the build fails once it passes."""
    return pytest.mark.xfail(reason=reason, strict=True)


@cache
def rows() -> tuple[Row, ...]:
    """Return all requirements, in the order of the table."""
    with TABLE.open(newline="") as file:
        found = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert found[0] == ["id", "seed", "source", "kind", "requirement", "model element"]
    return tuple(Row(*each) for each in found[1:])


@cache
def shown() -> dict[str, Shown]:
    """Return the test of each row that has one, by the id of the row; a row has one test."""
    found: dict[str, Shown] = {}
    for folder, _ in SYSTEMS.values():
        for path in sorted((FOLDER / folder).glob("test_*.py")):
            for each in _tests(path):
                assert each.row not in found, f"{each.row} has two tests"
                found[each.row] = each
    return found


def _tests(path: Path) -> list[Shown]:
    found = []
    for node in ast.parse(path.read_text()).body:
        match = _ID.fullmatch(node.name) if isinstance(node, ast.FunctionDef) else None
        if match and isinstance(node, ast.FunctionDef):
            why = "".join(_reason(each) for each in node.decorator_list)
            found.append(Shown(match[1], str(path.relative_to(FOLDER)), node.name, why))
    return found


def _reason(decorator: ast.expr) -> str:
    """Return why a test is marked as missing; empty for another mark."""
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Name):
        return ""
    if decorator.func.id != "missing":
        return ""
    return str(ast.literal_eval(decorator.args[0]))
