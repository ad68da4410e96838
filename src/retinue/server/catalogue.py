"""Loads the host's ``permissions.yaml`` into the catalogue."""

from __future__ import annotations

import sys

from django.conf import settings

from retinue.server.access import actions
from retinue.server.access.catalogue import Declaration, read_file
from retinue.server.errors import Refused
from retinue.server.installation import InstallationError
from retinue.server.ledger.transaction import SYSTEM, transaction


def declared() -> list[Declaration]:
    """Read ``permissions.yaml``. Raises :class:`InstallationError` naming file, entry and rule."""
    path = settings.INSTALLATION.permissions_file
    try:
        return read_file(path.read_text("utf-8"))
    except OSError as error:
        raise InstallationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InstallationError(f"{path}: not UTF-8") from None
    except Refused as refused:
        place = f" ({refused.field})" if refused.field else ""
        raise InstallationError(f"{path}: {' '.join(refused.detail.split())}{place}") from None


def load(*, in_operation: bool = False) -> None:
    """Make the catalogue equal to the file; writes nothing where it is.

    A mistake in the file raises as :func:`declared` does; ``in_operation`` it is told, and what
    is stored stays.
    """
    try:
        wanted = declared()
    except InstallationError as error:
        if not in_operation:
            raise
        sys.stderr.write(f"warning: {error}; the permissions stay as they were\n")
        return
    with transaction(SYSTEM, reason="permissions.yaml") as tx:
        actions.declare(tx, wanted)
