"""Counts failed sign-ins, for all processes together, in the database.

The sign-in library could count in Django's cache, but a cache that all processes share would be a table of
pickles, and whoever can write to the database could run code here. Besides it would write for each attempt
that it refuses; this only reads.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction
from django.utils.crypto import salted_hmac

from retinue.network import neighbourhood
from retinue.server.console import rules
from retinue.server.console.models import SigninFailures

_SALT = "retinue.console.failures"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who tries to be whom: an e-mail address, known or not, from a network.

    The address alone is never counted: a stranger could lock out its holder.
    """

    email: str
    address: str
    #: Whether the password was right and something more is asked for. That counts by itself: whoever has the
    #: password can sign in again and again, and each time would forget the wrong codes before it.
    is_second: bool = False

    @property
    def limits(self) -> dict[str, int]:
        """The keys that are counted, with the most failures of each in a window."""
        network = neighbourhood(self.address)
        own = {self.own: rules.MOST_OF_ADDRESS}
        if self.is_second:
            return own | {_key("second", self.email): rules.MOST_OF_PERSON}
        return own | {_key(network): rules.MOST_OF_NETWORK}

    @property
    def own(self) -> str:
        """The key of this address from this network."""
        network = neighbourhood(self.address)
        return _key("second", network, self.email) if self.is_second else _key(network, self.email)


def paused_until(origin: Origin, now: datetime) -> datetime | None:
    """Return until when ``origin`` must wait; ``None`` if it may try now."""
    rows = SigninFailures.objects.filter(key__in=origin.limits, paused_until__gt=now)
    return max(rows.values_list("paused_until", flat=True), default=None)


def count(origin: Origin, now: datetime) -> None:
    """Remember one failure of ``origin``, and forget what is old."""
    SigninFailures.objects.filter(forgotten_at__lte=now).delete()
    limits = origin.limits
    blank = asdict(rules.Failures.none(now))
    with transaction.atomic():
        SigninFailures.objects.bulk_create(
            [SigninFailures(key=key, **blank) for key in sorted(limits)], ignore_conflicts=True
        )
        # In order, so that two who fail at once never wait for each other.
        for row in (
            SigninFailures.objects.select_for_update(no_key=True).filter(key__in=limits).order_by("key")
        ):
            before = rules.Failures(*(getattr(row, name) for name in blank))
            after = rules.after_failure(before, limits[row.key], now)
            SigninFailures.objects.filter(key=row.key).update(**asdict(after))


def forget(origin: Origin) -> None:
    """The address was signed in to: its failures from this network are over; all others stay."""
    SigninFailures.objects.filter(key=origin.own).delete()


def _key(*parts: str) -> str:
    return salted_hmac(_SALT, "\0".join(parts), algorithm="sha256").hexdigest()
