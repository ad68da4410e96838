"""Seven steps to try a service account out; each ticks when one of the two logs shows that it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, Min, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform

from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Organization, Principal
from retinue.server.ledger.queries import AuditEvent
from retinue.server.nodes.probing import CANARY
from retinue.server.traffic.models import Request

#: The steps in their order, and what is to be done.
STEPS = {
    "account": "create an account",
    "key": "issue a key for it",
    "call": "call the API with the key",
    "line": "find the call in the request log",
    "missing": "take a permission away, and see the 403 name it",
    "rotate": "rotate a key with overlap",
    "revoke": "revoke a key, and see the 401",
}
_TAKEN = ("grant.deleted", "role.removed")


@dataclass(frozen=True, slots=True)
class Step:
    """One step, and whether it was taken."""

    name: str
    text: str
    is_done: bool


def steps(organization_id: str, since: datetime) -> list[Step]:
    """Return the steps, as an organization has taken them since an instant. One query."""
    return told(Organization.objects.filter(id=organization_id).values(**ticks(organization_id, since)).get())


def told(done: Mapping[str, object]) -> list[Step]:
    """Return the steps with what :func:`ticks` has found of each."""
    return [Step(name, text, bool(done[name])) for name, text in STEPS.items()]


def ticks(organization_id: str, since: datetime | Subquery) -> dict[str, Exists]:
    """Return for each step the condition that it was taken, to be asked beside something else."""

    def events(*types: str) -> QuerySet[AuditEvent]:
        rows = AuditEvent.objects.filter(organization=organization_id, type__in=types, at__gte=since)
        return rows.exclude(actor_kind="system").exclude(subject__in=_canaries())

    requests = Request.objects.filter(organization=organization_id, at__gte=since)
    # Programs that were there before tick nothing: only who got a key of these calls.
    called = Exists(requests.filter(allowed=True, credential__in=events("key.issued").values("subject")))
    taken = events(*_TAKEN)
    first = taken.order_by().values("organization").annotate(first=Min("at")).values("first")
    whose = taken.annotate(whose=KeyTextTransform("subject", "before")).values("whose")
    denied = requests.filter(allowed=False)
    revoked = events("key.revoked").values("subject")
    return {
        "account": Exists(events("account.created")),
        "key": Exists(events("key.issued")),
        "call": called,
        # A decision is known here by its line; so the line is there once the call is.
        "line": called,
        "missing": Exists(
            denied.filter(reason="permission_missing", at__gte=Subquery(first), account__in=whose)
        ),
        "rotate": Exists(events("key.rotated").exclude(after__state="revoked")),
        "revoke": Exists(denied.filter(reason="credential_revoked", credential__in=revoked)),
    }


def _canaries() -> QuerySet[Credential, str]:
    """Return the ids of keys that Retinue makes for itself, whoever asked for them."""
    own = Principal.objects.filter(CANARY).values("id")
    return Credential.objects.filter(principal__in=own).values_list("id", flat=True)
