"""The policy document: its keys, the six presets, what is refused, and what it comes to."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from retinue.server.errors import Refused
from retinue.server.policies import enforced, keys, presets, rules, stored
from retinue.server.policies.policy import NATIVE, Policy
from retinue.server.policies.rules import Document, compiled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def all_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key is enforced, so that presets hold as they are written."""
    monkeypatch.setattr(enforced, "UNENFORCED", frozenset())
    rules.preset.cache_clear()
    monkeypatch.setattr(rules, "preset", rules.preset.__wrapped__)


def refusal(overrides: dict[str, Any], **more: Any) -> Refused:
    """Return what is said of a document."""
    with pytest.raises(Refused) as refused:
        compiled(Document(overrides=overrides, **more))
    return refused.value


def test_keys_are_the_fields_of_the_policy() -> None:
    """
    Every field of the policy has its key, and every key its field; the preset's name is no key.
    """
    assert {each.name for each in fields(Policy)} - {"preset"} == {key.field for key in keys.KEYS.values()}


@pytest.mark.parametrize("name", presets.PRESETS)
def test_preset_is_a_document_that_holds(name: str, all_enforced: None) -> None:
    """
    Each preset, written out as overrides, passes every check and comes to the same policy.
    """
    policy = compiled(Document(name)).policy

    assert policy == compiled(Document(name, rules.in_force(policy))).policy


@pytest.mark.parametrize(
    ("preset", "field", "value"),
    [
        ("whaly", "credentials_format", "sk_hex"),
        ("whaly", "grants_sources", ("role", "direct")),
        ("qualytics", "accounts_id_template", "{slug}@service"),
        ("qualytics", "expiry_choices", (30, 60, 90, 365, None)),
        ("qualytics", "rotation_lead_days", 30),
        ("precisely", "credentials_max_usable", 2),
        ("precisely", "credentials_schemes", ("apikey", "basic_pair")),
        ("planhat", "ingest_presentation", ("path", "basic")),
        ("planhat", "accounts_list_with_users", "hidden"),
        ("wavefront", "accounts_id_template", "sa::{slug}"),
        ("wavefront", "credentials_max_usable", 20),
        ("native", "credentials_max_usable", 10),
    ],
)
def test_preset_says_what_its_table_says(preset: str, field: str, value: object, all_enforced: None) -> None:
    """
    Presets hold the values of their table.
    """
    assert value == getattr(compiled(Document(preset)).policy, field)


def test_preset_keeps_native_what_nothing_enforces(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What a preset says of a key, or of a member, that nothing enforces is not in force, and is named.
    """
    monkeypatch.setattr(enforced, "UNENFORCED", frozenset({"credentials.format", "elevated.justification"}))
    monkeypatch.setattr(rules, "preset", rules.preset.__wrapped__)
    held = compiled(Document("wavefront"))

    assert (20, NATIVE.credentials_format) == (
        held.policy.credentials_max_usable,
        held.policy.credentials_format,
    )
    assert {"credentials.format", "elevated.justification"} <= set(held.waiting)
    assert "credentials.max_usable" not in held.waiting


@pytest.mark.parametrize(
    ("overrides", "field", "words"),
    [
        (
            {"credentials.max_usabel": 5},
            "overrides.credentials.max_usabel",
            "did you mean credentials.max_usable?",
        ),
        ({"rocket": 5}, "overrides.rocket", "see GET /v1/policy/keys"),
        ({"credentials.max_usable": 0}, "overrides.credentials.max_usable", "from 1 to 1000000, or null"),
        ({"credentials.max_usable": True}, "overrides.credentials.max_usable", "a whole number"),
        ({"credentials.max_usable": "5"}, "overrides.credentials.max_usable", "a whole number"),
        ({"expiry.default_days": None}, "overrides.expiry.default_days", "or never"),
        ({"accounts.unique": "id"}, "overrides.accounts.unique", "one of handle, name, none"),
        ({"accounts.name_pattern": "("}, "overrides.accounts.name_pattern", "a regular expression"),
        ({"accounts.id_template": "sa"}, "overrides.accounts.id_template", "{name} or {slug}"),
        ({"network": {"allow": ["10.0.0.1/8"]}}, "overrides.network.allow.0", "a network such as"),
        ({"network": {"allowed": []}}, "overrides.network", "one of allow, deny"),
        ({"grants.sources": ["direct", "direct"]}, "overrides.grants.sources.1", "stands twice"),
        ({"grants.sources": []}, "overrides.grants.sources", "at least 1"),
        ({"roles.templates": [{"handle": "x"}]}, "overrides.roles.templates.0.name", "is required"),
        ({"freshness.lease_seconds": 1}, "overrides.freshness.lease_seconds", "from 2 to 3600"),
        (
            {"expiry.max_days": 30, "expiry.default_days": 60},
            "overrides.expiry.default_days",
            "must not exceed expiry.max_days",
        ),
        ({"expiry.choices": [500]}, "overrides.expiry.choices", "must not exceed expiry.max_days"),
        ({"expiry.choices": [30, "never"]}, "overrides.expiry.choices", "`never` cannot be chosen"),
        (
            {"grants.roles_per_account": {"min": 3, "max": 2}},
            "overrides.grants.roles_per_account",
            "min must not exceed max",
        ),
        (
            {"credentials.schemes": ["apikey"]},
            "overrides.credentials.schemes",
            "need credentials.format pair",
        ),
        ({"idle.days": None, "idle.action": "disable"}, "overrides.idle.days", "needs idle.days"),
    ],
)
def test_refusal_names_key_and_what_is_allowed(
    overrides: dict[str, Any], field: str, words: str, all_enforced: None
) -> None:
    """
    A bad value is refused with its key and what is allowed, an unknown key with what was meant.
    """
    said = refusal(overrides)

    assert field == said.field
    assert words in said.detail


def test_limits_are_in_force() -> None:
    """
    An object that may be null is enforced by its members; null lifts what was stated.
    """
    stated = {"per_minute": 200, "per_second": 150}
    held = compiled(Document(overrides={"limits.per_account": stated})).policy.limits_per_account
    lifted = compiled(Document("planhat", {"limits.per_account": None})).policy.limits_per_account

    assert (200, 150) == (held.per_minute, held.per_second)
    planhat = compiled(Document("planhat")).policy.limits_per_account
    assert (200, 150) == (planhat.per_minute, planhat.per_second)
    assert NATIVE.limits_per_account == lifted


def test_key_that_nothing_enforces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A key that would do nothing is not accepted with another value; the value in force may be stated.
    """
    monkeypatch.setattr(enforced, "UNENFORCED", frozenset({"credentials.max_usable"}))

    said = refusal({"credentials.max_usable": 5})
    assert ("overrides.credentials.max_usable", "credentials.max_usable: not available yet") == (
        said.field,
        said.detail,
    )
    assert NATIVE == compiled(Document(overrides={"credentials.max_usable": 10})).policy


def test_environment_overrides_its_families(all_enforced: None) -> None:
    """
    An environment overrides expiry, rotation, idle, limits and network for accounts that name it alone.
    """
    held = compiled(
        Document(
            overrides={"expiry.max_days": 100, "expiry.choices": [30]},
            environments={"production": {"expiry.max_days": 30, "expiry.default_days": 30}},
        )
    )

    assert (30, 100, 100) == tuple(held.of(label).expiry_max_days for label in ("production", "staging", ""))
    assert "overrides expiry.*" in refusal({}, environments={"dev": {"terminology": "planhat"}}).detail
    assert "environments.de v" == refusal({}, environments={"de v": {}}).field


def test_members_of_an_object_are_set_one_by_one(all_enforced: None) -> None:
    """
    An object states some of its members; the others keep the preset's value.
    """
    held = compiled(Document("wavefront", {"credentials.name": {"required": True}})).policy.credentials_name

    assert (True, "none", True) == (held.required, held.unique, held.renameable)


def test_change_names_the_keys_that_differ(all_enforced: None) -> None:
    """
    The keys of a change are those whose value in force differs, environments by their label.
    """
    before = compiled(Document())
    after = compiled(
        Document(
            overrides={"credentials.max_usable": 5, "expiry.required": True},
            environments={"production": {"idle.days": 10}},
        )
    )

    assert ("credentials.max_usable", "environments.production.idle.days") == rules.changed(before, after)


def test_document_of_another_version_never_stops_an_organization(all_enforced: None) -> None:
    """
    What a stored document says that cannot be read is left out and told; everything else holds.
    """
    document = Document(
        "rocket",
        {"credentials.max_usable": 3, "rockets.max": 1, "accounts.unique": "id"},
        {"production": {"expiry.max_days": 30, "terminology": "planhat"}, "de v": {"idle.days": 3}},
    )
    held, said = stored.kept(document)

    assert (3, "handle", 30) == (
        held.policy.credentials_max_usable,
        held.policy.accounts_unique,
        held.of("production").expiry_max_days,
    )
    assert 5 == len(said)
