"""How findings are looked for: an organization, its policy, an instant, and where to go on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from django.db.models import Model, Q, QuerySet

from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import CANARY, Principal
from retinue.server.policies import remembering
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import in_force, policy_of
from retinue.server.traffic import queries as traffic
from retinue.server.traffic.queries import Denials
from retinue.token import Kind

#: Rows that are read at once.
AT_ONCE = 500
#: What people hand to programs; a node's credential is nobody's to review.
KINDS = (Kind.API_KEY.value, Kind.PERSONAL.value, Kind.INGEST.value)
_LONG = 36_500
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: one organization as of ``now``; only ``subject``, or all ids after ``after``.

    ``holders`` are the principals, or the organization for its ingest tokens, whose things alone matter;
    what is found about others may be left out.
    """

    organization: str
    now: datetime
    subject: str | None = None
    after: str = ""
    holders: frozenset[str] | None = None

    def policy(self, environment: str = "") -> Policy:
        """Return the policy in force for accounts that name ``environment``."""
        return policy_of(self.organization, environment)

    def policies(self) -> list[Policy]:
        """Return the policy in force, and that of each environment."""
        compiled = in_force(self.organization)
        return [compiled.policy, *compiled.environments.values()]

    def days(self, of: Callable[[Policy], Iterable[int | None]]) -> list[int]:
        """Return what ``of`` gives of the policy of every environment."""
        return [days for policy in self.policies() for days in of(policy) if days is not None]

    def ago(self, of: Callable[[Policy], Iterable[int | None]]) -> datetime:
        """Return the instant the fewest of these days ago; long ago where there are none."""
        return self.now - timedelta(days=min(self.days(of), default=_LONG))

    def accounts(self, where: Q | None = None) -> Iterator[list[Principal]]:
        """Yield the service accounts that are not deleted, by id, some at once.

        ``where`` leaves out, of many, most of those with which all is well; whoever looks decides.
        """
        rows = Principal.objects.filter(organization_id=self.organization, kind=Principal.SERVICE_ACCOUNT)
        rows = rows.exclude(state="deleted").exclude(CANARY)
        return self._some(rows if self.holders is None else rows.filter(pk__in=self.holders), where)

    def usable(self, where: Q | None = None) -> Iterator[list[Credential]]:
        """Yield the credentials that may be used now, by id, with their principals; ``where`` as above."""
        now = self.now
        rows = Credential.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            Q(retires_at__isnull=True) | Q(retires_at__gt=now),
            organization_id=self.organization,
            kind__in=KINDS,
            state="active",
        )
        return self._some(self.held(rows).select_related("principal"), where)

    def held(self, rows: QuerySet[Credential]) -> QuerySet[Credential]:
        """Narrow credentials of the organization to those that are looked at."""
        if self.holders is None:
            return rows
        own = Q(principal__isnull=True) if self.organization in self.holders else Q(pk__in=[])
        return rows.filter(Q(principal_id__in=self.holders) | own)

    def denials(
        self, reasons: Collection[str] | None, *, since: datetime, by: Literal["account", "credential"]
    ) -> dict[str, Denials]:
        """Return what was denied since then, by account or credential, for these reasons or any."""
        return traffic.denials(self.organization, reasons, since=since, by=by, accounts=self.holders)

    def of_these(self, idents: Iterable[str]) -> list[str]:
        """Return those of some ids that are looked at, in their order."""
        return sorted(each for each in idents if each > self.after and self.subject in (None, each))

    def _some(self, rows: QuerySet[_Row], where: Q | None) -> Iterator[list[_Row]]:
        if self.subject is not None:
            rows = rows.filter(pk=self.subject)
        last = self.after
        while found := self._after(rows, last):
            yield found
            if len(found) < AT_ONCE:
                return
            last = str(found[-1].pk)
            if where is not None:
                rows, where = rows.filter(where), None

    def _after(self, rows: QuerySet[_Row], last: str) -> list[_Row]:
        """Return the next rows. Most kinds look at the same ones: within a read the first are kept."""
        wanted = rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]
        if last:
            return list(wanted)
        key = ("looked at", rows.model.__name__, self.organization, self.now, self.subject, self.holders)
        return remembering.once(key, lambda: list(wanted))
