"""Who changes something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with which credential, from where, in which request. ``organization`` is the actor's own."""

    kind: str
    id: str
    name: str
    organization: str
    credential: str = ""
    address: str = ""
    request: str = ""
    is_operator: bool = False
    #: By which face: ``api`` or ``console``; empty for Retinue itself, and for strangers.
    channel: str = ""
    #: In a browser session: when its person last showed a password.
    signed_in_at: datetime | None = None


#: Retinue itself: installation, start, housekeeping.
SYSTEM = Actor(kind="system", id="system", name="Retinue", organization="")
