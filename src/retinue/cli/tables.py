"""Tables for people. The only place of the data path that loads the drawing library."""

from __future__ import annotations

import sys
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from retinue.cli.cells import Column, cell, value_at

_GOOD = frozenset({"active", "enabled", "allowed"})
_BAD = frozenset({"revoked", "deleted", "denied", "expired", "blocked", "disabled", "removed", "suspended"})


def print_rows(columns: tuple[Column, ...], items: list[dict[str, Any]], no_color: bool) -> None:
    """Print one row an item, or say on standard error that there is none."""
    if not items:
        print("nothing found", file=sys.stderr)
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, overflow="fold")
    for item in items:
        table.add_row(*(_text(column, item) for column in columns))
    _console(no_color).print(table)


def print_fields(columns: tuple[Column, ...], item: dict[str, Any], no_color: bool) -> None:
    """Print the fields of one object below one another."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for column in columns:
        table.add_row(column.title, _text(column, item))
    _console(no_color).print(table)


def _text(column: Column, item: dict[str, Any]) -> Text:
    value = value_at(item, column.path)
    if column.person is not None:
        shown = column.person(value)
    else:
        # Broken between the words of a list, not in them.
        shown = ", ".join(map(cell, value)) if isinstance(value, list) else cell(value)
    style = "green" if shown in _GOOD else "red" if shown in _BAD else ""
    return Text(shown, style=style)


def _console(no_color: bool) -> Console:
    # NO_COLOR, FORCE_COLOR and COLUMNS are read by the library; the flag wins over them.
    return Console(file=sys.stdout, no_color=no_color or None, highlight=False, soft_wrap=False)
