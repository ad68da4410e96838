"""What an organization has: its living accounts and usable credentials, with their live use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from retinue.server.access import queries as access
from retinue.server.credentials import enforcing
from retinue.server.credentials import rules as credential_rules
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Principal
from retinue.server.policies.policy import Policy
from retinue.server.policies.rules import Compiled
from retinue.server.traffic import queries as traffic
from retinue.server.traffic.queries import Usage
from retinue.token import Kind

#: It works no longer, or can do less, from the change on.
REFUSED = "refused"
#: It goes on working, though what is made from now on may not be like it: findings tell of it where they can.
FINDING = "finding"
#: It gets an earlier end than it has.
SHORTENED = "shortened"


_KINDS = {
    Kind.API_KEY.value: "api_key",
    Kind.PERSONAL.value: "personal_access_token",
    Kind.INGEST.value: "ingest_token",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One object that a change would break: by which key, what becomes of it, why, and its use."""

    key: str
    kind: str
    id: str
    name: str
    effect: str
    why: str
    last_used_at: datetime | None = None
    use_count: int = 0


@dataclass
class Stock:
    """The living accounts and usable credentials of an organization, read when they are asked for."""

    organization: str
    before: Compiled
    after: Compiled
    now: datetime

    @cached_property
    def accounts(self) -> list[Principal]:
        """Service accounts that are not deleted."""
        return list(directory.accounts(self.organization).order_by("name", "id"))

    @cached_property
    def credentials(self) -> list[Credential]:
        """Credentials that are usable now, with their principals."""
        rows = Credential.objects.filter(
            organization_id=self.organization, state="active", kind__in=list(_KINDS)
        )
        return [
            row
            for row in rows.select_related("principal").order_by("name", "id")
            if credential_rules.is_usable(row.state, row.expires_at, row.retires_at, self.now)
        ]

    @cached_property
    def shortened(self) -> dict[str, datetime]:
        """The ends of those that ``expiry.enforce`` shortens, if it does not do so already."""
        found = enforcing.enforced(self.organization, self.after, self.now)
        before = enforcing.enforced(self.organization, self.before, self.now)
        already = {each.credential.id for each in before}
        return {each.credential.id: each.at for each in found if each.credential.id not in already}

    @cached_property
    def usage(self) -> dict[str, Usage]:
        """The counters of usable credentials."""
        return traffic.usage(row.id for row in self.credentials)

    @cached_property
    def used_by_account(self) -> dict[str, datetime]:
        """The last use of each account that was used."""
        return traffic.last_used_by_account(row.id for row in self.accounts)

    @cached_property
    def roles(self) -> dict[str, list[str]]:
        """The roles that each account holds directly."""
        return access.roles_of(row.id for row in self.accounts)

    def api_keys(self) -> list[Credential]:
        """The usable API keys."""
        return [row for row in self.credentials if row.kind == Kind.API_KEY.value]

    def personal(self) -> list[Credential]:
        """The usable personal access tokens."""
        return [row for row in self.credentials if row.kind == Kind.PERSONAL.value]

    def after_for(self, principal: Principal | None) -> Policy:
        """The policy that will hold for a principal, by its environment."""
        return self.after.of("" if principal is None else principal.environment)

    def whole(self, key: str, effect: str, why: str) -> Broken:
        """Say that something about the organization as a whole breaks."""
        name = directory.any_organization(self.organization).name
        return Broken(key, "organization", self.organization, name, effect, why)

    def account(self, row: Principal, key: str, effect: str, why: str) -> Broken:
        """Say that an account breaks."""
        return Broken(
            key, row.kind, row.id, row.name, effect, why, last_used_at=self.used_by_account.get(row.id)
        )

    def credential(self, row: Credential, key: str, effect: str, why: str) -> Broken:
        """Say that a credential breaks."""
        used = self.usage.get(row.id)
        name = row.name if row.principal is None else f"{row.principal.handle}/{row.name}"
        return Broken(
            *(key, _KINDS[row.kind], row.id, name, effect, why),
            last_used_at=None if used is None else used.last_used_at,
            use_count=0 if used is None else used.count,
        )
