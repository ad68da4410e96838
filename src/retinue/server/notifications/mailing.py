"""Mails people what they are to be told: one digest for each, at least once, with one Message-ID."""

from __future__ import annotations

import logging
import random
import smtplib
from collections.abc import Callable, Iterable
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction

from retinue.server.credentials.queries import by_ids
from retinue.server.directory.queries import Organization, Principal
from retinue.server.ids import new_id
from retinue.server.ledger.queries import AuditEvent, view
from retinue.server.ledger.transaction import one_writer
from retinue.server.nodes import wake
from retinue.server.notifications import claiming, rules, signing_in, words
from retinue.server.notifications.models import DONE, FAILED, PENDING, Mail, Notice
from retinue.server.traffic import queries as traffic

#: Mails that are made at once, and events that one mail tells in full.
AT_ONCE, TOLD_MOST = 50, 50
_log = logging.getLogger("retinue.mail")


def collect(now: datetime) -> int:
    """Make one mail for each person of whom something is due, of everything that waits; return how many."""
    due = Notice.objects.filter(mail="", due_at__lte=now)
    if not due.exists():
        return 0
    with one_writer(), transaction.atomic(durable=True):
        people = list(due.values_list("recipient", "organization").distinct()[:AT_ONCE])
        for recipient, organization in people:
            _digest(recipient, organization, now)
    return len(people)


def _digest(recipient: str, organization: str, now: datetime) -> None:
    waiting = Notice.objects.select_for_update(no_key=True).filter(mail="", recipient=recipient)
    ids = list(waiting.order_by("id").values_list("id", flat=True))
    if not ids:
        return  # another process was first
    made = Mail.objects.create(
        id=new_id("mail"), organization=organization, recipient=recipient, next_at=now, created_at=now
    )
    Notice.objects.filter(id__in=ids).update(mail=made.id)


def send_due(now: Callable[[], datetime]) -> int:
    """Try every mail that is due once; return how many that was."""
    if not Mail.objects.filter(state=PENDING, next_at__lte=now()).exists():
        return 0
    taken = _claim(now())
    for row in taken:
        _settle(row, *_try(row), now())
    return len(taken)


def _claim(now: datetime) -> list[Mail]:
    return claiming.claim(Mail, now)


def _try(row: Mail) -> tuple[str, bool]:
    """Send a mail; return why it failed, empty if it did not, and whether trying again changes nothing."""
    message = compose(row)
    if message is None:
        return "nobody is there any more, or there is nothing to tell", True
    wake.release_connection()  # a slow server keeps no connection to the database
    try:
        message.connection = get_connection(fail_silently=False)
        message.send()
    except smtplib.SMTPRecipientsRefused as refused:
        codes = [code for code, _ in refused.recipients.values()]
        return f"the server refuses the address ({codes[0] if codes else ''})", all(
            each >= 500 for each in codes
        )
    except smtplib.SMTPResponseException as refused:
        return f"the server answered {refused.smtp_code}", False
    except (OSError, smtplib.SMTPException) as error:
        return f"no mail server ({type(error).__name__})", False
    except ValueError:
        # Nothing that people have written may hold up the mails behind it.
        return "no mail can be written to this address", True
    return "", False


def _settle(row: Mail, error: str, is_final: bool, now: datetime) -> None:
    draw = random.random()  # noqa: S311
    wait = rules.pause(row.attempts, draw) if error and not is_final else None
    state = DONE if not error else PENDING if wait is not None else FAILED
    if error:
        _log.warning("%s, try %d: %s", row.id, row.attempts, error)
    with one_writer(), transaction.atomic(durable=True):
        Mail.objects.filter(id=row.id, attempts=row.attempts, state=PENDING).update(
            state=state,
            next_at=now if wait is None else now + wait,
            last_error=error[:255],
            ended_at=now if wait is None else None,
        )


def compose(row: Mail) -> EmailMessage | None:
    """Put a mail into words; ``None`` if its recipient cannot be reached now, or nothing is left to tell."""
    person = Principal.objects.filter(id=row.recipient, state="enabled").exclude(email="").first()
    events = Notice.objects.filter(mail=row.id).order_by("id").values_list("event", flat=True)
    mail = settings.INSTALLATION.mail
    told = [] if person is None else _told(list(events), person)
    if person is None or not told or mail is None:
        return None
    organization = Organization.objects.get(id=row.organization)
    subject = told[0].title if len(told) == 1 else f"{len(told)} things about credentials and signing in"
    parts = [each.text for each in told[:TOLD_MOST]]
    if len(told) > TOLD_MOST:
        parts.append(f"... and {len(told) - TOLD_MOST} more, in the audit log: retinue audit list")
    name = words.line(organization.name)
    body = "\n\n".join([*parts, f"-- \nRetinue, for {name}. You are told because you answer for this."])
    domain = mail.sender.rpartition("@")[2].strip("<> ")
    return EmailMessage(
        subject=f"[{name}] {subject}",
        body=body + "\n",
        from_email=mail.sender,
        to=[person.email],
        headers={"Message-ID": f"<{row.id}@{domain}>", "Auto-Submitted": "auto-generated"},
    )


def _told(idents: Iterable[str], person: Principal) -> list[words.Told]:
    rows = AuditEvent.objects.filter(id__in=list(idents)).select_related("personal")
    events = [view(row) for row in rows.order_by("revision", "n")]
    keys = by_ids(each.subject for each in events)
    used = traffic.usage(keys)
    console = next(iter(settings.INSTALLATION.origins), "")
    told = []
    for each in events:
        if each.type in signing_in.CHANGES:
            told.append(signing_in.tell(each, person.email, console))
        elif each.subject in keys:
            facts = words.Facts(each, keys[each.subject], used.get(each.subject), console)
            told.append(words.tell(facts))
    return told
