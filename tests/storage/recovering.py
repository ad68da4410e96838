"""What tests of a restored database do and ask."""

from __future__ import annotations

from retinue.server.credentials.models import Credential
from retinue.server.nodes import epochs, recovery
from retinue.server.nodes.models import Epoch, Lost
from tests.storage.estate import Follower


def recover(*followers: Follower) -> Epoch:
    """Let the followers find out, hand over and load what is served then; return the epoch."""
    for follower in followers:
        follower.catch_up()
    for _ in range(20):
        recovery.step()
    for follower in followers:
        follower.catch_up()
    return epochs.latest()


def state_of(key: Credential) -> str:
    """Return the state of a credential."""
    return Credential.objects.get(id=key.id).state


def outcomes(kind: str) -> dict[str, str]:
    """Return what became of lost changes of objects of a kind, by their ids."""
    return {row.subject: row.outcome for row in Lost.objects.filter(kind=kind)}


def fresh_follower() -> Follower:
    """Enrol a follower that is at the head, and was heard."""
    follower = Follower.create()
    follower.catch_up()
    follower.poll()
    return follower
