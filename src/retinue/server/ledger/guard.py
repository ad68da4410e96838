"""Refuses a write to a guarded table outside ``ledger.transaction``. Runs in production too.

Every table of this package is guarded unless it stands in ``UNGUARDED`` with a reason; tables of other
packages (sessions, sign-in) are theirs. It sees every statement that Django sends to the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from retinue.server.ledger import current

UNGUARDED = {
    "directory_login": "passwords and last sign-in belong to the sign-in library",
    "credentials_devicesignin": "who asks for a session; it is issued through the door, like any token",
    "directory_browsersession": "who opens or ends one is recorded; the last use is written each minute",
    "nodes_lease": "what nodes have acknowledged; written by every poll, need not survive a power cut",
    "nodes_nodeabout": "what nodes say of themselves, each minute; it gives nobody access",
    "nodes_journal": "whose journal is in, after a doubt; what follows from journals goes through the door",
    "nodes_lost": "what nodes know and the database lost; what is done about it goes through the door",
    "nodes_probe": "measurements of the promise, kept for a day; its canary is issued and revoked as any key",
    "nodes_proberesult": "what nodes report of a probe; they give nobody access",
    "traffic_request": "the request log is shipped in batches, apart from changes",
    "traffic_spoolprogress": "how far a spool has been shipped; written with the batch",
    "traffic_usage": "counters (last used, use count): the one exception for counters",
    "traffic_exercise": "counters of permissions that were used, written with those of credentials",
    "traffic_origin": "counters of networks that credentials were used from, likewise",
    "traffic_organizationhour": "the request log counted by hours, written with its records",
    "traffic_credentialhour": "likewise, by credential",
    "governance_keptfinding": "findings as they were last seen, made anew all the time; they give no access",
    "governance_findingslook": "when everything of an organization was last looked at for them",
    "governance_findingsprogress": "how far the ledger has been read for them, and whose turn it is",
    "notifications_delivery": "what is on its way to webhooks; it says what the ledger says",
    "notifications_mail": "mails on their way, likewise; they give nobody access",
    "notifications_notice": "who is told what, likewise",
    "notifications_progress": "how far the ledger has been read for them",
    "console_signinfailures": "counters of failed sign-ins, forgotten after hours; they give nobody access",
    "console_checklist": "what a person wants to see on the home page; it gives nobody access",
    "api_idempotencyrecord": "remembers answers for a day; written in the same transaction as the change",
}
#: Rows of these are only ever added, also inside a transaction.
APPEND_ONLY = frozenset({"ledger_auditevent", "ledger_change", "policies_version"})
#: What the compaction of the change log may do, and nobody else.
COMPACTION = frozenset({("DELETE", "ledger_change"), ("UPDATE", "ledger_head")})

#: What may be done to events inside a transaction that says which of them are kept no longer.
EXPIRY = frozenset(
    {("DELETE", "ledger_auditevent"), ("UPDATE", "ledger_auditevent"), ("DELETE", "ledger_entry")}
)
#: The Merkle log: only what is made from events is written there, after their commit.
LOG = frozenset({"ledger_log", "ledger_tile", "ledger_entry"})

_WRITE = re.compile(
    r"\b(INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|UPDATE(?:\s+OR\s+\w+)?(?:\s+ONLY)?|DELETE\s+FROM(?:\s+ONLY)?"
    r"|TRUNCATE(?:\s+TABLE)?(?:\s+ONLY)?|MERGE\s+INTO|COPY|ALTER\s+TABLE(?:\s+ONLY)?|DROP\s+TABLE(?:\s+IF\s+EXISTS)?)"
    r"\s+(?:[\"`\[]?\w+[\"`\]]?\.)?[\"`\[]?(\w+)",
    re.IGNORECASE,
)


class UnguardedWrite(Exception):
    """A statement writes a guarded table outside ``ledger.transaction``."""


_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_NAME = re.compile(r"\w+")
#: These take several tables at once.
_TAKES_LIST = frozenset({"TRUNCATE", "DROP"})


@cache
def guarded_tables() -> frozenset[str]:
    """Return the names of all tables that only a ledger transaction may write."""
    return frozenset(
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model.__module__.startswith("retinue.server.") and model._meta.db_table not in UNGUARDED
    )


@lru_cache(maxsize=4096)
def writes(sql: str) -> tuple[tuple[str, str], ...]:
    """Return (verb, table) for each write in a statement; a name too many does no harm."""
    found: dict[tuple[str, str], None] = {}
    for text in (sql, _COMMENT.sub(" ", sql)):
        for match in _WRITE.finditer(text):
            verb = match[1].split()[0].upper()
            found[verb, match[2].lower()] = None
            if verb in _TAKES_LIST:
                names = _NAME.findall(text[match.start(2) :].partition(";")[0])
                found |= {(verb, name.lower()): None for name in names}
    return tuple(found)


def check(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """The execute wrapper: look at the statement, refuse or run it. Raises :class:`UnguardedWrite`."""
    for verb, table in writes(str(sql)):
        if table not in guarded_tables() or current.is_suspended():
            continue
        if (verb, table) in COMPACTION and current.is_compacting():
            continue
        if table in LOG and current.is_appending() and verb in ("INSERT", "UPDATE"):
            continue
        open_transaction = current.get()
        if open_transaction is None:
            raise UnguardedWrite(f"{verb} {table}: writes go through ledger.transaction")
        is_expiry = (verb, table) in EXPIRY and current.is_expiring()
        if table in LOG and not is_expiry:
            raise UnguardedWrite(f"{verb} {table}: the log is written from events alone")
        if table in APPEND_ONLY and verb != "INSERT" and not is_expiry:
            raise UnguardedWrite(f"{verb} {table}: this table is only added to")
        if not table.startswith("ledger_"):
            open_transaction.wrote = True
    return execute(sql, params, many, context)


def _on_connection(sender: Any, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if check not in connection.execute_wrappers:
        # First: whoever put a wrapper on before the connection was opened takes the last one away.
        connection.execute_wrappers.insert(0, check)


def install() -> None:
    """Put the guard on every database connection that this process opens."""
    connection_created.connect(_on_connection, dispatch_uid="retinue.ledger.guard")


@contextmanager
def suspended_for_schema_changes() -> Iterator[None]:
    """Let migrations change tables. Used by the ``migrate`` command and nothing else."""
    with current.suspended():
        yield
