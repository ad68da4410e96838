"""The counters of one batch: uses of credentials, by network too, and of permissions by account.

They only move forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from retinue.server.traffic import rules

_USE = "(%s, %s, %s, %s, %s, %s, %s, %s)"
_MOVE_USES = """
INSERT INTO traffic_usage AS held
    (credential, account, first_used_at, last_used_at, last_address, last_client, last_node, count)
VALUES {values}
ON CONFLICT (credential) DO UPDATE SET
    count = held.count + excluded.count,
    first_used_at = CASE WHEN excluded.first_used_at < held.first_used_at
                    THEN excluded.first_used_at ELSE held.first_used_at END,
    last_address = CASE WHEN excluded.last_used_at >= held.last_used_at
                   THEN excluded.last_address ELSE held.last_address END,
    last_client = CASE WHEN excluded.last_used_at >= held.last_used_at
                  THEN excluded.last_client ELSE held.last_client END,
    last_node = CASE WHEN excluded.last_used_at >= held.last_used_at
                THEN excluded.last_node ELSE held.last_node END,
    last_used_at = CASE WHEN excluded.last_used_at > held.last_used_at
                   THEN excluded.last_used_at ELSE held.last_used_at END
"""
_PAIR = "(%s, %s, %s, %s, %s, %s)"
_MOVE_PAIRS = """
INSERT INTO {table} AS held
    ({one}, {other}, organization, first_used_at, last_used_at, count)
VALUES {values}
ON CONFLICT ({one}, {other}) DO UPDATE SET
    count = held.count + excluded.count,
    first_used_at = CASE WHEN excluded.first_used_at < held.first_used_at
                    THEN excluded.first_used_at ELSE held.first_used_at END,
    last_used_at = CASE WHEN excluded.last_used_at > held.last_used_at
                   THEN excluded.last_used_at ELSE held.last_used_at END
"""


@dataclass(slots=True)
class _Span:
    """How often something happened, first and last."""

    owner: str
    first: datetime
    last: datetime
    address: str = ""
    client: str = ""
    count: int = 0

    def add(self, at: datetime, row: Mapping[str, Any]) -> None:
        self.count += 1
        self.first = min(self.first, at)
        if at >= self.last:
            self.last, self.address, self.client = at, row["address"], row["client"]


@dataclass(slots=True)
class Counted:
    """What the allowed decisions of a batch add to the counters."""

    _uses: dict[str, _Span] = field(default_factory=dict)
    _exercises: dict[tuple[str, str], _Span] = field(default_factory=dict)
    _origins: dict[tuple[str, str], _Span] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one allowed decision; ``row`` holds the columns of its record by name."""
        at = row["at"]
        use = self._uses.setdefault(row["credential"], _Span(row["account"], at, at))
        use.add(at, row)
        if row["account"] and row["permission"]:
            key = row["account"], row["permission"]
            self._exercises.setdefault(key, _Span(row["organization"], at, at)).add(at, row)
        network = rules.network(row["address"])
        if network:
            origin = row["credential"], network
            self._origins.setdefault(origin, _Span(row["organization"], at, at)).add(at, row)

    def store(self, node_name: str) -> None:
        """Add to the counters, a statement each. In order, so that two batches never lock each other out."""
        adapt = connection.ops.adapt_datetimefield_value
        uses: list[Any] = []
        for credential, use in sorted(self._uses.items()):
            uses += [credential, use.owner, adapt(use.first), adapt(use.last)]
            uses += [use.address, use.client, node_name, use.count]
        _run(_MOVE_USES, _USE, len(self._uses), uses)
        _move_pairs("traffic_exercise", "account", "permission", self._exercises)
        _move_pairs("traffic_origin", "credential", "network", self._origins)


def _move_pairs(table: str, one: str, other: str, counted: Mapping[tuple[str, str], _Span]) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    values: list[Any] = []
    for pair, span in sorted(counted.items()):
        values += [*pair, span.owner, adapt(span.first), adapt(span.last), span.count]
    statement = _MOVE_PAIRS.replace("{table}", table).replace("{one}", one).replace("{other}", other)
    _run(statement, _PAIR, len(counted), values)


def _run(statement: str, one: str, count: int, values: list[Any]) -> None:
    if count:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(values=", ".join([one] * count)), values)
