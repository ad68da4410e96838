"""What is there after a run: in the database, behind the API, on the node, and in what was printed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from retinue.node.credential import NodeToken
from retinue.node.feed_client import FeedClient
from retinue.replica.records import Kind, Meta
from retinue.replica.store import Store
from tests.crash.history import History, Ref, State, Verification
from tests.crash.questions import ask
from tests.support.installation import Installation
from tests.support.wire import Wire

Row = dict[str, Any]
Records = dict[tuple[Kind, str], bytes]
TABLES = (
    "ledger_head", "ledger_change", "ledger_auditevent", "ledger_personalpart", "api_idempotencyrecord",
    "directory_organization", "directory_principal", "directory_ownership", "access_permission",
    "access_role", "access_group", "access_roleassignment", "access_grant", "credentials_credential", "nodes_node", "nodes_identitykey",
    "traffic_request",
)  # fmt: skip
SHIPPED_SECONDS = 20.0
_JSON = {"after", "attributes", "before", "body", "conditions", "data", "document", "locked", "patterns",
         "subjects", "systems"}  # fmt: skip
_FLAGS = {"is_operator", "is_withdrawn", "allowed", "reduces"}


@dataclass
class Evidence:
    """Everything that the judge sees beside the history. ``final`` are the last answers about each token."""

    tables: dict[str, list[Row]]
    api: dict[Ref, State] = field(default_factory=dict)
    replica: Records = field(default_factory=dict)
    replica_meta: Meta = field(default_factory=Meta)
    truth: Records = field(default_factory=dict)
    final: list[Verification] = field(default_factory=list)
    output: bytes = b""

    @property
    def head(self) -> int:
        """The latest revision."""
        return int(self.tables["ledger_head"][0]["revision"])


def collect(installation: Installation, url: str | None, history: History, output: bytes) -> Evidence:
    """Look at everything. The installation runs, and nobody changes anything or asks any more."""
    api = Wire(installation.url, installation.token())
    node = Wire(installation.node_url)
    final = [ask(node, each, f"/final/{each.number}") for each in history.passes]
    found = Evidence(tables=_when_shipped(installation, url, history, final), final=final)
    found.api = dict(_objects(api, found.tables))
    found.replica_meta, found.replica = replica(installation)
    found.truth = fresh_snapshot(installation)
    found.output = output
    return found


def _when_shipped(
    installation: Installation, url: str | None, history: History, final: list[Verification]
) -> dict[str, list[Row]]:
    """Read the tables when the request log has come in; or after a while, if it does not."""
    asked = [*history.verifications, *final]
    genuine = {each.path for each in asked if each.credential is not None}
    genuine |= {call.request[1] for call in history.calls if call.outcome == "done"}
    deadline = time.monotonic() + SHIPPED_SECONDS
    while True:
        found = tables(installation, url)
        if genuine <= {row["path"] for row in found["traffic_request"]} or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def tables(installation: Installation, url: str | None) -> dict[str, list[Row]]:
    """Read the tables past Django, in one consistent read. ``url`` is that of PostgreSQL."""
    if url is None:
        with closing(sqlite3.connect(f"file:{installation.home / 'retinue.db'}?mode=ro", uri=True)) as plain:
            plain.row_factory = sqlite3.Row
            plain.execute("BEGIN")
            return {name: [_row(dict(row)) for row in plain.execute(_select(name))] for name in TABLES}
    with psycopg.connect(url, row_factory=dict_row) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return {name: [_row(row) for row in cursor.execute(_select(name).encode())] for name in TABLES}


def _select(table: str) -> str:
    return f"SELECT * FROM {table}"  # noqa: S608  (a constant of this module)


def _row(row: Row) -> Row:
    """Make the rows of both databases equal: JSON is read, flags are flags, instants are texts in UTC."""
    for name, value in row.items():
        if name in _JSON and isinstance(value, str):
            row[name] = json.loads(value)
        elif name in _FLAGS:
            row[name] = bool(value)
        elif isinstance(value, datetime):
            row[name] = _instant(value)
        elif isinstance(value, str) and (name == "at" or name.endswith("_at")):
            row[name] = _instant(datetime.fromisoformat(value).replace(tzinfo=UTC))
    return row


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows_of(tables: Mapping[str, list[Row]]) -> dict[Ref, State]:
    """Return the objects as the database holds them, with the fields that clients know."""
    found: dict[Ref, State] = {}
    for row in tables["directory_principal"]:
        found["account", row["id"]] = {name: row[name] for name in ("name", "description", "state")}
    for row in tables["credentials_credential"]:
        found["key", row["id"]] = {
            "name": row["name"], "state": row["state"], "account": row["principal_id"],
        }  # fmt: skip
    for row in tables["access_grant"]:
        found["grant", row["id"]] = {"permission": row["permission"], "account": row["subject"]}
    return found


def _objects(wire: Wire, tables: Mapping[str, list[Row]]) -> Iterator[tuple[Ref, State]]:
    """Yield the objects as the API answers them, those that are gone from its lists one by one."""
    for state in ("enabled", "disabled", "deleted"):
        for each in _listed(wire, f"/v1/service-accounts?state={state}&limit=200"):
            yield ("account", each["id"]), {name: each[name] for name in ("name", "description", "state")}
    for each in _listed(wire, "/v1/keys?limit=200"):
        yield (
            ("key", each["id"]),
            {"name": each["name"], "state": each["state"], "account": each["account"]["id"]},
        )
    granted = {row["subject"] for row in tables["access_grant"]}
    for account in sorted(granted):
        for each in _listed(wire, f"/v1/service-accounts/{account}/grants?limit=200"):
            yield ("grant", each["id"]), {"permission": each["permission"], "account": account}


def _listed(wire: Wire, path: str) -> Iterator[Row]:
    following: str | None = ""
    while following is not None:
        reply = wire.call("GET", path + (f"&cursor={following}" if following else ""))
        assert 200 == reply.status, reply.body
        yield from reply.body["items"]
        following = reply.body["next"]


def replica(installation: Installation) -> tuple[Meta, Records]:
    """Return what the node's replica holds: where it stands, and every record."""
    store = Store(installation.home / "replica")
    with closing(store), store.snapshot() as snapshot:
        rows = {(kind, key): value for kind in Kind for key, value in snapshot.items(kind)}
        return snapshot.meta(), rows


def fresh_snapshot(installation: Installation) -> Records:
    """Return what a replica must hold: a snapshot from the control plane, by a client of the node's own kind."""
    client = FeedClient(installation.url, NodeToken(installation.home / "node-token"))
    found: Records = {}
    after: str | None = ""
    while after is not None:
        page = client.snapshot(after, 30.0)
        found |= {(each.kind, each.key): each.value for each in page.changes if each.value is not None}
        after = page.next
    client.close()
    return found
