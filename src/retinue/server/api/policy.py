"""The policy of the organization: its document, what it comes to, its versions, and a dry run of a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from retinue.server.api import limits, schemas
from retinue.server.api.answers import instant
from retinue.server.api.cursors import Listing, page
from retinue.server.api.operations import Call, Refused, operation
from retinue.server.api.policy_shapes import (
    ChangePolicy,
    Policy,
    PolicyChange,
    PolicyCheck,
    PolicyKeys,
    PolicyPresets,
    PolicyVersion,
    PolicyVersions,
)
from retinue.server.governance import breaking
from retinue.server.governance.stock import Broken
from retinue.server.policies import actions, enforced, keys, presets, queries, rules
from retinue.server.policies.policy import NATIVE
from retinue.server.policies.rules import Compiled, Document
from retinue.server.policies.words import consequences

TAG = "policy"
#: A dry run tells so many of the objects that a change would break, and counts all of them.
BROKEN_MAX = 1_000
#: For how long it is looked for them: ten thousand accounts take one to two.
SECONDS = 10.0


@operation("GET", "/policy", permission="policy:read", response=Policy, tag=TAG)
def get_policy(call: Call) -> schemas.JSON:
    """Get the policy of the organization: the document and what is in force."""
    return _policy(call.organization)


@operation("PATCH", "/policy", permission="policy:update", response=Policy, tag=TAG, reduces=True)
def change_policy(call: Call, body: ChangePolicy) -> schemas.JSON:
    """Change the policy. What would break by it must have been counted by a dry run, and accepted."""
    seen: list[tuple[Compiled, Compiled]] = []

    def make(present: Document) -> Document:
        made = changed_document(present, body)
        seen.append((rules.compiled(present), rules.compiled(made)))
        return made

    actions.change(call.tx, call.organization, make, expected=body.version)
    for before, after in seen:
        found = _broken(call, before, after)
        if len(found) > body.accept:
            raise Refused(
                "state_conflict",
                f"{len(found)} accounts and credentials would break, {body.accept} accepted: see them by "
                f"POST /v1/policy/check, then send accept: {len(found)}",
                field="accept",
            )
    return _policy(call.organization)


@operation("POST", "/policy/check", permission="policy:read", response=PolicyCheck, tag=TAG, changes=False)
def check_policy(call: Call, body: PolicyChange) -> schemas.JSON:
    """Tell what a change would do, and which accounts and credentials it would break; change nothing."""
    row = queries.standing_row(call.organization)
    number = 0 if row is None else row.number
    actions.check_expected(number, body.version)
    before = queries.in_force(call.organization)
    after = rules.compiled(changed_document(before.document, body))
    found = _broken(call, before, after)
    return {
        "version": number,
        "changed": [_changed(name, before, after) for name in rules.changed(before, after)],
        "broken": [
            {
                **{name: getattr(each, name) for name in ("key", "kind", "id", "name", "effect", "why")},
                "last_used_at": instant(each.last_used_at),
                "use_count": each.use_count,
            }
            for each in found[:BROKEN_MAX]
        ],
        "broken_total": len(found),
        "consequences": consequences(after.policy),
    }


def _broken(call: Call, before: Compiled, after: Compiled) -> list[Broken]:
    limits.allow(call.request, SECONDS)
    try:
        found = breaking.broken(call.organization, before, after, call.now)
    except limits.OutOfTime:
        limits.allow(call.request, limits.START_SECONDS)
        detail = f"what it would break is not counted in {SECONDS:g} s; change fewer keys at a time"
        raise Refused("too_large", detail) from None
    limits.allow(call.request, limits.START_SECONDS)
    return found


@operation("GET", "/policy/presets", permission="policy:read", response=PolicyPresets, tag=TAG)
def list_policy_presets(call: Call) -> schemas.JSON:
    """List the presets."""
    items = [
        {"name": name, "values": values, "waiting": list(rules.preset(name)[1])}
        for name, values in presets.PRESETS.items()
    ]
    return {"items": items, "next": None}


@operation("GET", "/policy/keys", permission="policy:read", response=PolicyKeys, tag=TAG)
def list_policy_keys(call: Call) -> schemas.JSON:
    """List the keys of the document: what is allowed, and what each means."""
    items = [
        {
            "name": key.name,
            "allowed": key.type.allowed,
            "default": key.type.write(getattr(NATIVE, key.field)),
            "meaning": key.meaning,
            "enforced": enforced.is_enforced(key.name),
            "by_environment": key.is_by_environment,
        }
        for key in keys.KEYS.values()
    ]
    return {"items": items, "next": None}


@operation("GET", "/policy/versions", permission="policy:read", response=PolicyVersions, tag=TAG)
def list_policy_versions(call: Call, query: schemas.ListQuery) -> schemas.JSON:
    """List the versions of the document."""
    rows, following = page(
        queries.versions(call.organization),
        Listing("policy-versions", call.organization, {}, ("-number", "-id")),
        cursor=query.cursor,
        limit=query.limit,
    )
    return {"items": [_version(row) for row in rows], "next": following}


@operation("GET", "/policy/versions/{number}", permission="policy:read", response=PolicyVersion, tag=TAG)
def get_policy_version(call: Call, number: str) -> schemas.JSON:
    """Get one version of the document by its number."""
    return _version(queries.version_row(call.organization, number))


def changed_document(present: Document, change: PolicyChange) -> Document:
    """Return the document that a change makes of the present one."""
    if change.document is not None:
        if change.preset is not None or change.set or change.unset or change.environment is not None:
            raise Refused(
                "invalid_value", "a whole document, or single keys: not both", field="body.document"
            )
        return Document(**change.document.model_dump())
    if change.environment is None:
        own = _merged(present.overrides, change)
        return replace(present, preset=change.preset or present.preset, overrides=own)
    if change.preset is not None:
        raise Refused("invalid_value", "an environment has no preset of its own", field="body.preset")
    own = _merged(present.environments.get(change.environment, {}), change)
    others = {label: each for label, each in present.environments.items() if label != change.environment}
    return replace(present, environments={**others, change.environment: own} if own else others)


def _merged(present: Mapping[str, Any], change: PolicyChange) -> dict[str, Any]:
    """Set and unset keys; ``elevated.approval`` means the member of a key that is an object."""
    made = dict(present)
    for place, name in enumerate(change.unset):
        key, member = _key(name, f"body.unset.{place}")
        if member and isinstance(made.get(key), dict):
            made[key] = {each: value for each, value in made[key].items() if each != member}
            if made[key]:
                continue
        made.pop(key, None)
    for name, value in change.set.items():
        key, member = _key(name, "body.set")
        stated = {member: value} if member else value
        whole = isinstance(stated, dict) and isinstance(made.get(key), dict) and _is_object(key)
        made[key] = {**made[key], **stated} if whole else stated
    return made


def _key(name: str, place: str) -> tuple[str, str]:
    """Return the key and the member of it that ``name`` means."""
    if name in keys.KEYS:
        return name, ""
    parent, _, member = name.rpartition(".")
    if parent in keys.KEYS and member in keys.members(keys.KEYS[parent]):
        return parent, member
    return rules.known(name, place).name, ""


def _is_object(key: str) -> bool:
    return bool(keys.members(keys.KEYS[key]))


def _changed(name: str, before: Compiled, after: Compiled) -> schemas.JSON:
    label, key = "", keys.KEYS.get(name)
    if key is None:
        label, _, rest = name.removeprefix("environments.").partition(".")
        key = keys.KEYS[rest]
    show: Callable[[Compiled], Any] = lambda each: key.type.write(getattr(each.of(label), key.field))  # noqa: E731
    return {"key": name, "before": show(before), "after": show(after)}


def _policy(organization: str) -> schemas.JSON:
    row, held = queries.standing_row(organization), queries.in_force(organization)
    return {
        "organization": organization,
        "version": 0 if row is None else row.number,
        **held.document.stated(),
        "in_force": rules.in_force(held.policy),
        "waiting": list(held.waiting),
        "consequences": consequences(held.policy),
        "changed_at": None if row is None else instant(row.created_at),
        "changed_by": None if row is None else row.created_by or None,
    }


def _version(row: queries.Version) -> schemas.JSON:
    return {
        "id": row.id,
        "version": row.number,
        **row.document,
        "changed": row.changed,
        "reason": row.reason or None,
        "created_at": instant(row.created_at),
        "created_by": row.created_by or None,
    }
