"""Findings: what is not as it should be with accounts and credentials, and who answers for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import Field

from retinue.server.api import render, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, computed_page
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import queries as credentials
from retinue.server.directory import queries as directory
from retinue.server.governance import actions, queries
from retinue.server.governance.rules import KINDS, Found

TAG = "findings"
ONE = "/findings/{finding_id}"
AS_OF = "Everything was looked at then, and since then whoever was changed."
FindingKind = Literal[tuple(KINDS)]  # type: ignore[valid-type]


class FindingSubject(schemas.Answer):
    """What it is about: a service account, or a credential and whose it is."""

    id: str
    kind: Literal["service_account", "credential"]
    name: str | None
    account: schemas.PrincipalRef | None = Field(description="The account, or the credential's principal.")


class FindingException(schemas.Answer):
    """Who answers for the finding, why, and until when."""

    reason: str
    until: str
    accepted_by: schemas.PrincipalRef | None
    accepted_at: str


class Finding(schemas.Answer):
    """One finding. It ends when its cause ends."""

    id: str
    kind: str
    title: str = Field(description="What the kind is called.")
    severity: Literal["low", "medium", "high"]
    meaning: str
    proposed: str = Field(description="What to do about it.")
    subject: FindingSubject
    since: str | None
    state: Literal["open", "accepted"]
    exception: FindingException | None
    evidence: dict[str, Any]


class FindingList(schemas.Answer):
    """A page of findings, the worst first: by kind and subject."""

    items: list[Finding]
    next: str | None
    as_of: str = Field(description=AS_OF)


class FindingFilter(schemas.ListQuery):
    """Filters of the list of findings."""

    kind: FindingKind | None = None  # type: ignore[valid-type]
    subject: str | None = Field(None, description="Id of a service account or credential.")
    account: str | None = Field(
        None, description="Id of a service account or user: what is about it or its credentials."
    )
    state: Literal["open", "accepted", "any"] = "open"


class FindingCount(schemas.Answer):
    """How many findings of one kind are open."""

    kind: str
    title: str
    severity: Literal["low", "medium", "high"]
    proposed: str = Field(description="What to do about one.")
    open: int


class FindingCounts(schemas.Answer):
    """How many findings of each kind that the policy raises are open."""

    items: list[FindingCount]
    as_of: str = Field(description=AS_OF)


class AcceptFinding(schemas.WithReason):
    """Why the finding may stand, and until when."""

    until: schemas.Instant


@operation("GET", "/findings", permission="finding:read", response=FindingList, tag=TAG)
def list_findings(call: Call, query: FindingFilter) -> schemas.JSON:
    """List what is found now, the worst first: by kind and subject."""
    filters = query.filters()

    def after(last: tuple[str, ...] | None) -> Iterator[Found]:
        place = None if last is None else (last[0], last[1])
        return queries.findings(call.organization, call.now, after=place, **filters)

    rows, following = computed_page(
        after,
        lambda each: (each.kind, each.subject),
        Listing("findings", call.organization, filters, ("kind", "subject")),
        cursor=query.cursor,
        limit=query.limit,
    )
    as_of = instant(queries.as_of(call.organization, call.now))
    return {"items": _rendered(call, rows, are_open=query.state == "open"), "next": following, "as_of": as_of}


@operation("GET", "/findings/counts", permission="finding:read", response=FindingCounts, tag=TAG)
def count_findings(call: Call) -> schemas.JSON:
    """Count the open findings of each kind, the worst first."""
    counts = queries.counts(call.organization, call.now)
    return {
        "items": [
            {
                "kind": name,
                "title": KINDS[name].title,
                "severity": KINDS[name].severity,
                "proposed": KINDS[name].act,
                "open": count,
            }
            for name, count in counts.items()
        ],
        "as_of": instant(queries.as_of(call.organization, call.now)),
    }


@operation("GET", ONE, permission="finding:read", response=Finding, tag=TAG)
def get_finding(call: Call, finding_id: str) -> schemas.JSON:
    """Get a finding, for as long as its cause lasts."""
    return _rendered(call, [queries.finding(call.organization, finding_id, call.now)])[0]


@operation("POST", f"{ONE}/accept", permission="finding:resolve", response=Finding, tag=TAG)
def accept_finding(call: Call, finding_id: str, body: AcceptFinding) -> schemas.JSON:
    """Answer for a finding until a date; it is listed apart until then."""
    found, _ = actions.accept(call.tx, call.organization, finding_id, reason=body.reason, until=body.until)
    return _rendered(call, [found])[0]


@operation("POST", f"{ONE}/reopen", permission="finding:resolve", response=Finding, tag=TAG)
def reopen_finding(call: Call, finding_id: str, body: schemas.WithReason) -> schemas.JSON:
    """Take an exception back."""
    return _rendered(call, [actions.reopen(call.tx, call.organization, finding_id)])[0]


def _rendered(call: Call, rows: Sequence[Found], *, are_open: bool = False) -> list[schemas.JSON]:
    granted = {} if are_open else queries.accepted(call.organization, call.now)
    held = credentials.by_ids(row.subject for row in rows if KINDS[row.kind].subject == "credential")
    ids = {row.subject for row in rows} | {each.principal_id or "" for each in held.values()}
    people = directory.principals(ids | {each.accepted_by for each in granted.values()})
    rendered = []
    for row in rows:
        kind, credential = KINDS[row.kind], held.get(row.subject)
        account = people.get(row.subject if credential is None else credential.principal_id or "")
        known = account if credential is None else credential
        exception = granted.get((row.kind, row.subject))
        rendered.append(
            {
                "id": row.id,
                "kind": row.kind,
                "title": kind.title,
                "severity": kind.severity,
                "meaning": kind.meaning,
                "proposed": kind.act,
                "subject": {
                    "id": row.subject,
                    "kind": kind.subject,
                    "name": None if known is None else known.name,
                    "account": render.ref(account),
                },
                "since": instant(row.since),
                "state": "open" if exception is None else "accepted",
                "exception": None
                if exception is None
                else {
                    "reason": exception.reason,
                    "until": instant(exception.until),
                    "accepted_by": render.ref(people.get(exception.accepted_by)),
                    "accepted_at": instant(exception.accepted_at),
                },
                "evidence": dict(row.evidence),
            }
        )
    return rendered
