"""``retinue key import``: keys of another system, by the digests that it kept of their tokens."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import CHANGE_DEFAULTS, ChangeOptions
from retinue.cli.progress import Progress
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.models import ImportItem

Algorithm = Literal["sha256", "sha512", "hmac-sha256", "argon2", "bcrypt"]
#: Keys in one call of the API.
AT_ONCE = 200
_REQUIRED, _OPTIONAL = ("account", "name", "digest"), ("last", "expires", "public")


def import_(
    file: str,
    /,
    *,
    scheme: Annotated[str, Parameter(help="A name for the way in which these were digested.")],
    algorithm: Annotated[Algorithm, Parameter(help="How the other system digested its tokens.")] = "sha256",
    prefix: Annotated[str, Parameter(help="What all of these tokens begin with, if anything.")] = "",
    public: Annotated[int, Parameter(help="Of argon2 and bcrypt: length of a token's public part.")] = 0,
    key_file: Annotated[str | None, Parameter(help="File with the HMAC key in base64.")] = None,
    preview: Annotated[bool, Parameter(help="Say what would happen, change nothing.", negative="")] = False,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> int:
    """Import keys from a CSV file with the columns account, name, digest; perhaps last, expires, public.

    Their tokens go on working. What is refused is told row by row, and leaves the rest; repeating an import
    changes nothing.
    """
    keys = list(_rows(file))
    stated: dict[str, Any] = {"name": scheme, "algorithm": algorithm, "prefix": prefix}
    if public:
        stated["public"] = public
    if key_file is not None:
        stated["key"] = _text(key_file, "--key-file").strip()
    session = Session(options, ops.IMPORT_KEYS)
    items: list[ImportItem] = []
    with Progress("imported", len(keys), quiet=options.quiet) as progress:
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            body = {"scheme": stated, "keys": part, "preview": preview}
            items += session.perform(ops.IMPORT_KEYS, {}, body).items
            progress.step(len(part))
    session.show_change(items, _ITEM, many=True)
    refused = sum(each.result == "refused" for each in items)
    done = sum(each.result == "done" for each in items)
    session.say(f"{'would import' if preview else 'imported'} {done} of {len(items)} keys, {refused} refused")
    for each in items:
        if each.result == "refused":
            session.say(f"refused: {each.account}/{each.name}: {each.detail or each.code}")
    return Exit.PARTLY if refused else Exit.DONE


_ITEM: Shape[ImportItem] = Shape(
    (
        Column("account", "account"),
        Column("name", "name"),
        Column("result", "result"),
        Column("code", "code"),
        Column("detail", "detail"),
        Column("id", "id"),
    ),
    name=lambda item: f"{item.account}/{item.name}",
    id=lambda item: item.id or "",
)


def _rows(file: str) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(_text(file, "the file").splitlines())
    columns = reader.fieldnames or ()
    missing = [name for name in _REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in (*_REQUIRED, *_OPTIONAL)]
    if missing or unknown:
        what = f"no column {missing[0]}" if missing else f"unknown column {unknown[0]}"
        raise CommandError(
            f"{file}: {what}", "columns: account,name,digest[,last,expires,public]", Exit.USAGE
        )
    for row in reader:
        yield {name: value for name in (*_REQUIRED, *_OPTIONAL) if (value := row.get(name))}


def _text(place: str, what: str) -> str:
    try:
        return Path(place).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{what} {place}: {error}", "name another file", Exit.USAGE) from None
