"""Whom credentials belong to, and what is decided about all of one owner's credentials: limit and names.

Both are decided while the owner's row is locked, inside the transaction that writes: one caller at a time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from retinue.server.credentials import rules
from retinue.server.credentials.models import Credential
from retinue.server.directory import rules as names
from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of
from retinue.token import Kind

#: Every credential that is issued asks this; the ORM would take longer to put it together than the answer.
_PRESENT = """
SELECT id, name, name_folded, state, expires_at, retires_at FROM credentials_credential
WHERE {owner} AND kind = %s AND state IN ('active', 'suspended')
  AND ((name_folded = %s AND retires_at IS NULL)
    OR ((expires_at IS NULL OR expires_at > %s) AND (retires_at IS NULL OR retires_at > %s)))
ORDER BY issued_at, id
"""
NOUNS = {Kind.API_KEY: "key", Kind.PERSONAL: "personal access token", Kind.INGEST: "ingest token"}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has credentials of a kind: a service account, a user, or an organization, without a principal."""

    kind: Kind
    organization_id: str
    principal: Principal | None

    @property
    def policy(self) -> Policy:
        """The policy that is in force for this owner."""
        return policy_of(self.organization_id, "" if self.principal is None else self.principal.environment)

    @property
    def bounds(self) -> rules.Bounds:
        """How long its credentials may live."""
        environment = "" if self.principal is None else self.principal.environment
        return rules.bounds(self.policy, self.kind, environment)

    @property
    def called(self) -> str:
        """How the owner is called in refusals."""
        return "the organization" if self.principal is None else self.principal.handle

    @property
    def noun(self) -> str:
        """What its credentials are called."""
        return NOUNS[self.kind]

    @property
    def article(self) -> str:
        """The article of its noun."""
        return "an" if self.noun.startswith("i") else "a"

    def locked(self) -> Owner:
        """Hold the owner's row until the commit; refuses one that was deleted."""
        if self.principal is None:
            Organization.objects.select_for_update(no_key=True).get(id=self.organization_id)
            return self
        found = Principal.objects.select_for_update(no_key=True).get(id=self.principal.id)
        if found.state == "deleted":
            raise Refused("state_conflict", f"{found.handle} is deleted")
        return Owner(self.kind, self.organization_id, found)

    def present(self, now: datetime, name: str) -> list[Credential]:
        """Return the credentials that count against the limit or bear the name, the oldest first."""
        column = "organization_id" if self.principal is None else "principal_id"
        ident = self.organization_id if self.principal is None else self.principal.id
        statement = _PRESENT.format(owner=f"{column} = %s")
        return list(
            Credential.objects.raw(statement, [ident, self.kind.value, names.fold(name), _at(now), _at(now)])
        )

    def check_room(self, present: list[Credential], now: datetime) -> None:
        """Refuse one usable credential too many, naming the limit and the oldest that could go."""
        most = rules.most_usable(self.policy, self.kind)
        usable = [key for key in present if rules.is_usable(key.state, key.expires_at, key.retires_at, now)]
        if most is not None and len(usable) >= most:
            oldest = ", ".join(f"{key.name} ({key.id})" for key in usable[:3])
            raise Refused(
                "too_many_keys",
                f"{self.called} has {len(usable)} usable {self.noun}s, the limit is {most}; oldest: {oldest}",
            )

    def check_name_free(
        self, present: list[Credential], name: str, *, but: Credential | None = None, field: str = "name"
    ) -> None:
        """Refuse a name that another credential bears, if names are unique here; ``but`` may keep its own."""
        if self.policy.credentials_name.unique == "none":
            return
        folded, own = names.fold(name), None if but is None else but.id
        for key in present:
            if key.name_folded == folded and key.retires_at is None and key.id != own:
                raise Refused(
                    "duplicate_name",
                    f"{self.called} has {self.article} {self.noun} named {name!r} already: {key.id}",
                    field=field,
                )

    def name(self, name: str | None, now: datetime) -> str:
        """Return the name of a new credential: the given one, or one that is made where none is required."""
        if name is not None and name.strip():
            return names.check_name(name)
        if self.policy.credentials_name.required:
            raise Refused("missing_field", f"{self.article} {self.noun} needs a name here", field="name")
        return f"{self.noun.split()[0]}-{now:%Y%m%d}-{secrets.token_hex(3)}"

    def claim(self, name: str) -> str | None:
        """Return what keeps a name from being given twice, where the policy wants it once."""
        return None if self.policy.credentials_name.unique == "none" else names.fold(name)


def of(key: Credential) -> Owner:
    """Return the owner of a credential."""
    return Owner(Kind(key.kind), key.organization_id, key.principal)


def _at(now: datetime) -> object:
    return connection.ops.adapt_datetimefield_value(now)
