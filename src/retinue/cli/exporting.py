"""Whole lists into a file or a stream, as they come."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import msgspec

from retinue.cli.exits import CommandError, Exit

#: What a spreadsheet takes for a formula when a cell begins so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@contextmanager
def new_file(name: str) -> Iterator[TextIO]:
    """Open a new file of mode 0600; it goes away if what fills it fails."""
    path = Path(name)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise CommandError(
            f"{name} exists and is not overwritten", "name another file", Exit.CONFLICT
        ) from None
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}", "name another file", Exit.USAGE) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write(pages: Iterable[Any], stream: TextIO, form: str) -> int:
    """Write all items of ``pages`` as ``jsonl`` or ``csv``; return how many."""
    count, rows = 0, csv.writer(stream, lineterminator="\n")
    for page in pages:
        for item in page.items:
            plain = msgspec.to_builtins(item)
            if form == "jsonl":
                stream.write(json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n")
            else:
                if not count:
                    rows.writerow(plain)
                rows.writerow([_cell(value) for value in plain.values()])
            count += 1
    return count


def _cell(value: Any) -> str:
    """Return a value as a cell: inner objects as JSON, nothing that a spreadsheet would compute."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text
