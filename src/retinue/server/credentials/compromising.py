"""When something has leaked: all of a scope is revoked for good, without overlap, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from retinue.server.credentials import ending, rules
from retinue.server.credentials.models import Credential
from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.token import Kind

#: What belongs to an organization: credentials of nodes belong to the installation.
KINDS = (Kind.API_KEY.value, Kind.PERSONAL.value, Kind.INGEST.value)
COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compromised: a credential, an account (or user), or a whole organization."""

    organization: str
    principal: str | None = None
    credential: str | None = None

    def rows(self) -> QuerySet[Credential]:
        """Return what a compromise ends: also what is suspended, or was revoked and could come back."""
        rows = Credential.objects.filter(organization_id=self.organization, kind__in=KINDS)
        if self.credential is not None:
            rows = rows.filter(id=self.credential)
        if self.principal is not None:
            rows = rows.filter(principal_id=self.principal)
        final = Q(state="revoked", reason__in=sorted(rules.FINAL_REASONS))
        return rows.exclude(state="deleted").exclude(final)


def compromise(tx: Transaction, scope: Scope, *, confirm: int, text: str = "") -> list[Credential]:
    """Revoke everything in a scope as compromised; return it, the oldest first.

    Nothing is issued in the scope meanwhile. ``confirm`` is how much the dry run counted: where it is another
    number now, nothing happens.
    """
    rules.check_reason(COMPROMISED, text)
    _lock(scope)
    rows = scope.rows().select_related("principal").select_for_update(of=("self",), no_key=True)
    found = list(rows.order_by("issued_at", "id"))
    if len(found) != confirm:
        raise Refused(
            "state_conflict",
            f"it is {len(found)} credentials now, not {confirm}: look again",
            field="confirm",
        )
    ending.end_many(tx, found, COMPROMISED, text)
    return found


def _lock(scope: Scope) -> None:
    """Hold whoever could get another credential meanwhile."""
    if scope.credential is not None:
        return
    if scope.principal is not None:
        Principal.objects.select_for_update(no_key=True).get(id=scope.principal)
        return
    # In the order of everybody else: principals, then the organization, which who creates one holds; then
    # those that were created meanwhile. What only refers to them (no_key) waits for nothing.
    held = Principal.objects.filter(organization_id=scope.organization).exclude(state="deleted")
    rows = held.select_for_update(no_key=True).order_by("id").values_list("id", flat=True)
    list(rows.all())
    Organization.objects.select_for_update(no_key=True).get(id=scope.organization)
    list(rows.all())
