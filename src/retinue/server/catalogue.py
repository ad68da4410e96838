"""Loads the host's ``permissions.yaml`` into the catalogue."""

from __future__ import annotations

from django.conf import settings

from retinue.server.access import actions
from retinue.server.access.catalogue import Declaration, read_file
from retinue.server.installation import InstallationError
from retinue.server.ledger.transaction import SYSTEM, transaction


def declared() -> list[Declaration]:
    """Read ``permissions.yaml``. Raises :class:`InstallationError` or ``Refused`` naming the entry."""
    path = settings.INSTALLATION.permissions_file
    try:
        return read_file(path.read_text())
    except OSError as error:
        raise InstallationError(f"{path}: {error.strerror}") from None


def load() -> None:
    """Make the catalogue equal to the file; writes nothing where it is."""
    with transaction(SYSTEM, reason="permissions.yaml") as tx:
        actions.declare(tx, declared())
