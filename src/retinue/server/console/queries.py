"""What the home page shows. Each part is read only if the viewer may see it; otherwise it is ``None``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Q

from retinue.server.console.borrowed import said
from retinue.server.credentials.queries import by_ids, keys, with_status
from retinue.server.directory.queries import Organization, Principal, accounts, principals
from retinue.server.ledger.catalogue import EVENTS, EventType
from retinue.server.ledger.proving import is_broken
from retinue.server.ledger.queries import Event, latest
from retinue.server.nodes.queries import NodeView, nodes, views
from retinue.server.policies.queries import in_force
from retinue.server.traffic.queries import requests, used_credentials
from retinue.server.traffic.standings import counts

EXPIRING = timedelta(days=14)
CHANGES_SHOWN = 8
#: Equal events in a row are shown as one, so that a guesser does not push everything else off the page.
CHANGES_READ = 80


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions within the last 24 hours."""

    allowed: int
    denied: int


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
    """One audit event in words, or several equal ones in a row: the latest, and how often."""

    event: Event
    meaning: str
    subject: str
    who: str
    tone: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the home page."""

    person: Principal
    organization: Organization
    permissions: int
    #: How many accounts have each status.
    accounts: dict[str, int] | None
    decided: Decided | None
    keys: Keys | None
    changes: list[Happened] | None
    #: The audit log is not what was signed.
    is_log_broken: bool


def overview(person: Principal, may: frozenset[str], now: datetime) -> Overview:
    """Return what ``person``, who holds ``may``, sees at ``now``."""
    organization = person.organization
    sees_accounts = "service_account:read" in may
    return Overview(
        person=person,
        organization=organization,
        permissions=len(may),
        accounts=_accounts(organization.id, now) if sees_accounts else None,
        decided=_decided(organization.id, now) if "request_log:read" in may else None,
        keys=_keys(organization.id, now) if "credential:read" in may else None,
        changes=_changes(organization.id) if "audit_log:read" in may else None,
        is_log_broken="audit_log:read" in may and is_broken(),
    )


def _accounts(organization_id: str, now: datetime) -> dict[str, int]:
    return counts(accounts(organization_id, state="any"), now, in_force(organization_id))


def _decided(organization_id: str, now: datetime) -> Decided:
    recent = requests(organization_id, since=now - timedelta(days=1)).order_by()
    found: dict[bool, int] = dict(recent.values_list("allowed").annotate(Count("id")))
    return Decided(found.get(True, 0), found.get(False, 0))


def _keys(organization_id: str, now: datetime) -> Keys:
    policy = in_force(organization_id)
    usable = with_status(keys(organization_id), "usable", now, used=used_credentials(), policy=policy)
    live = usable.filter(principal__state="enabled")
    soon = Count("id", filter=Q(expires_at__lte=now + EXPIRING))
    return Keys(**live.aggregate(live=Count("id"), expiring=soon))


def fleet() -> Fleet:
    """Return the nodes, and how far each has applied the changes."""
    seen = sorted(views(list(nodes())), key=lambda view: view.node.name)
    return Fleet(seen, max((view.revision + view.lag for view in seen), default=0))


def _changes(organization_id: str) -> list[Happened]:
    found = latest(organization_id, limit=CHANGES_READ)
    names = _names(found)
    shown: list[Happened] = []
    for event in found:
        happened = _happened(event, names)
        if shown and _says_the_same(shown[-1], happened):
            shown[-1] = replace(shown[-1], times=shown[-1].times + 1)
        elif len(shown) == CHANGES_SHOWN:
            break
        else:
            shown.append(happened)
    return shown


def _says_the_same(one: Happened, other: Happened) -> bool:
    return (one.meaning, one.subject, one.who) == (other.meaning, other.subject, other.who)


def _names(found: list[Event]) -> dict[str, str]:
    """Return a name for people of each subject that still exists: ``etl/prod`` for a key."""
    subjects = [event.subject for event in found]
    named = {ident: principal.name for ident, principal in principals(subjects).items()}
    held = by_ids(subjects)
    holders = principals([key.principal_id for key in held.values() if key.principal_id])
    for ident, key in held.items():
        holder = holders.get(key.principal_id or "")
        named[ident] = f"{holder.handle}/{key.name}" if holder else key.name
    return named


def _happened(event: Event, names: dict[str, str]) -> Happened:
    type_ = EVENTS.get(event.type)
    told = {**event.before, **event.after}
    named = told.get("name") or told.get("handle") or told.get("email") or told.get("role")
    return Happened(
        event=event,
        meaning=said(type_.meaning).rstrip(".") if type_ else event.type,
        subject=str(names.get(event.subject) or named or event.subject),
        who=event.actor_name,
        tone=_tone(event.type, type_),
    )


def _tone(name: str, type_: EventType | None) -> str:
    if name.endswith(".refused"):
        return "bad"
    return "good" if type_ is None or type_.additive else "warn"
