"""What the operator of a host does without signing in. Whoever reads the pepper may do all of it anyway."""

from __future__ import annotations

from retinue.server.credentials import device, invitations
from retinue.server.directory import rules, users
from retinue.server.directory.queries import Principal
from retinue.server.installation import InstallationError
from retinue.server.ledger.transaction import SYSTEM, transaction


def reset_sign_in(email: str, reason: str, *, everything: bool) -> list[str]:
    """Reset what the people with an address sign in with; returns what to tell, an invitation among it.

    Raises :class:`InstallationError` if nobody enabled has this address.
    """
    address = rules.email_address(email)
    rows = Principal.objects.filter(kind=Principal.USER, email=address, state="enabled")
    found = list(rows.select_related("organization"))
    if not found:
        raise InstallationError(f"there is no enabled user {address} here")
    lines = []
    for user in found:
        with transaction(SYSTEM, reason=reason or "reset on the host") as tx:
            users.reset_sign_in(tx, user, everything=everything)
            device.forget(user)
            token = invitations.invite(tx, user).token if everything else None
        lines.append(f"reset the sign-in of {address} in {user.organization.handle}")
        if token is not None:
            lines.append(f"invitation, for /invitation/ within 7 days: {token.reveal()}")
    return lines
