"""The audit log's key at a start of the control plane, and the thread that signs with it."""

from __future__ import annotations

from retinue.server import home
from retinue.server.directory.queries import Organization, installation
from retinue.server.installation import Installation, InstallationError
from retinue.server.ledger import appending, keeping
from retinue.server.ledger.appending import Signer
from retinue.server.ledger.signing import SigningError, fresh_seed


def check(told: Installation, organization: Organization) -> None:
    """At a start: make sure of the key, and of a log that goes on under it and the present epoch.

    An installation from before the log gets its key here. Raises :class:`InstallationError` if a key that has
    signed is missing, or cannot be used.
    """
    path = told.ledger_key_file
    if not path.exists():
        if appending.newest() is not None:
            raise InstallationError(
                f"{path} is missing: restore it from the backup, name its place by RETINUE_LEDGER_KEY_FILE, "
                "or run `retinue init` to make a new one; the audit log then goes on under a new origin"
            )
        home.place(path, fresh_seed())
    begin(told, organization)


def begin(told: Installation, organization: Organization) -> None:
    """Make sure of a log under the key and the present epoch."""
    _signer(told, organization).begin()


def start(told: Installation) -> None:
    """Keep the log up with the events from now on."""
    organization = installation()
    if organization is not None:
        keeping.start(_signer(told, organization))


def _signer(told: Installation, organization: Organization) -> Signer:
    try:
        return Signer.load(organization.id, told.home, told.ledger_key_file)
    except SigningError as error:
        raise InstallationError(str(error)) from None
