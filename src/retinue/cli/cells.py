"""What a person, a spreadsheet and a script see of an object: its columns, and a value as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from retinue.cli.exits import CommandError, Exit

T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """A column of tables, CSV and TSV: its title and the path of its value in the object."""

    title: str
    path: str
    #: How a person reads the value; other forms keep it as it is.
    person: Callable[[Any], str] | None = None
    #: Left out of tables, which are as narrow as a terminal.
    data_only: bool = False


@dataclass(frozen=True)
class Shape(Generic[T]):
    """How objects of one type are shown: columns, what ``-o name`` and ``-o id`` print."""

    columns: tuple[Column, ...]
    name: Callable[[T], str]
    id: Callable[[T], str]


def value_at(plain: dict[str, Any], path: str) -> Any:
    """Return the value at a dotted path, ``None`` where a part of it is absent.

    Raises for a first part that objects of this type do not have: inner objects may be free in form.
    """
    first, *others = path.split(".")
    if first not in plain:
        raise CommandError(
            f"--fields {path}: unknown field {first}", f"known: {', '.join(plain)}", Exit.USAGE
        )
    value = plain[first]
    for name in others:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def cell(value: Any) -> str:
    """Return a value as the text of one cell: lists by comma, inner objects by their name."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(cell, value))
    if isinstance(value, dict):
        return cell(
            value.get("handle")
            or value.get("name")
            or value.get("id")
            or json.dumps(value, ensure_ascii=False)
        )
    return clean(str(value))


def told(value: Any) -> str:
    """Return what somebody says of themselves as a person reads it, also where nothing is said."""
    return "not told" if value is None else cell(value)


def clean(text: str) -> str:
    """Return ``text`` with everything that is not printable replaced, so that it cannot steer a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)
