"""Seven steps to take oneself; each ticks when the audit log or the request log shows that it was taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retinue import steps
from retinue.client import Client
from retinue.client import operations as ops
from retinue.client.models import AuditEvent, RequestRecord

#: What is to be done, in order.
STEPS = tuple(steps.STEPS.values())
#: So many of the newest lines are looked at; what the callers of the demo do in one pause is far less.
NEWEST = 200


class Checklist:
    """Which steps were taken since it was made. ``others`` are the credentials of the demo's own callers."""

    def __init__(self, others: frozenset[str]) -> None:
        self.done: set[int] = set()
        self._others = others
        self._taken_from: set[str] = set()
        self._revoked: set[str] = set()

    def take(
        self, events: Sequence[AuditEvent], records: Sequence[RequestRecord]
    ) -> Iterator[tuple[int, str]]:
        """Take in what the two logs have; yield each step that is done by now, with what shows it."""
        for event in events:
            yield from self._event(event)
        for record in records:
            yield from self._record(record)

    def _event(self, event: AuditEvent) -> Iterator[tuple[int, str]]:
        name = (event.subject.name if event.subject else "") or ""
        match event.type:
            case steps.CREATED:
                yield from self._tick(0, name)
            case steps.ISSUED:
                yield from self._tick(1, name)
            case kind if kind in steps.TAKEN_AWAY:
                state = {**(event.before or {}), **(event.after or {})}
                self._taken_from.update(str(value) for value in state.values())
            case steps.ROTATED:
                yield from self._tick(5, name)
            case steps.REVOKED if event.subject:
                self._revoked.add(event.subject.id)

    def _record(self, record: RequestRecord) -> Iterator[tuple[int, str]]:
        line = f"{record.at[11:19]} {record.method} {record.path} {record.reason or record.decision}"
        ident = record.credential_id or ""
        if record.decision == "allowed" and ident not in self._others:
            yield from self._tick(2, "")
            yield from self._tick(3, line)
        account = record.account.id if record.account else ""
        if record.reason == steps.MISSING and account in self._taken_from:
            yield from self._tick(4, f"{line}: {record.permission}")
        if record.reason == steps.ENDED and ident in self._revoked:
            yield from self._tick(6, line)

    def _tick(self, step: int, shown: str) -> Iterator[tuple[int, str]]:
        if step not in self.done:
            self.done.add(step)
            yield step, shown


class Watch:
    """Looks at the two logs through the API, from ``since`` (RFC 3339) on."""

    def __init__(self, client: Client, since: str, others: frozenset[str]) -> None:
        self._client = client
        self._since = since
        self._list = Checklist(others)

    def look(self) -> Iterator[str]:
        """Yield a line for each step that was taken since the last look."""
        query = {"since": self._since, "limit": NEWEST}
        events = self._client.call(ops.LIST_AUDIT_EVENTS, query=query).items
        records = self._client.call(ops.LIST_REQUESTS, query=query).items
        of_the_host = [each for each in records if each.route is not None or each.status is not None]
        for step, shown in self._list.take(events[::-1], of_the_host[::-1]):
            left = len(STEPS) - len(self._list.done)
            yield (
                f"✓ step {step + 1}  {STEPS[step]}"
                + (f"  ({shown})" if shown else "")
                + (f"   {left} to go" if left else "   that was all of it")
            )
