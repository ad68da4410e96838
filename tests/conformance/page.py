"""The page that says which requirement is shown by which test, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.conformance.rows import SYSTEMS, Row, rows, shown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
_HEAD = """\
# Conformance

Five systems describe service accounts in their public documentation. Retinue meets what they state or imply with
one model; each organization begins with a preset, and organizations of different presets stand side by side on one
server. Each row below has one test in `tests/conformance/`, named by its id. The tests run over HTTP against one
running control plane and one node, in organizations of the preset of their system.

This page is written by `make conformance` from that run, and held equal to it by a test. *Missing* rows have a
test that is known to fail.
"""


def render() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *_summary(), *(line for system in SYSTEMS for line in _table(system))])


def _summary() -> Iterator[str]:
    yield "| system | preset | shown | missing |"
    yield "|---|---|---|---|"
    for system, (preset, name) in SYSTEMS.items():
        states = [_state(row) for row in _binding(system)]
        numbers = [sum(state.startswith(word) for state in states) for word in ("`", "missing")]
        yield f"| {name} | `{preset}` | {' | '.join(map(str, numbers))} |"
    yield ""


def _table(system: str) -> Iterator[str]:
    yield f"## {SYSTEMS[system][1]}"
    yield ""
    yield "| id | requirement | in the model | shown by |"
    yield "|---|---|---|---|"
    for row in _binding(system):
        yield f"| {row.id} | {_cell(row.requirement)} | {_cell(row.element)} | {_state(row)} |"
    yield ""


def _binding(system: str) -> list[Row]:
    return [row for row in rows() if row.system == system and row.is_binding]


def _state(row: Row) -> str:
    test = shown().get(row.id)
    if test is None:
        return "missing: it has no test"
    return f"missing: {test.missing}" if test.missing else f"`{test.path}`"


def _cell(text: str) -> str:
    """Return a text as it may stand in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")
