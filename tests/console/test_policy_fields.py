"""Policy keys as forms and in words: fields by the kind of a value, and what the page says beside it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import translation

from retinue.server.console import policy_fields
from retinue.server.policies.keys import KEYS
from retinue.server.policies.policy import NATIVE
from retinue.server.policies.presets import PRESETS
from retinue.server.policies.queries import policy_of
from retinue.server.policies.rules import in_force, preset
from tests.console.browser import Browser
from tests.console.people import Person, make_person


def _path(person: Person, rest: str = "policies") -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def _as_sent(shown: policy_fields.Field) -> dict[str, list[str]]:
    """Return what a browser sends for a field that nobody touched."""
    if shown.kind in ("group", "rows"):
        sent = {f"{shown.name}.count": [shown.value]} if shown.kind == "rows" else {}
        for each in shown.fields:
            sent |= _as_sent(each)
        return sent
    if shown.kind == "checks":
        return {shown.name: list(shown.value)} if shown.value else {}
    value = {True: "true", False: "false"}.get(shown.value) if shown.kind == "switch" else shown.value
    return {shown.name: [str(value)], **({f"{shown.name}.none": ["yes"]} if shown.is_none else {})}


@pytest.mark.parametrize("name", PRESETS)
def test_untouched_form_says_what_is_in_force(name: str) -> None:
    """Of every key, with the values of each preset: what its form sends untouched is the value itself."""
    values = in_force(preset(name)[0])
    for key in KEYS.values():
        shown = policy_fields.fields(key.type, values[key.name], "value", key.name)
        assert values[key.name] == policy_fields.read(key.type, _as_sent(shown), "value"), key.name


def test_what_is_allowed_is_said_as_the_api_says_it() -> None:
    """In English the words are those of the API, for every key; in German none is left in English."""
    with translation.override("en"):
        assert [] == [
            key.name for key in KEYS.values() if policy_fields.allowed(key.type) != key.type.allowed
        ]
    with translation.override("de"):
        said = [policy_fields.allowed(key.type) for key in KEYS.values()]
    assert [] == [text for text in said if re.search(r"\b(a list|one of|each|labels|whole)\b", text)]


def test_no_value_is_shown_as_a_program_writes_it() -> None:
    """In no preset a value in words holds braces, brackets or Python's and JSON's names of nothing."""
    written = re.compile(r"[\[\]\"]|\b(None|null|True|False|true|false)\b|\{(?!name|slug)")
    for name in PRESETS:
        for key, value in in_force(preset(name)[0]).items():
            assert not written.search(policy_fields.in_words(KEYS[key].type, value, key)), (name, key)
    assert "90 days" == policy_fields.in_words(KEYS["idle.days"].type, NATIVE.idle_days, "idle.days")


def _send(browser: Browser, person: Person, key: str, **fields: Any) -> Any:
    form = _path(person, f"policies/keys/{key}")
    named = {name.replace("__", "."): each for name, each in fields.items()}
    return browser.fill(form, to=_path(person, "policies/change"), key=key, **named)


@pytest.mark.one_database
def test_keys_are_changed_by_plain_fields(signed_in: Browser, person: Person) -> None:
    """Lists by lines, choices by boxes, objects by their members, none by a box; then they are in force."""
    often = {"sure": "yes", "accept": "100"}
    done = [
        _send(signed_in, person, "expiry.warn_days", value="30\r\n7\r\n", version="1", **often),
        _send(signed_in, person, "rotation.modes", value=["rotate"], version="2", **often),
        _send(signed_in, person, "idle.days", value="90", value__none="yes", version="3", **often),
        _send(signed_in, person, "expiry.by_environment", value="prod: 30\ndev: 90", version="4", **often),
        _send(
            signed_in, person, "limits.per_account", version="5",
            value__per_minute="100", value__per_second__none="yes", value__parallel__none="yes", **often,
        ),
    ]  # fmt: skip
    policy = policy_of(person.principal.organization_id)

    assert [303] * 5 == [each.status_code for each in done]
    assert (30, 7) == policy.expiry_warn_days
    assert ("rotate",) == policy.rotation_modes
    assert policy.idle_days is None
    assert {"prod": 30, "dev": 90} == policy.expiry_by_environment
    assert (100, None) == (policy.limits_per_account.per_minute, policy.limits_per_account.parallel)


@pytest.mark.one_database
def test_page_says_who_changed_what_and_what_the_preset_says(signed_in: Browser, person: Person) -> None:
    """Beside a value of the organization: the preset's own, who set it and when; a search finds it by its words."""
    _send(signed_in, person, "idle.days", value="14", version="1", sure="yes", accept="100")
    text = signed_in.text(_path(person, "policies?q=idle.days"))
    row = text[text.index('id="idle.days"') :].partition("</li>")[0]
    none = signed_in.text(_path(person, "policies?q=there+is+no+such+key"))

    assert '<p class="strong anywhere">14 days</p>' in row
    assert "Native: 90 days" in row
    assert person.principal.name in row
    assert "<time" in row
    assert 'id="expiry.required"' not in text
    assert "0 entries fit." in none
    assert 'href="#family-expiry"' in signed_in.text(_path(person))


@pytest.mark.one_database
def test_dry_run_of_a_preset_is_in_words(browser: Browser, server_database: str) -> None:
    """Its title names the preset, keys break after dots, values are words; effects stand before differences."""
    person = make_person()
    browser.sign_in(person.email, person.password)
    tried = browser.fill(_path(person), to=_path(person, "policies/change"), preset="planhat", version="1")
    text = " ".join(tried.content.decode().split())

    assert "Change the preset to Planhat</h1>" in text
    assert "idle.<wbr>action" in text or "accounts.<wbr>id_<wbr>template" in text
    assert "<del>yes</del>" in text
    assert '<del>"' not in text
    assert text.index('role="status"') < text.index('<dl class="diff')
