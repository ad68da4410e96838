"""``retinue backup``: a copy of this host's database, made while it runs, put back while it does not."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import App, Parameter

from retinue import pepper
from retinue.cli import confirm, exporting, output, settings
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DANGER_DEFAULTS, FORM_DEFAULTS, DangerOptions, FormOptions
from retinue.cli.progress import Progress
from retinue.cli.report import talk

app = App(
    name="backup",
    help_epilogue="Keep the pepper ($RETINUE_HOME/pepper) apart from it: without it no token of a backup "
    "verifies. How a backup is put back: docs/how-to/restore-a-backup.md.",
)
_PAGES_AT_ONCE = 1_000
#: The next start of the control plane finds it, and takes it as said that its database was restored.
_WORD = "restored"
#: In the home: the last copy that was found whole, and when that was looked at.
LAST = "last-backup.json"
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
    database = _present()
    # The file is held open meanwhile, private from its first moment, and synced at the end.
    with exporting.new_file(str(out)):
        try:
            _copy(database, out, options)
            found = _looked_at(out)
        except sqlite3.Error as error:
            raise CommandError(f"{database}: {error}", "see that this user can read it") from None
    _write_down(out, found)
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
    if found["whole"]:
        _write_down(file, found)
    output.show_object(found, options)
    return Exit.DONE if found["whole"] else Exit.NEGATIVE


@app.command
def restore(
    file: Path,
    /,
    *,
    skip_node: Annotated[
        list[str] | None, Parameter(help="Do not wait for what this node knows. May be repeated.")
    ] = None,
    options: DangerOptions = DANGER_DEFAULTS,
) -> None:
    """Put a copy in the place of the database, which is kept beside it. The control plane is stopped then."""
    database = _database()
    found = _whole(file)
    if not database.parent.is_dir():
        raise CommandError(f"{database.parent}: no such folder", "set RETINUE_HOME", Exit.NOT_FOUND)
    state = f"epoch {found['epoch']}, revision {found['revision']}, {found['audit_events']} audit events"
    if options.dry_run:
        talk(options, f"would put back {state}")
        return
    confirm.one("replace the database by", str(file), [f"it is of {state}"], options)
    part = _copied(file, database)
    try:
        kept = _set_aside(database)
    except BaseException:
        part.unlink()
        raise
    _put(part, database)
    (settings.home() / _WORD).write_text("".join(f"{name}\n" for name in skip_node or ()))
    talk(options, f"put back {state}: {database}")
    if kept:
        talk(options, f"kept {kept}")
    talk(options, "next: retinue serve, then retinue epoch get")


def _write_down(file: Path, found: dict[str, Any]) -> None:
    """Leave word of the last copy that was whole, where this host has a home: the console shows it.

    A copy may be looked at on another host, which keeps no word of it.
    """
    home = settings.home()
    if not found["whole"] or not home.is_dir() or not os.access(home, os.W_OK):
        return
    made = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    told = {"file": str(file.absolute()), "made_at": made.isoformat(), **found}
    told["looked_at"] = datetime.now(UTC).isoformat()
    part = home / f"{LAST}.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(told))
    part.replace(home / LAST)


def _whole(file: Path) -> dict[str, Any]:
    """Return what a copy is of. Raises ``CommandError`` unless it is whole."""
    if not file.is_file():
        raise CommandError(f"{file}: no such file", "name a file of `retinue backup create`", Exit.NOT_FOUND)
    try:
        found = _looked_at(file)
    except sqlite3.Error as error:
        raise CommandError(f"{file}: {error}", "take another backup", Exit.CONFLICT) from None
    if not found["whole"]:
        raise CommandError(f"{file} is damaged", "take another backup", Exit.CONFLICT)
    return found


def _set_aside(database: Path) -> Path | None:
    """Give the database another name. Raises ``CommandError`` while another process has it open."""
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(database, timeout=0.2)) as opened:
            opened.execute("PRAGMA journal_mode = DELETE")  # fails while anybody else has it open
    except sqlite3.DatabaseError as error:  # one that is damaged makes way: that is why a copy is put back
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise CommandError(
                f"{database} is in use", "stop the control plane, all of its processes", Exit.CONFLICT
            ) from None
    kept = database.with_name(f"{database.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    database.rename(kept)
    for ending in ("-wal", "-shm", "-journal"):
        beside = Path(f"{database}{ending}")
        if beside.exists():
            beside.rename(f"{kept}{ending}")
    return kept


def _copied(file: Path, database: Path) -> Path:
    """Copy ``file`` beside the database, durable and private: what was looked at, also what is in its log."""
    part = database.with_name(f"{database.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with closing(_opened(file)) as source, closing(sqlite3.connect(part)) as target:
                source.backup(target)
                target.execute("PRAGMA journal_mode = DELETE")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise CommandError(f"{part}: {error}", "make room, or take another backup", Exit.CONFLICT) from None
    return part


def _put(part: Path, database: Path) -> None:
    """Give a copy the name of the database, durably."""
    part.replace(database)
    pepper.settle(database.parent)


def _database() -> Path:
    url = os.environ.get("RETINUE_DATABASE_URL", "")
    if url and not url.startswith("sqlite:"):
        raise CommandError(*_POSTGRESQL, Exit.USAGE)
    return Path(url.removeprefix("sqlite://")) if url else settings.home() / "retinue.db"


def _present() -> Path:
    found = _database()
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
