"""What the home page shows. Each part is read only if the viewer may see it; otherwise it is ``None``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from retinue.server.access.queries import effective, roles_of
from retinue.server.access.roles import ROLES
from retinue.server.credentials.queries import keys, with_status
from retinue.server.directory.queries import Organization, Principal, accounts
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.ledger.queries import Event, latest
from retinue.server.nodes.queries import NodeView, nodes, views

EXPIRING = timedelta(days=14)
CHANGES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Accounts:
    """Service accounts that are not deleted."""

    enabled: int
    disabled: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.enabled + self.disabled


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys that work now, and how many of them end within 14 days."""

    live: int
    expiring: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """The nodes, and the revision to which they should have applied everything."""

    nodes: list[NodeView]
    head: int

    @property
    def connected(self) -> int:
        """How many are connected."""
        return sum(1 for view in self.nodes if view.connected)

    @property
    def behind(self) -> int:
        """How many have not applied the last change."""
        return sum(1 for view in self.nodes if view.lag)


@dataclass(frozen=True, slots=True)
class Happened:
    """One audit event in words."""

    event: Event
    meaning: str
    subject: str
    who: str
    tone: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the home page."""

    person: Principal
    organization: Organization
    roles: list[str]
    permissions: int
    accounts: Accounts | None
    keys: Keys | None
    fleet: Fleet | None
    changes: list[Happened] | None


def overview(person: Principal, now: datetime) -> Overview:
    """Return what ``person`` sees at ``now``."""
    may = effective(person)
    organization = person.organization
    held = roles_of([person.id])[person.id]
    return Overview(
        person=person,
        organization=organization,
        roles=[ROLES[handle].name if handle in ROLES else handle for handle in held],
        permissions=len(may),
        accounts=_accounts(organization.id) if "service_account:read" in may else None,
        keys=_keys(organization.id, now) if "credential:read" in may else None,
        fleet=_fleet() if "node:read" in may else None,
        changes=_changes(organization.id) if "audit_log:read" in may else None,
    )


def _accounts(organization_id: str) -> Accounts:
    counted = accounts(organization_id).values_list("state").annotate(Count("id"))
    by_state: dict[str, int] = dict(counted)
    return Accounts(by_state.get("enabled", 0), by_state.get("disabled", 0))


def _keys(organization_id: str, now: datetime) -> Keys:
    live = with_status(keys(organization_id), "usable", now).filter(principal__state="enabled")
    return Keys(live.count(), live.filter(expires_at__lte=now + EXPIRING).count())


def _fleet() -> Fleet:
    seen = sorted(views(list(nodes())), key=lambda view: view.node.name)
    return Fleet(seen, max((view.revision + view.lag for view in seen), default=0))


def _changes(organization_id: str) -> list[Happened]:
    return [_happened(event) for event in latest(organization_id, CHANGES_SHOWN)]


def _happened(event: Event) -> Happened:
    type_ = EVENTS.get(event.type)
    told = {**event.before, **event.after}
    subject = told.get("name") or told.get("handle") or told.get("email") or told.get("role") or event.subject
    return Happened(
        event=event,
        meaning=type_.meaning.rstrip(".") if type_ else event.type,
        subject=str(subject),
        who=event.actor_name,
        tone=_tone(event.type),
    )


def _tone(type_: str) -> str:
    if type_.endswith(".refused"):
        return "bad"
    return "good" if EVENTS[type_].additive else "warn"
