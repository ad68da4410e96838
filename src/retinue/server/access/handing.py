"""What is asked whenever something is handed out: ceiling, bans, justification, a second person, an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from retinue.server.access import loading, queries, rules, subjects
from retinue.server.access.paths import Part
from retinue.server.directory import queries as people
from retinue.server.directory.queries import Organization
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, Actor, Transaction
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of


def lock(organization_id: str) -> None:
    """Hold the organization until the commit: who has what is decided one change at a time."""
    Organization.objects.select_for_update(no_key=True).get(id=organization_id)


def held_by(actor: Actor) -> rules.Held | None:
    """Return what an actor effectively holds, for the grant ceiling; ``None`` for Retinue itself."""
    if actor.kind == SYSTEM.kind:
        return None
    principal = people.principals([actor.id]).get(actor.id)
    return rules.Held() if principal is None else queries.holdings([principal])[principal.id]


@dataclass(frozen=True, slots=True)
class Terms:
    """How something is handed out: until when, and whether it waits for a second principal."""

    expires_at: datetime | None = None
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Handing:
    """One change of access by one actor, under the lock of its organization."""

    tx: Transaction
    organization: str
    policy: Policy
    catalogue: Mapping[str, int]
    held: rules.Held | None
    justification: str

    @classmethod
    def begin(cls, tx: Transaction, organization: str, justification: str = "") -> Handing:
        """Take the lock and read what the actor holds."""
        rules.check_justification_text(justification)
        lock(organization)
        policy, catalogue = policy_of(organization), queries.catalogue()
        return cls(tx, organization, policy, catalogue, held_by(tx.actor), justification)

    def terms(
        self, parts: Iterable[Part], *, to_service: bool, expires_at: datetime | None = None, field: str
    ) -> Terms:
        """Return how ``parts`` may be handed out, or refuse it; ``to_service``: to a service account."""
        found = list(parts)
        elevated: set[str] = set()
        for part in found:
            if to_service:
                rules.check_bans(part, self.catalogue, self.policy, field)
            if self.held is not None:
                rules.check_ceiling(part, self.held, self.policy, field)
                elevated.update(rules.elevated_in(part, self.catalogue, self.policy))
        rules.check_justification(elevated, self.justification, self.policy)
        days = self.policy.elevated_expires_days
        if elevated and days is not None:
            last = self.tx.now + timedelta(days=days)
            expires_at = last if expires_at is None else min(expires_at, last)
        return Terms(expires_at, bool(elevated) and self.policy.elevated.approval == "four_eyes")

    def gained(self, before: Iterable[Part], after: Iterable[Part], *, to_service: bool, field: str) -> None:
        """Refuse a change by which its holders would gain what the actor may not hand out.

        What would wait for a second principal cannot wait inside such a change: it is refused.
        """
        had = {_bare(part) for part in before}
        terms = self.terms(
            [part for part in after if _bare(part) not in had], to_service=to_service, field=field
        )
        if terms.is_pending:
            raise Refused(
                "approval_required",
                "this adds elevated permissions to what others hold already: grant them to it one by one, "
                "so that a second person can approve",
                field=field,
            )

    def parts_of(self, holder: str) -> list[Part]:
        """Return what a role, group, team or access policy gives now."""
        return list(loading.of_holders([holder]).parts(holder, self.policy))

    def reaches_service(self, ident: str) -> bool:
        """Tell whether a service account has what this subject has, or could come to have it by a rule."""
        return subjects.reaches_service(self.organization, ident)


def _bare(part: Part) -> tuple[object, ...]:
    """A part without its links: two paths to the same are no gain."""
    return (part.patterns, part.selector, part.is_bound, part.until_ms, part.users_only, part.reaches)


def check_stronger(actor: Actor, principal: people.Principal, field: str | None = None) -> None:
    """Refuse to hand out a credential of an account that can do more than the actor."""
    if actor.kind == SYSTEM.kind or actor.id == principal.id:
        return
    acting = people.principals([actor.id]).values()
    held = queries.holdings([principal, *acting])
    policy = policy_of(principal.organization_id)
    own = held.get(actor.id, rules.Held())
    target = held[principal.id]
    for part in target.parts:
        rules.check_ceiling(part, own, policy, field or "account", banned=target.banned)
