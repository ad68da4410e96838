"""What the home page shows. Each part is read only if the viewer may see it; otherwise it is ``None``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Q

from retinue.server.console.borrowed import said
from retinue.server.credentials.queries import by_ids, keys, with_status
from retinue.server.directory.queries import Organization, Principal, accounts, is_canary, principals
from retinue.server.ledger.catalogue import EVENTS, EventType
from retinue.server.ledger.proving import is_broken
from retinue.server.ledger.queries import Event, latest
from retinue.server.nodes.queries import NodeView, last_receipt, nodes, views
from retinue.server.policies.queries import in_force
from retinue.server.traffic.counts import decided
from retinue.server.traffic.queries import used_credentials
from retinue.server.traffic.standings import counts

EXPIRING = timedelta(days=14)
CHANGES_SHOWN = 10
#: Equal events in a row are shown as one, so that a guesser does not push everything else off the page.
CHANGES_READ = 80
#: That a change holds everywhere is said beside the change.
UNTOLD = ("receipt.completed",)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions within the last 24 hours."""

    allowed: int
    denied: int
    since: datetime

    @property
    def all(self) -> int:
        """Both together."""
        return self.allowed + self.denied


@dataclass(frozen=True, slots=True)
class Keys:
    """API keys that work now, and how many end within 14 days, those of accounts that are off among them."""

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
    since = now - DAY
    found = decided(organization_id, since)
    denials = sum(times for (allowed, _reason), times in found.items() if not allowed)
    return Decided(sum(found.values()) - denials, denials, since)


@dataclass(frozen=True, slots=True)
class Denied:
    """How often something was denied for one reason, and its share of all denials in a hundred."""

    reason: str
    times: int
    share: int


def denied(organization_id: str, since: datetime) -> list[Denied]:
    """Return the reasons of denials since an instant, the most frequent first."""
    counted = decided(organization_id, since).items()
    found = [(reason, times) for (allowed, reason), times in counted if not allowed]
    whole = sum(times for _reason, times in found)
    found.sort(key=lambda each: (-each[1], each[0]))
    return [Denied(reason, times, round(100 * times / whole)) for reason, times in found]


def _keys(organization_id: str, now: datetime) -> Keys:
    policy = in_force(organization_id)
    usable = with_status(keys(organization_id), "usable", now, used=used_credentials(), policy=policy)
    live = Count("id", filter=Q(principal__state="enabled"))
    soon = Count("id", filter=Q(expires_at__gt=now, expires_at__lte=now + EXPIRING))
    return Keys(**usable.aggregate(live=live, expiring=soon))


def fleet() -> Fleet:
    """Return the nodes, and how far each has applied the changes."""
    seen = sorted(views(list(nodes())), key=lambda view: view.node.name)
    return Fleet(seen, max((view.revision + view.lag for view in seen), default=0))


@dataclass(frozen=True, slots=True)
class Held:
    """The last change that took access away: its receipt, and ms until it held everywhere."""

    id: str
    took_ms: int | None


def last_held(organization_id: str) -> Held | None:
    """Return how long the last change that took access away needed to hold on every node; none before one."""
    found = last_receipt(organization_id)
    if found is None:
        return None
    took = None if found.completed_at is None else found.completed_at - found.committed_at
    return Held(found.id, None if took is None else round(took.total_seconds() * 1e3))


def _changes(organization_id: str) -> list[Happened]:
    found = latest(organization_id, CHANGES_READ, without=UNTOLD)
    names, canaries = _names(found)
    shown: list[Happened] = []
    for event in found:
        if event.subject in canaries:
            continue
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


def _names(found: list[Event]) -> tuple[dict[str, str], set[str]]:
    """Return a name of each subject that still exists, ``etl/prod`` for a key, and what probes use.

    What is done to the canary's account and its keys is nobody's change: Retinue proves itself.
    """
    subjects = [event.subject for event in found]
    named = {ident: principal.name for ident, principal in principals(subjects).items()}
    held = by_ids(subjects)
    holders = principals([key.principal_id for key in held.values() if key.principal_id])
    for ident, key in held.items():
        holder = holders.get(key.principal_id or "")
        named[ident] = f"{holder.handle}/{key.name}" if holder else key.name
    canaries = {ident for ident, each in {**holders, **principals(subjects)}.items() if is_canary(each)}
    return named, canaries | {ident for ident, key in held.items() if key.principal_id in canaries}


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
