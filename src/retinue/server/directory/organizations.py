"""What can be done to organizations. One function, one event."""

from __future__ import annotations

from retinue.replica.records import Kind
from retinue.server.directory import rules
from retinue.server.directory.models import Organization
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction


def rename(tx: Transaction, organization: Organization, name: str) -> Organization:
    """Give an organization another name; its handle and its id stay. Says nothing where nothing changes."""
    _check_alive(organization)
    name, before = rules.check_name(name), organization.name
    if name == before:
        return organization
    organization.name = name
    organization.save()
    _say(tx, organization, "updated", {"name": before}, {"name": name})
    return organization


def enable(tx: Transaction, organization: Organization) -> Organization:
    """Enable a disabled organization; what was not ended itself works again."""
    _check_alive(organization)
    return organization if organization.state == "enabled" else _set_state(tx, organization, "enabled", "")


def disable(tx: Transaction, organization: Organization, reason: str = "") -> Organization:
    """Disable an organization: a gate before everything it has; nothing is written on its accounts.

    Refuses the organization of the installation: its operators could not undo it.
    """
    _check_alive(organization)
    _check_not_installation(organization)
    if organization.state == "disabled":
        return organization
    return _set_state(tx, organization, "disabled", reason)


def delete(tx: Transaction, organization: Organization, reason: str = "") -> Organization:
    """Delete an organization for good: a gate that nobody opens; id, handle and last state stay."""
    _check_not_installation(organization)
    if organization.state == "deleted":
        return organization
    return _set_state(tx, organization, "deleted", reason)


def _set_state(tx: Transaction, organization: Organization, state: str, reason: str) -> Organization:
    before = organization.state
    organization.state = state
    organization.save()
    after = {"state": state} | ({"reason": reason} if reason else {})
    _say(tx, organization, state, {"state": before}, after)
    return organization


def _say(
    tx: Transaction,
    organization: Organization,
    verb: str,
    before: dict[str, str],
    after: dict[str, str],
) -> None:
    tx.record(
        f"organization.{verb}",
        organization.id,
        name=organization.handle,
        organization=organization.id,
        before=before,
        after=after,
    )
    tx.touch(Kind.ORGANIZATION, organization.id)


def _check_alive(organization: Organization) -> None:
    if organization.state == "deleted":
        raise Refused("state_conflict", f"the organization {organization.handle} is deleted for good")


def _check_not_installation(organization: Organization) -> None:
    if organization.is_installation:
        raise Refused(
            "state_conflict", f"{organization.handle} is the organization of the installation's operators"
        )
