"""A database of a test's own that can be put back to what it was, as by a backup.

On SQLite its file is exchanged. On PostgreSQL the rows and counters are, which is quicker than a new database;
:meth:`Past.move` makes one all the same, from a copy, as a restored dump would be.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.db import connection
from psycopg import sql

from tests.server_support import django_setup
from tests.support.postgres import PostgresServer


@dataclass
class Past:
    """The database that Django uses, with a way back."""

    copy: Callable[[str], None]
    back: Callable[[str], None]
    renew: Callable[[], None]

    def backup(self, name: str = "backup") -> None:
        """Keep the present state under a name."""
        _let_go()
        self.copy(name)

    def restore(self, name: str = "backup") -> None:
        """Make the database what it was when it was kept under this name."""
        _let_go()
        self.back(name)

    def move(self) -> None:
        """Exchange the database for a copy of it."""
        _let_go()
        self.renew()


def _let_go() -> None:
    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()


@contextmanager
def sqlite(folder: Path) -> Iterator[Past]:
    """A new SQLite database in a folder."""
    file = folder / "past.db"

    def copy(name: str) -> None:
        shutil.copy(file, folder / name)  # nobody has it open, so there is no log beside it

    def back(name: str) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        shutil.copy(folder / name, file)

    with django_setup.database(f"sqlite:///{file}"):
        yield Past(copy, back, lambda: None)


_KEEP = """
DO $$ DECLARE each text; BEGIN
    EXECUTE 'DROP SCHEMA IF EXISTS {name} CASCADE';
    EXECUTE 'CREATE SCHEMA {name}';
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE {name}.%I AS TABLE public.%I', each, each);
    END LOOP;
    CREATE TABLE {name}.counters AS
        SELECT sequencename AS name, last_value FROM pg_sequences WHERE schemaname = 'public';
END $$
"""
_BRING_BACK = """
DO $$ DECLARE each text; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('DELETE FROM public.%I', each);
        EXECUTE format('INSERT INTO public.%I SELECT * FROM {name}.%I', each, each);
    END LOOP;
    PERFORM setval(format('public.%I', name)::regclass, coalesce(last_value, 1), last_value IS NOT NULL)
        FROM {name}.counters;
END $$
"""


@contextmanager
def postgresql(server: PostgresServer) -> Iterator[Past]:
    """A new database on a PostgreSQL server."""
    url = server.create_database()
    live = url.rpartition("/")[2]

    def run(text: str) -> Callable[[str], None]:
        def act(name: str) -> None:
            with psycopg.connect(url, autocommit=True) as admin:
                admin.execute(sql.SQL(text).format(name=sql.Identifier(f"kept_{name}")))

        return act

    def renew() -> None:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            for text in (
                "CREATE DATABASE {1} TEMPLATE {0}",
                "DROP DATABASE {0} WITH (FORCE)",
                "ALTER DATABASE {1} RENAME TO {0}",
            ):
                names = (sql.Identifier(live), sql.Identifier(f"{live}_copy"))
                admin.execute(sql.SQL(text).format(*names))

    with django_setup.database(url):
        yield Past(run(_KEEP), run(_BRING_BACK), renew)
