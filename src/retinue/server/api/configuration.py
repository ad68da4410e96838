"""An organization's access as a document, so that it can live in a repository: export, plan, apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retinue.server.api import limits, schemas
from retinue.server.api.answers import instant
from retinue.server.api.configuration_shapes import (
    ApplyConfiguration,
    ConfigurationApplied,
    ConfigurationPlan,
    Document,
    PlanConfiguration,
)
from retinue.server.api.operations import Call, Refused, operation
from retinue.server.configuration import queries, rules
from retinue.server.configuration.actions import Applying
from retinue.server.configuration.rules import Step
from retinue.server.governance import breaking
from retinue.server.ledger.transaction import Transaction, transaction
from retinue.server.policies import queries as policies
from retinue.server.policies.rules import Compiled

TAG = "configuration"
PATH = "/configuration"
READS = (
    "policy:read",
    "user:read",
    "role:read",
    "group:read",
    "team:read",
    "service_account:read",
    "access_policy:read",
    "grant:read",
)


#: For how long a document may be applied: some hundred changes. Others of the organization wait meanwhile.
SECONDS = 10.0


class _TakenBack(Exception):
    """A trial is over."""


@operation("GET", PATH, permission=READS, response=Document, tag=TAG)
def export_configuration(call: Call) -> schemas.JSON:
    """Get the organization's access as a document: everything but secrets."""
    return queries.export(call.organization)


@operation("POST", f"{PATH}/plan", permission=READS, response=ConfigurationPlan, tag=TAG, changes=False)
def plan_configuration(call: Call, body: PlanConfiguration) -> schemas.JSON:
    """Tell what a document would change, and what would refuse it; change nothing."""
    steps = _steps(call, body)
    broken, refused = 0, None
    try:
        with transaction(call.actor) as tx:
            broken = _apply(call, tx, steps, body.justification)
            raise _TakenBack
    except _TakenBack:
        pass
    except Refused as found:
        refused = found
    obstacle = None
    if refused is not None:
        obstacle = {
            "code": refused.code,
            "detail": refused.detail,
            "field": refused.field,
            "required": list(refused.required),
        }
    return {
        "steps": _shown(steps),
        "digest": rules.digest(steps),
        "needs": list(rules.needs(steps)),
        "broken_total": broken,
        "refused": obstacle,
    }


@operation("POST", f"{PATH}/apply", permission=READS, response=ConfigurationApplied, tag=TAG, reduces=True)
def apply_configuration(call: Call, body: ApplyConfiguration) -> schemas.JSON:
    """Apply a document, all of it or nothing; needs what each of its changes needs besides."""
    steps = _steps(call, body)
    if rules.digest(steps) != body.digest:
        raise Refused("state_conflict", "something has changed since this was planned", field="digest")
    call.need(*rules.needs(steps))
    broken = _apply(call, call.tx, steps, body.justification)
    if broken > body.accept:
        detail = f"{broken} accounts and credentials would break, {body.accept} accepted"
        raise Refused("state_conflict", detail, field="accept")
    return {"steps": _shown(steps), "digest": body.digest}


def _steps(call: Call, body: PlanConfiguration) -> list[Step]:
    wanted = body.document.model_dump(mode="json", exclude_unset=True)
    wanted = rules.without_ended(wanted, str(instant(call.now)))
    return rules.diff(queries.export(call.organization), wanted, prune=body.prune)


def _apply(call: Call, tx: Transaction, steps: Sequence[Step], justification: str) -> int:
    """Make the steps; return how many accounts and credentials break by a stricter policy."""
    before: Compiled = policies.in_force(call.organization)
    limits.allow(call.request, SECONDS)
    try:
        Applying(tx, call.organization, justification).apply(steps)
        if not any(step.section == "policy" for step in steps):
            return 0
        after = policies.in_force(call.organization)
        return len(breaking.broken(call.organization, before, after, call.now))
    except limits.OutOfTime:
        limits.allow(call.request, limits.START_SECONDS)
        detail = f"{len(steps)} changes are too many for one call; apply a part of the document at a time"
        raise Refused("too_large", detail, field="document") from None


def _shown(steps: Sequence[Step]) -> list[schemas.JSON]:
    return [
        {
            "act": step.act,
            "section": step.section,
            "key": step.key,
            "fields": [] if step.act == "delete" else _fields(step.before, step.after),
        }
        for step in steps
    ]


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[schemas.JSON]:
    return [{"field": name, "before": before.get(name), "after": value} for name, value in after.items()]
