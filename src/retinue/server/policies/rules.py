"""Reads and checks a policy document, and compiles it into policies. Pure functions; no database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from typing import Any

from retinue.server.errors import Refused
from retinue.server.policies.enforced import is_enforced
from retinue.server.policies.keys import BY_ENVIRONMENT, ENVIRONMENT, KEYS, Key, members
from retinue.server.policies.policy import NATIVE, Policy
from retinue.server.policies.presets import PRESETS
from retinue.server.policies.values import JSON

ENVIRONMENTS_MAX = 32
SIZE_MAX = 262_144

Values = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Document:
    """What an organization states: a preset, its own values, and those of environments."""

    preset: str = "native"
    overrides: Values = field(default_factory=dict)
    environments: dict[str, Values] = field(default_factory=dict)

    def stated(self) -> JSON:
        """Return the document as JSON."""
        return {"preset": self.preset, "overrides": self.overrides, "environments": self.environments}


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a document comes to: the policy, that of each environment, and which keys of the preset wait."""

    document: Document
    policy: Policy
    environments: Mapping[str, Policy]
    waiting: tuple[str, ...]

    def of(self, environment: str) -> Policy:
        """Return the policy for accounts that name ``environment``."""
        return self.environments.get(environment, self.policy)


def compiled(document: Document) -> Compiled:
    """Check a document and compile it. Raises :class:`Refused`, naming the key and what is allowed."""
    if document.preset not in PRESETS:
        raise Refused("invalid_value", f"preset: one of {', '.join(PRESETS)}", field="preset")
    base, waiting = preset(document.preset)
    policy = _applied(base, document.overrides, "overrides")
    _check(policy, document.overrides, "overrides")
    if len(document.environments) > ENVIRONMENTS_MAX:
        raise Refused("invalid_value", f"at most {ENVIRONMENTS_MAX} environments", field="environments")
    environments: dict[str, Policy] = {}
    for label, values in document.environments.items():
        place = f"environments.{label}"
        ENVIRONMENT.read(label, place, None)
        environments[label] = _applied(policy, values, place, lambda key: key.is_by_environment)
        _check(environments[label], values, place)
    if len(json.dumps(document.stated())) > SIZE_MAX:
        raise Refused("invalid_value", f"at most {SIZE_MAX} characters", field="overrides")
    return Compiled(document, policy, environments, waiting)


@cache
def preset(name: str) -> tuple[Policy, tuple[str, ...]]:
    """Return the policy of a preset, and its keys that nothing enforces yet: those stay native."""
    policy, waiting = replace(NATIVE, preset=name), []
    for key_name, value in PRESETS[name].items():
        key = KEYS[key_name]
        wanted = key.type.read(value, key_name, getattr(NATIVE, key.field))
        held, missing = _enforced_part(key, wanted)
        policy = replace(policy, **{key.field: held})
        waiting += missing
    return policy, tuple(sorted(waiting))


def _enforced_part(key: Key, wanted: Any) -> tuple[Any, list[str]]:
    """Return ``wanted`` as far as it is enforced, and the names of what stays native."""
    native = getattr(NATIVE, key.field)
    if wanted == native or is_enforced(key.name):
        return wanted, []
    names = members(key)
    if not names:
        return native, [key.name]
    held, missing = native, []
    for member in names:
        attribute = "from_" if member == "from" else member
        if getattr(wanted, attribute) == getattr(native, attribute):
            continue
        if is_enforced(key.name, member):
            held = replace(held, **{attribute: getattr(wanted, attribute)})
        else:
            missing.append(f"{key.name}.{member}")
    return held, missing


def _applied(
    base: Policy, values: Values, place: str, may_stand: Callable[[Key], bool] = lambda key: True
) -> Policy:
    policy = base
    for name, value in values.items():
        key = known(name, place)
        where = f"{place}.{name}"
        if not may_stand(key):
            raise Refused(
                "invalid_value",
                f"{name}: an environment overrides {', '.join(f'{each}.*' for each in BY_ENVIRONMENT)} alone",
                field=where,
            )
        wanted = key.type.read(value, where, getattr(base, key.field))
        if wanted == getattr(base, key.field):
            continue
        missing = _enforced_part(key, wanted)[1]
        if missing:
            raise Refused("invalid_value", f"{missing[0]}: not available yet", field=where)
        policy = replace(policy, **{key.field: wanted})
    return policy


def known(name: str, place: str) -> Key:
    """Return a key by name; refuses one that there is not, with what was probably meant."""
    key = KEYS.get(name)
    if key is not None:
        return key
    near = get_close_matches(name, KEYS, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else "; see GET /v1/policy/keys"
    raise Refused("unknown_field", f"there is no policy key {name!r}{hint}", field=f"{place}.{name}"[:200])


def _never_first(days: int | None) -> float:
    return float("inf") if days is None else days


def _check(policy: Policy, stated: Values, place: str) -> None:
    """Refuse values that contradict each other; a rule that nothing stated here touches is not asked."""
    for names, is_kept, rule in _RULES:
        mine = [name for name in names if name in stated]
        if mine and not is_kept(policy):
            raise Refused("invalid_value", f"{mine[0]}: {rule}", field=f"{place}.{mine[0]}")


def _choices_end(policy: Policy) -> bool:
    return not (policy.expiry_required and None in policy.expiry_choices)


def _choices_fit(policy: Policy) -> bool:
    most = _never_first(policy.expiry_max_days)
    return all(each is None or each <= most for each in policy.expiry_choices)


def _default_fits(policy: Policy) -> bool:
    return policy.expiry_default_days is None or policy.expiry_default_days <= _never_first(
        policy.expiry_max_days
    )


def _ends(policy: Policy) -> bool:
    return not policy.expiry_required or (
        policy.expiry_default_days is not None or policy.expiry_max_days is not None
    )


def _roles_in_order(policy: Policy) -> bool:
    most = policy.grants_roles_per_account.max
    return most is None or policy.grants_roles_per_account.min <= most


def _roles_have_a_source(policy: Policy) -> bool:
    return "role" in policy.grants_sources or policy.grants_roles_per_account.min == 0


def _required_have_sources(policy: Policy) -> bool:
    return all(
        each not in policy.accounts_required or each in policy.grants_sources for each in ("role", "group")
    )


def _idle_has_days(policy: Policy) -> bool:
    return policy.idle_days is not None or policy.idle_action == "report"


def _lead_in_rhythm(policy: Policy) -> bool:
    return policy.rotation_every_days is None or policy.rotation_lead_days < policy.rotation_every_days


def _pairs_have_ids(policy: Policy) -> bool:
    return policy.credentials_format == "pair" or not {"apikey", "basic_pair"} & set(
        policy.credentials_schemes
    )


def _names_tell_apart(policy: Policy) -> bool:
    handles = [each.handle for each in policy.roles_templates]
    groups = [(each.kind, each.name.casefold()) for each in policy.system_groups]
    attributes = [each.name for each in policy.accounts_attributes]
    return all(len(set(each)) == len(each) for each in (handles, groups, attributes))


_Rule = tuple[tuple[str, ...], Callable[[Policy], bool], str]
_RULES: tuple[_Rule, ...] = (
    # What is not stated here gives way: a default to a smaller maximum, choices to what is allowed.
    (("expiry.default_days",), _default_fits, "the default must not exceed expiry.max_days"),
    (("expiry.choices",), _choices_fit, "a choice must not exceed expiry.max_days"),
    (("expiry.choices",), _choices_end, "`never` cannot be chosen while expiry.required is true"),
    (
        ("expiry.required", "expiry.default_days", "expiry.max_days"),
        _ends,
        "with expiry.required, expiry.default_days or expiry.max_days must be a number of days",
    ),
    (("grants.roles_per_account",), _roles_in_order, "min must not exceed max"),
    (
        ("grants.roles_per_account", "grants.sources"),
        _roles_have_a_source,
        "a role is required, but `role` is not in grants.sources",
    ),
    (
        ("accounts.required", "grants.sources"),
        _required_have_sources,
        "what accounts must have (role, group) must be in grants.sources",
    ),
    (("idle.days", "idle.action"), _idle_has_days, "`disable` needs idle.days"),
    (
        ("rotation.every_days", "rotation.lead_days"),
        _lead_in_rhythm,
        "rotation.lead_days must be less than rotation.every_days",
    ),
    (
        ("credentials.schemes", "credentials.format"),
        _pairs_have_ids,
        "apikey and basic_pair need credentials.format pair",
    ),
    (
        ("roles.templates", "system_groups", "accounts.attributes"),
        _names_tell_apart,
        "two entries have the same name",
    ),
)


def changed(before: Compiled, after: Compiled) -> tuple[str, ...]:
    """Return the keys whose value in force differs; those of an environment begin with ``environments.``."""
    found = [key.name for key in KEYS.values() if _value(before.policy, key) != _value(after.policy, key)]
    for label in sorted({*before.environments, *after.environments}):
        old, new = before.of(label), after.of(label)
        found += [
            f"environments.{label}.{key.name}"
            for key in KEYS.values()
            if key.is_by_environment and _value(old, key) != _value(new, key)
        ]
    return tuple(found)


def _value(policy: Policy, key: Key) -> Any:
    return getattr(policy, key.field)


def in_force(policy: Policy) -> Values:
    """Return the value in force of every key, as a document would state it."""
    return {key.name: key.type.write(_value(policy, key)) for key in KEYS.values()}
