"""Seven steps to try a service account out; each ticks when one of the two logs shows that it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, Min, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform

from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import CANARY, Organization, Principal
from retinue.server.ledger.queries import AuditEvent
from retinue.server.traffic import rollup
from retinue.server.traffic.models import CredentialHour, Request
from retinue.steps import CREATED, ENDED, ISSUED, MISSING, REVOKED, ROTATED, STEPS, TAKEN_AWAY


@dataclass(frozen=True, slots=True)
class Step:
    """One step, and whether it was taken."""

    name: str
    text: str
    is_done: bool


def steps(organization_id: str, since: datetime) -> list[Step]:
    """Return the steps, as an organization has taken them since an instant. One query."""
    done = Organization.objects.filter(id=organization_id).values(**_ticks(organization_id, since)).get()
    return _told(done)


def _told(done: Mapping[str, object]) -> list[Step]:
    return [Step(name, text, bool(done[name])) for name, text in STEPS.items()]


def _ticks(organization_id: str, since: datetime) -> dict[str, Exists]:
    """Return for each step the condition that it was taken.

    ``since`` is a value: a database that does not know it guesses that a third of both logs is later.
    """

    def events(*types: str) -> QuerySet[AuditEvent]:
        rows = AuditEvent.objects.filter(organization=organization_id, type__in=types, at__gte=since)
        return rows.exclude(actor_kind="system").exclude(subject__in=_canaries())

    # Programs that were there before tick nothing: only who got a key of these calls.
    issued = Credential.objects.filter(id__in=events(ISSUED).values("subject"))
    calls = CredentialHour.objects.filter(
        organization=organization_id,
        account=OuterRef("principal_id"),
        credential=OuterRef("id"),
        hour__gte=rollup.begin(since),
        allowed__gt=0,
    )
    called = Exists(issued.filter(Exists(calls)))
    taken = events(*TAKEN_AWAY)
    first = taken.order_by().values("organization").annotate(first=Min("at")).values("first")
    whose = taken.annotate(whose=KeyTextTransform("subject", "before")).values("whose")
    denied = Request.objects.filter(organization=organization_id, at__gte=since, allowed=False)
    revoked = events(REVOKED).values("subject")
    return {
        "account": Exists(events(CREATED)),
        "key": Exists(events(ISSUED)),
        "call": called,
        # A decision is known here by its line; so the line is there once the call is.
        "line": called,
        "missing": Exists(denied.filter(reason=MISSING, at__gte=Subquery(first), account__in=whose)),
        "rotate": Exists(events(ROTATED).exclude(after__state="revoked")),
        "revoke": Exists(denied.filter(reason=ENDED, credential__in=revoked)),
    }


def _canaries() -> QuerySet[Credential, str]:
    """Return the ids of keys that Retinue makes for itself, whoever asked for them."""
    own = Principal.objects.filter(CANARY).values("id")
    return Credential.objects.filter(principal__in=own).values_list("id", flat=True)
