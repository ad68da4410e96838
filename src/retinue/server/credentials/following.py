"""What changes of users do to their personal access tokens (``pat.on_role_change``).

A token follows what its user may do now, always. Where the policy wants it, it is also suspended when the
roles of its user change, until the user confirms it.
"""

from __future__ import annotations

from django.db.models import Q

from retinue.server.access import subjects
from retinue.server.credentials import ending
from retinue.server.credentials.models import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies.queries import policy_of
from retinue.token import Kind

#: Events that say under ``principal`` or ``subject`` whose roles they change.
ROLE_CHANGES = frozenset(
    {
        "role.assigned",
        "role.approved",
        "role.removed",
        "member.added",
        "member.approved",
        "member.removed",
    }
)
ROLE_CHANGED = "role_changed"


def follow_roles(tx: Transaction) -> None:
    """Suspend the tokens of users whose roles the transaction changes, where the policy says so."""
    changed = {
        str(told[name])
        for _, before, after in tx.recorded(ROLE_CHANGES)
        for told in (before, after)
        for name in ("principal", "subject")
        if told.get(name)
    }
    if not changed:
        return
    # What a group or team gets or loses, its members do.
    members = subjects.members(changed)
    rows = Credential.objects.filter(
        Q(principal_id__in=sorted(changed)) | Q(principal_id__in=members),
        principal__kind=Principal.USER,
        kind=Kind.PERSONAL.value,
        state="active",
    )
    for token in rows.select_related("principal").select_for_update(of=("self",), no_key=True).order_by("id"):
        if policy_of(token.organization_id).pat_on_role_change == "suspend":
            ending.suspend(tx, token, ROLE_CHANGED)
