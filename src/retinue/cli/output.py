"""Data on standard output, in the form that was asked for.

A list is ``{"items": [...], "next": ...}`` in JSON and YAML, one line an item in JSON lines, one row an item
in tables, CSV and TSV. One thing is one object. Text for people is cleaned of control characters: names come
from others, and a terminal obeys escape sequences.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from retinue.cli import settings
from retinue.cli.cells import Column, Shape, cell, clean, value_at
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import FormOptions

T = TypeVar("T")


def form(options: FormOptions) -> str:
    """Return the form to use: the flag, ``RETINUE_OUTPUT``, else table on a terminal and TSV in a pipe."""
    if options.output is not None:
        return options.output
    preset = settings.output()
    if preset is not None:
        known = ("table", "json", "jsonl", "yaml", "csv", "tsv", "name", "id")
        if preset.value not in known:
            source = "RETINUE_OUTPUT=" if preset.source == "environment" else f"output of {preset.source}: "
            raise CommandError(
                f"{source}{preset.value}: unknown form", f"use one of {', '.join(known)}", Exit.USAGE
            )
        return preset.value
    return "table" if sys.stdout.isatty() else "tsv"


def show_list(pages: Iterable[Any], shape: Shape[T], options: FormOptions, following: bool = False) -> None:
    """Print a list. ``pages`` are read as they are printed; JSON, YAML and tables need all of them."""
    kind = form(options)
    if kind in ("json", "yaml"):
        items, cursor = [], None
        for page in pages:
            items += [chosen(_plain(item), options) for item in page.items]
            cursor = page.next
        _document({"items": items, "next": cursor}, kind)
        return
    if kind == "table" and not following:
        from retinue.cli.tables import print_rows

        print_rows(
            table_columns(shape, options),
            [_plain(item) for page in pages for item in page.items],
            options.no_color,
        )
        return
    _stream(pages, shape, options, "tsv" if kind == "table" else kind)


def _stream(pages: Iterable[Any], shape: Shape[T], options: FormOptions, kind: str) -> None:
    columns = columns_of(shape, options)
    headed = kind not in ("csv", "tsv")
    for page in pages:
        # Not before the first answer: a command that fails prints nothing.
        if not headed:
            _write(_row([column.title for column in columns], kind))
            headed = True
        for item in page.items:
            _write(_line(item, columns, shape, options, kind))
        sys.stdout.flush()


def _line(item: T, columns: tuple[Column, ...], shape: Shape[T], options: FormOptions, kind: str) -> str:
    if kind == "name":
        return clean(shape.name(item)) + "\n"
    if kind == "id":
        return shape.id(item) + "\n"
    plain = _plain(item)
    if kind == "jsonl":
        return json.dumps(chosen(plain, options), ensure_ascii=False, separators=(",", ":")) + "\n"
    return _row([cell(value_at(plain, column.path)) for column in columns], kind)


def show_one(item: T, shape: Shape[T], options: FormOptions) -> None:
    """Print one object: in a table its fields below one another."""
    kind = form(options)
    if kind in ("json", "yaml"):
        _document(chosen(_plain(item), options), kind)
        return
    if kind == "table":
        from retinue.cli.tables import print_fields

        print_fields(columns_of(shape, options), _plain(item), options.no_color)
        return
    columns = columns_of(shape, options)
    if kind in ("csv", "tsv"):
        _write(_row([column.title for column in columns], kind))
    _write(_line(item, columns, shape, options, kind))


def show_object(plain: dict[str, Any], options: FormOptions) -> None:
    """Print a plain object as JSON or YAML, or its top fields as ``name<tab>value`` lines."""
    kind = form(options)
    if kind in ("json", "yaml"):
        _document(chosen(plain, options), kind)
        return
    if kind == "jsonl":
        _write(json.dumps(chosen(plain, options), ensure_ascii=False, separators=(",", ":")) + "\n")
        return
    for name, value in chosen(plain, options).items():
        _write(_row([name, cell(value)], "tsv" if kind == "table" else kind))


def columns_of(shape: Shape[Any], options: FormOptions) -> tuple[Column, ...]:
    """Return the columns to print: those of the shape, or the ones that ``--fields`` names."""
    if options.fields is None:
        return shape.columns
    return tuple(Column(path, path) for path in field_paths(options))


def table_columns(shape: Shape[Any], options: FormOptions) -> tuple[Column, ...]:
    """Return the columns of a table of many rows."""
    return tuple(column for column in columns_of(shape, options) if not column.data_only)


def field_paths(options: FormOptions) -> list[str]:
    """Return the paths in ``--fields``."""
    paths = [path.strip() for path in (options.fields or "").split(",")]
    if not all(paths):
        raise CommandError(
            f"--fields {options.fields}: an empty name", "write it as --fields id,name", Exit.USAGE
        )
    return paths


def chosen(plain: dict[str, Any], options: FormOptions) -> dict[str, Any]:
    """Return the object with the fields of ``--fields`` only, in that order; raises for an unknown one."""
    if options.fields is None:
        return plain
    result: dict[str, Any] = {}
    for path in field_paths(options):
        target = result
        *parents, last = path.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value_at(plain, path)
    return result


def _plain(item: Any) -> Any:
    return msgspec.to_builtins(item)


def _row(cells: list[str], kind: str) -> str:
    if kind == "tsv":
        return "\t".join(cells) + "\n"  # a cell holds no tab and no line end: clean() replaced them
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _document(value: Any, kind: str) -> None:
    if kind == "yaml":
        import yaml

        _write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
        return
    _write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
