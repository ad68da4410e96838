"""Tells whom there is to tell, in the background: one thread in each process of the control plane.

All processes try; between them each event is read once, and each message is tried by one at a time. A commit
of this process wakes its thread; what another one has committed is seen a little later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.transaction import on_revision
from retinue.server.notifications import mailing, outbox, sending
from retinue.server.notifications.models import PENDING, Delivery, Mail, Notice, Webhook

#: The ledger is looked at so often; every second while there is much; seldom while nobody is to be told.
EVERY_SECONDS, LEAST_SECONDS, IDLE_SECONDS = 5.0, 1.0, 60.0
#: What has been delivered, or has failed, is listed for so long.
KEPT = timedelta(days=30)

_log = logging.getLogger("retinue.notifications")
_lock = threading.Lock()
_keeper: _Keeper | None = None


def start() -> None:
    """Tell people and webhooks from now on, until :func:`stop` or the end of the process. Twice is once."""
    global _keeper
    with _lock:
        if _keeper is None:
            _keeper = _Keeper()
            on_revision(_keeper.hear)
            _keeper.start()


def stop() -> None:
    """Stop after what is being sent now. Waits for nothing, so that a signal may call it."""
    global _keeper
    keeper, _keeper = _keeper, None
    if keeper is not None:
        keeper.is_stopping = True
        keeper.awake.set()


def run(now: Callable[[], datetime] = timezone.now) -> int:
    """Read the ledger to its end, make digests, and try what is due; return how much was tried."""
    while outbox.gather(now()):
        pass
    tried = sending.send_due(now)
    if settings.INSTALLATION.mail is not None:
        mailing.collect(now())
        tried += mailing.send_due(now)
    return tried


def is_wanted() -> bool:
    """Tell whether anybody is to be told anything."""
    return settings.INSTALLATION.mail is not None or Webhook.objects.exists()


def prune(now: datetime, most: int) -> int:
    """Delete at most so many messages that have ended long ago; return how many went."""
    old = {"created_at__lt": now - KEPT}
    gone = delete_some(Delivery.objects.filter(**old).exclude(state=PENDING), most)
    mails = list(
        Mail.objects.filter(**old).exclude(state=PENDING).values_list("id", flat=True)[: most - gone]
    )
    gone += delete_some(Notice.objects.filter(mail__in=mails), most - gone)
    return gone + delete_some(Mail.objects.filter(id__in=mails), most - gone)


class _Keeper(threading.Thread):
    def __init__(self) -> None:
        # A daemon: it never holds up the end of the process; what it was sending is tried again by another.
        super().__init__(name="retinue-notifications", daemon=True)
        self.awake = threading.Event()
        self.is_stopping = False

    def hear(self, _revision: int) -> None:
        self.awake.set()

    def run(self) -> None:
        pause, looked = LEAST_SECONDS, 0.0
        while not self.is_stopping:
            self.awake.wait(pause)
            self.awake.clear()
            pause = EVERY_SECONDS
            try:
                if is_wanted() or time.monotonic() - looked >= IDLE_SECONDS:
                    looked = time.monotonic()
                    run()
            except Exception:
                _log.exception("nobody could be told; tried again later")
            finally:
                connection.close_if_unusable_or_obsolete()
            time.sleep(LEAST_SECONDS)
