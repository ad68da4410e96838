"""What the ledger says has changed that findings depend on: about whom, or about everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from retinue.replica.records import Kind
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import owned_by
from retinue.server.ledger.queries import AuditEvent, Change

_CREDENTIALS = frozenset({"api_key", "personal_access_token", "ingest_token"})
#: What happens to these is no cause of a finding, and no end of one.
_NO_MATTER = frozenset(
    {
        "epoch",
        "finding",
        "identity_key",
        "import_scheme",
        "invitation",
        "node",
        "node_credential",
        "operation",
        "receipt",
        "review",
        "review_item",
        "setup_code",
        "webhook",
    }
)
#: Which principals these are about, the records say that nodes fetch anew; those of roles are about many.
_OF_RECORDS = frozenset({"grant", "membership", "role_assignment"})
#: What is declared by the host holds in every organization.
_EVERYWHERE = "permission"


@dataclass(slots=True)
class Moved:
    """The principals of one organization (or itself, for its ingest tokens) with which something changed."""

    holders: set[str] = field(default_factory=set)
    is_everybody: bool = False


@dataclass(slots=True)
class Reading:
    """Some revisions: the last one, what moved by organization, and whether something did in all of them."""

    last: int
    moved: dict[str, Moved] = field(default_factory=dict)
    is_everywhere: bool = False


def read(after: int, most: int, organization_id: str | None = None) -> Reading:
    """Read at most so many events behind a revision, of one organization or of all."""
    rows = AuditEvent.objects.filter(revision__gt=after)
    if organization_id is not None:
        rows = rows.filter(organization=organization_id)
    rows = rows.order_by("revision", "n")
    events = list(rows.only("revision", "organization", "type", "subject_kind", "subject")[: most + 1])
    if len(events) > most:  # a revision is read whole; one that is longer says something about everybody
        end = events[most].revision
        whole = [each for each in events if each.revision < end]
        if not whole:
            found = Reading(end)
            for row in AuditEvent.objects.filter(revision=end).values("organization").distinct():
                found.moved[row["organization"]] = Moved(is_everybody=True)
            return found
        events = whole
    found = Reading(events[-1].revision if events else after)
    _take(found, events)
    return found


def _take(found: Reading, events: Sequence[AuditEvent]) -> None:
    by_record: dict[int, set[str]] = {}
    credentials: dict[str, Moved] = {}
    users: dict[str, Moved] = {}
    for event in events:
        moved, kind = found.moved.setdefault(event.organization, Moved()), event.subject_kind
        if kind in _NO_MATTER:
            continue
        if kind in _CREDENTIALS:
            credentials[event.subject] = moved
        elif kind == "service_account":
            moved.holders.add(event.subject)
        elif kind == "user":
            if event.type.startswith("user."):  # signing in and out is no matter
                moved.holders.add(event.subject)
                users[event.subject] = moved
        elif kind in _OF_RECORDS:
            by_record.setdefault(event.revision, set()).add(event.organization)
        else:
            moved.is_everybody = True
            found.is_everywhere |= kind == _EVERYWHERE
    _of_credentials(credentials)
    for account, owner in owned_by(users) if users else ():
        users[owner].holders.add(account)
    _of_records(found, by_record)


def _of_credentials(moved: dict[str, Moved]) -> None:
    rows = Credential.objects.filter(id__in=list(moved)) if moved else Credential.objects.none()
    for ident, holder, organization in rows.values_list("id", "principal_id", "organization_id"):
        moved[ident].holders.add(holder or organization)


def _of_records(found: Reading, organizations: dict[int, set[str]]) -> None:
    if not organizations:
        return
    rows = Change.objects.filter(revision__in=list(organizations))
    for revision, kind, key in rows.values_list("revision", "kind", "key"):
        for organization in organizations[revision]:
            if kind == Kind.PRINCIPAL:
                found.moved[organization].holders.add(key)
            elif kind == Kind.HOLDER:
                found.moved[organization].is_everybody = True
