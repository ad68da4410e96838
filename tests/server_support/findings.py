"""Brings the kept findings of one organization up to date, as the thread of a server does."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from retinue.server.governance import refreshing


def look(organization: str, now: datetime | None = None) -> None:
    """Read the ledger to its end, and look at everything of an organization."""
    turn = refreshing.Turn()
    assert turn.take(), "another process has the turn"
    try:
        follow(now)
        assert refreshing.look_at_all(organization, now or timezone.now())
    finally:
        turn.leave()


def follow(now: datetime | None = None) -> None:
    """Read the ledger to its end, and look at whoever it is about."""
    while refreshing.follow(now or timezone.now()):
        pass
