"""What tests of webhooks and mail share: the outside world, an installation that knows it, and a clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from retinue.network import networks
from retinue.server.ledger.models import Head
from retinue.server.mail_server import PLAIN, MailServer
from retinue.server.notifications import keeper
from retinue.server.notifications.models import Delivery, Mail, Notice, Progress
from tests.support.outside import MailSink, Receiver, mail_sink, receiver

SENDER = "retinue@installation.example"


@dataclass
class Clock:
    """The time that the keeper goes by."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        """Return the time."""
        return timezone.now() + self.ahead

    def later(self, **by: float) -> None:
        """Let time pass."""
        self.ahead += timedelta(**by)


@dataclass
class Outside:
    """A web server, a mail server, and the keeper that tells them."""

    receiver: Receiver
    mails: MailSink
    clock: Clock

    def tell(self, **by: float) -> int:
        """Let time pass, then let the keeper run once."""
        self.clock.later(**by)
        return keeper.run(self.clock)


@contextmanager
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    """Stand beside an :class:`Outside`. What other tests left to be told is told to nobody."""
    with receiver() as here, mail_sink() as sink:
        server = MailServer("127.0.0.1", sink.port, PLAIN, SENDER, "", None)
        told = replace(settings.INSTALLATION, mail=server, egress_allow=networks("127.0.0.0/8"))
        monkeypatch.setattr(settings, "INSTALLATION", told)
        for name, value in server.options().items():
            monkeypatch.setattr(settings, name, value)
        forget()
        yield Outside(here, sink, Clock())


def forget() -> None:
    """Leave nothing on its way, and begin at the head."""
    for model in (Delivery, Mail, Notice):
        model.objects.all().delete()
    Progress.objects.update_or_create(id=1, defaults={"revision": Head.objects.get(id=1).revision})
