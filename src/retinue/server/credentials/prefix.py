"""The prefix of tokens is fixed once an organization has a credential: scanners know it by then."""

from __future__ import annotations

from retinue.server.credentials.models import Credential
from retinue.server.errors import Refused
from retinue.server.policies.actions import before_change
from retinue.server.policies.rules import Compiled
from retinue.token import Kind

#: Tokens of these begin with the organization's prefix.
KINDS = (Kind.API_KEY.value, Kind.PERSONAL.value, Kind.INGEST.value)


def check(organization: str, before: Compiled, after: Compiled) -> None:
    """Refuse another prefix where a credential exists, ended or not."""
    if before.policy.credentials_prefix == after.policy.credentials_prefix:
        return
    if Credential.objects.filter(organization_id=organization, kind__in=KINDS).exists():
        raise Refused(
            "state_conflict",
            f"credentials.prefix: fixed at {before.policy.credentials_prefix!r}, as there are credentials",
            field="overrides.credentials.prefix",
        )


def subscribe() -> None:
    """Look at every change of a policy in this process."""
    before_change(check)
