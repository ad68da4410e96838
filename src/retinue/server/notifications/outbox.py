"""Reads the ledger after the commit, and puts down who is to be told what: once for each event, always.

What is put down and how far was read commit together. One process at a time reads; the others pass it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import CANARY, Principal
from retinue.server.ids import new_id
from retinue.server.ledger.queries import AuditEvent, head
from retinue.server.ledger.transaction import one_writer
from retinue.server.notifications import rules, signing_in
from retinue.server.notifications.models import Delivery, Notice, Progress, Webhook
from retinue.server.notifications.recipients import Book
from retinue.server.policies.queries import policy_of

#: Revisions that are read at once.
AT_ONCE = 500
#: So long a digest waits for more; what is urgent does not.
GATHERING = timedelta(seconds=60)
_KINDS = frozenset({"api_key", "personal_access_token", "ingest_token"})
_URGENT = "leaked"
#: What people are told by mail: the verb of an event about a credential.
TOLD = frozenset({"issued", "expiry_warned", "expired", _URGENT})
TESTED = "webhook.tested"


def gather(now: datetime) -> bool:
    """Read on from where the last reading ended. Tells whether there may be more to read."""
    newest = head()[1]
    read = Progress.objects.filter(id=1).values_list("revision", flat=True).first()
    if read is not None and read >= newest:
        return False
    last, rows = newest, _Rows()
    if read is not None:  # made before the door is taken: writers wait for what is written alone
        last = min(read + AT_ONCE, newest)
        events = AuditEvent.objects.filter(revision__gt=read, revision__lte=last)
        rows = _Reading(list(events.order_by("revision", "n")), now).rows()
    with one_writer(last=True), transaction.atomic(durable=True):
        progress = _held(newest)
        if progress is None:
            return False
        if progress.revision == read:
            rows.put_down()
            progress.revision = last
            progress.save()
        return progress.revision < newest


def _held(newest: int) -> Progress | None:
    """Return the row of progress, locked; ``None`` while another process holds it.

    The first time nothing is told of what was before. A database that was restored is told of from there on.
    """
    if not Progress.objects.filter(id=1).exists():
        Progress.objects.bulk_create([Progress(id=1, revision=newest)], ignore_conflicts=True)
    skip = connection.vendor == "postgresql"
    return Progress.objects.select_for_update(no_key=True, skip_locked=skip).filter(id=1).first()


@dataclass(frozen=True, slots=True)
class _Rows:
    """Who is to be told what."""

    deliveries: Sequence[Delivery] = ()
    notices: Sequence[Notice] = ()

    def put_down(self) -> None:
        """Write the rows; those that are there already stay as they are."""
        Delivery.objects.bulk_create(self.deliveries, ignore_conflicts=True)
        Notice.objects.bulk_create(self.notices, ignore_conflicts=True)


class _Reading:
    """Some events, and everything that says who is to be told of them."""

    def __init__(self, events: Sequence[AuditEvent], now: datetime) -> None:
        self._now = now
        self._credentials = _credentials(events)
        own = _own_of_retinue()
        self._events = [each for each in events if not self._is_of(each, own)]
        self._book = Book()
        self._webhooks: dict[str, list[Webhook]] = {}
        for row in Webhook.objects.filter(organization__in={each.organization for each in self._events}):
            self._webhooks.setdefault(row.organization, []).append(row)

    def _is_of(self, event: AuditEvent, account: str | None) -> bool:
        key = self._credentials.get(event.subject)
        return account is not None and (
            event.subject == account or (key is not None and key.principal_id == account)
        )

    def rows(self) -> _Rows:
        """Return what is to be put down."""
        is_mailed = settings.INSTALLATION.mail is not None
        return _Rows(list(self._deliveries()), list(self._notices()) if is_mailed else [])

    def _deliveries(self) -> Iterator[Delivery]:
        for event in self._events:
            for webhook in self._webhooks.get(event.organization, ()):
                if _wants(webhook, event):
                    yield Delivery(
                        id=new_id("msg"),
                        webhook=webhook.id,
                        organization=event.organization,
                        event=event.id,
                        type=event.type,
                        next_at=self._now,
                        created_at=self._now,
                    )

    def _notices(self) -> Iterator[Notice]:
        for event in self._events:
            if event.type in signing_in.CHANGES and self._book.reaches(event.subject):
                yield Notice(
                    organization=event.organization, recipient=event.subject, event=event.id, due_at=self._now
                )
            verb = event.type.partition(".")[2]
            key = self._credentials.get(event.subject)
            if event.subject_kind not in _KINDS or verb not in TOLD or key is None:
                continue
            due = self._now if verb == _URGENT else self._now + GATHERING
            for person in self._book.of(key, _circles(event, key, verb)):
                yield Notice(organization=event.organization, recipient=person.id, event=event.id, due_at=due)


def _circles(event: AuditEvent, key: Credential, verb: str) -> tuple[str, ...]:
    if verb == "issued":
        return (rules.OWNER,)
    if verb == _URGENT:
        return rules.OWNER, rules.TEAM, rules.ADMINISTRATORS
    environment = "" if key.principal is None else key.principal.environment
    days = int(event.after.get("days", rules.EXPIRED))
    return rules.circles(days, policy_of(key.organization_id, environment).expiry_warn_days)


def _wants(webhook: Webhook, event: AuditEvent) -> bool:
    """A test goes to its own webhook, whatever that wants and even if it is disabled."""
    if event.type == TESTED:
        return event.subject == webhook.id
    is_later = event.at >= webhook.created_at
    return webhook.state == "enabled" and is_later and rules.matches(webhook.events, event.type)


def _credentials(events: Sequence[AuditEvent]) -> dict[str, Credential]:
    subjects = {each.subject for each in events if each.subject_kind in _KINDS}
    rows = Credential.objects.filter(id__in=subjects).select_related("principal")
    return {row.id: row for row in rows}


def _own_of_retinue() -> str | None:
    """Return the account that probes the nodes all day long; nobody is told of that."""
    return Principal.objects.filter(CANARY).values_list("id", flat=True).first()
