"""An action that was given a row from before a lock must not write back what has changed since."""

from __future__ import annotations

import pytest

from retinue.server.credentials import actions
from retinue.server.credentials.queries import Credential
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.storage.estate import Estate


def test_a_rename_beside_a_revoke_brings_nothing_back(estate: Estate) -> None:
    """
    A rename that read the key before it was revoked is refused, and the key stays revoked.
    """
    read_before, _ = estate.key(estate.account())
    estate.revoke(Credential.objects.get(id=read_before.id))
    with pytest.raises(Refused, match="revoked"), transaction(SYSTEM, reason="test") as tx:
        actions.rename(tx, read_before, "another")

    assert "revoked" == Credential.objects.get(id=read_before.id).state


def test_a_rename_beside_a_regenerate_keeps_the_new_secret(estate: Estate) -> None:
    """
    A rename that read the key before it got a new secret leaves the new one, under the new name.
    """
    read_before, _ = estate.key(estate.account())
    with transaction(SYSTEM, reason="test") as tx:
        actions.regenerate(tx, Credential.objects.get(id=read_before.id))
    digest = bytes(Credential.objects.get(id=read_before.id).digest)
    with transaction(SYSTEM, reason="test") as tx:
        actions.rename(tx, read_before, "another")
    now = Credential.objects.get(id=read_before.id)

    assert ("another", digest) == (now.name, bytes(now.digest))
    assert digest != bytes(read_before.digest)
