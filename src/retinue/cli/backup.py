"""``retinue backup``: a copy of the database of this host, made while it runs."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from retinue.cli import exporting, output, settings
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import FORM_DEFAULTS, FormOptions
from retinue.cli.progress import Progress
from retinue.cli.report import talk

app = App(
    name="backup",
    help_epilogue="Keep the pepper ($RETINUE_HOME/pepper) apart from it: without it no token of a backup "
    "verifies. How a backup is put back: docs/how-to/restore-a-backup.md.",
)
_PAGES_AT_ONCE = 1_000
_POSTGRESQL = (
    "the database is PostgreSQL, which is copied by its own tools",
    'pg_dump --format=custom --file=FILE "$RETINUE_DATABASE_URL", or a base backup with its WAL',
)


@app.command
def create(
    *,
    out: Annotated[Path, Parameter(help="File of the copy (mode 0600, never overwritten).")],
    options: FormOptions = FORM_DEFAULTS,
) -> None:
    """Copy the database into a file: one state of it, while it is written to. SQLite alone."""
    database = _database()
    # The file is held open meanwhile, private from its first moment, and synced at the end.
    with exporting.new_file(str(out)):
        try:
            _copy(database, out, options)
            found = _looked_at(out)
        except sqlite3.Error as error:
            raise CommandError(f"{database}: {error}", "see that this user can read it") from None
    talk(options, f"backup of epoch {found['epoch']}, revision {found['revision']}: {out}")
    if options.output is not None:
        output.show_object(found, options)
    talk(options, f"next: retinue backup verify {out}")


@app.command
def verify(
    file: Path,
    /,
    *,
    options: FormOptions = FORM_DEFAULTS,
) -> int:
    """Tell whether a copy is whole, and which state it is of. Exit code 7 if it is not."""
    if not file.is_file():
        raise CommandError(f"{file}: no such file", "name a file of `retinue backup create`", Exit.NOT_FOUND)
    try:
        found = _looked_at(file)
    except sqlite3.Error as error:
        talk(options, f"{file}: {error}")
        return Exit.NEGATIVE
    output.show_object(found, options)
    return Exit.DONE if found["whole"] else Exit.NEGATIVE


def _database() -> Path:
    url = os.environ.get("RETINUE_DATABASE_URL", "")
    if url and not url.startswith("sqlite:"):
        raise CommandError(*_POSTGRESQL, Exit.USAGE)
    found = Path(url.removeprefix("sqlite://")) if url else settings.home() / "retinue.db"
    if not found.is_file():
        raise CommandError(f"{found}: no database", "set RETINUE_HOME to the installation", Exit.NOT_FOUND)
    return found


def _copy(database: Path, out: Path, options: FormOptions) -> None:
    with (
        closing(_opened(database)) as source,
        closing(sqlite3.connect(out)) as target,
        Progress("pages", quiet=options.quiet) as progress,
    ):
        source.backup(target, pages=_PAGES_AT_ONCE, progress=lambda *_: progress.step(_PAGES_AT_ONCE))
        # One file: nothing of it waits in a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _looked_at(path: Path) -> dict[str, Any]:
    with closing(_opened(path)) as database:
        whole = [row[0] for row in database.execute("PRAGMA integrity_check(1)")] == ["ok"]
        whole = whole and not database.execute("PRAGMA foreign_key_check").fetchall()
        epoch, revision = database.execute("SELECT epoch, revision FROM ledger_head").fetchone()
        events = database.execute("SELECT count(*) FROM ledger_auditevent").fetchone()[0]
    size = path.stat().st_size
    return {"whole": whole, "epoch": epoch, "revision": revision, "audit_events": events, "bytes": size}
