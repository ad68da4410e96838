"""The catalogue of translations: texts marked in the console, texts that it borrows, and their German. ``make translations`` writes it.

Babel reads the Python; templates are first turned into Python by Django itself (``templatize``), as its own
``makemessages`` does. So nothing is needed that is not a Python package, and no package that only joins these two.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from retinue.server.console import borrowed

CONSOLE = Path(__file__).parents[2] / "src/retinue/server/console"
GERMAN = CONSOLE / "locale/de/LC_MESSAGES/django.po"
#: The functions that mark a text, and which of their arguments are the texts.
MARKS = {
    "_": None,
    "lazy": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
#: Catalogues have no time in them, so that the same texts give the same bytes.
_NO_TIME = datetime(2026, 1, 1, tzinfo=UTC)

Text = tuple[str | tuple[str, ...], str, str | None]


def marked() -> Iterator[Text]:
    """Yield each marked or borrowed text (a tuple where it has a plural), the file that has it, its context."""
    for path in sorted([*CONSOLE.rglob("*.py"), *CONSOLE.rglob("*.html")]):
        text = path.read_text()
        if path.suffix == ".html":
            # What stands before a line's first word would be read as an indentation.
            text = "\n".join(line.lstrip() for line in templatize(text).split("\n"))
        name = path.relative_to(CONSOLE).as_posix()
        for _line, message, _notes, context in extract("python", io.BytesIO(text.encode()), MARKS):
            yield message, name, context
    for borrowed_text in borrowed.texts():
        yield borrowed_text, "borrowed.py", None


def empty() -> Catalog:
    """Return a catalogue of German without texts."""
    return Catalog(
        locale="de",
        project="retinue",
        header_comment="# The console in German.",
        creation_date=_NO_TIME,
        revision_date=_NO_TIME,
        fuzzy=False,
    )


def template() -> Catalog:
    """Return the catalogue of the marked texts, without translations."""
    catalogue = empty()
    for message, name, context in marked():
        catalogue.add(message, locations=[(name, 0)], context=context)
    return catalogue


def kept() -> Catalog:
    """Return the German catalogue as it is in the repository."""
    with GERMAN.open("rb") as file:
        return read_po(file, locale="de")


def renewed() -> Catalog:
    """Return the German catalogue with the texts that are marked now: new ones are empty, old ones are gone."""
    old = kept() if GERMAN.exists() else empty()
    catalogue = template()
    for message in catalogue:
        known = old.get(message.id, message.context) if message.id else None
        if known and known.id == message.id:
            message.string = known.string
    return catalogue


def said(message: Message) -> tuple[str, ...]:
    """Return the German of a message: one text, or one for each plural form."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def as_po(catalogue: Catalog) -> bytes:
    """Return a catalogue as text for people."""
    out = io.BytesIO()
    write_po(out, catalogue, width=110, sort_by_file=True, omit_header=False)
    return out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """Return a catalogue as Django reads it."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def main() -> None:
    """Write the German catalogue anew, and say how many texts have no German yet."""
    GERMAN.parent.mkdir(parents=True, exist_ok=True)
    catalogue = renewed()
    GERMAN.write_bytes(as_po(catalogue))
    GERMAN.with_suffix(".mo").write_bytes(as_mo(catalogue))
    missing = [message for message in catalogue if message.id and not any(said(message))]
    print(f"{len(catalogue)} texts, {len(missing)} without German: {GERMAN}")


if __name__ == "__main__":
    main()
