"""The page of one account: its tabs, its acts, its keys."""

from __future__ import annotations

import re
import secrets
from html import unescape
from typing import Any

import pytest

from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential, keys
from retinue.server.directory.queries import Principal
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of, make_person, set_policy

TABS = ("", "/keys", "/access", "/requests", "/audit", "/settings")


def _key_of(account: Principal, name: str = "prod") -> Any:
    with transaction(SYSTEM, reason="test") as tx:
        return credentials.issue(tx, account, name=name)


def _path(person: Person, *parts: str) -> str:
    return "/".join((f"/o/{person.principal.organization.handle}", *parts))


def _act(browser: Browser, path: str, **fields: str) -> Any:
    """Open the page of an act, and do it."""
    return browser.fill(path, **fields)


def test_every_tab_is_an_address(signed_in: Browser, person: Person) -> None:
    """
    Each tab opens by its address, marks itself as the present one, and names the account.
    """
    account = account_of(person, "etl-airflow")
    for tab in TABS:
        text = signed_in.text(_path(person, "accounts", account.id) + tab)

        assert 1 == len(re.findall(r'<nav class="tabs[^"]*".*?aria-current="page"', text))
        assert "etl-airflow" in text
    assert 404 == signed_in.get(_path(person, "accounts", account.id, "nothing")).status_code


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7|add:7 }}"]
)
def test_what_callers_write_is_text(signed_in: Browser, person: Person, hostile: str) -> None:
    """
    Names, purposes, descriptions and names of keys are shown as they were written, and never become markup.
    """
    account = account_of(person, hostile, description=hostile, purpose=hostile)
    _key_of(account, hostile)
    texts = [signed_in.text(_path(person, "accounts"))]
    texts += [signed_in.text(_path(person, "accounts", account.id) + tab) for tab in TABS]
    for text in texts:
        assert hostile not in text or "<" not in hostile
        assert hostile in unescape(text)


def test_disable_shows_what_is_at_stake_then_the_receipt(signed_in: Browser, person: Person) -> None:
    """
    Disabling shows live use first; then the page says since when it holds, and offers the way back.
    """
    account = account_of(person, "etl")
    _key_of(account)
    path = _path(person, "accounts", account.id)
    question = signed_in.text(f"{path}/do/disable")
    answer = _act(signed_in, f"{path}/do/disable", reason="not needed")
    after = signed_in.text(path)

    assert "<dt>In 24 h</dt><dd>0</dd>" in question
    assert 303 == answer.status_code
    assert "disabled" == Principal.objects.get(id=account.id).state
    assert "etl is disabled." in after
    assert "Holds since" in after
    assert f"{path}/do/enable" in after


def test_name_is_typed_where_the_policy_asks_for_it(signed_in: Browser, person: Person) -> None:
    """
    Where the policy asks for the name, an act without it is refused at the field, and nothing is done.
    """
    account = account_of(person, "etl")
    set_policy(person, {"accounts.disable_confirm": "typed"})
    path = _path(person, "accounts", account.id, "do", "disable")
    refused = _act(signed_in, path, typed="etc")

    assert 422 == refused.status_code
    assert "Type etl as it is written." in refused.content.decode()
    assert "enabled" == Principal.objects.get(id=account.id).state
    assert 303 == _act(signed_in, path, typed="etl").status_code


def test_key_is_issued_rotated_and_revoked(signed_in: Browser, person: Person) -> None:
    """
    Issue and rotate show a token once; a revoke says since when it holds, and the list says who works.
    """
    account = account_of(person, "etl")
    issued = _act(
        signed_in, _path(person, "accounts", account.id, "keys/new"), key_name="prod", expires="30d"
    )
    old = keys(person.principal.organization_id).get(name="prod")
    rotated = _act(signed_in, _path(person, "keys", old.id, "do/rotate"), overlap="24h", key_name="next")
    page = signed_in.text(_path(person, "accounts", account.id, "keys"))
    revoked = _act(signed_in, _path(person, "keys", old.id, "do/revoke"), cause="compromised")
    after = signed_in.text(_path(person, "accounts", account.id, "keys"))

    assert "data-token>" in issued.content.decode()
    assert "data-token>" in rotated.content.decode()
    assert ["next", "prod"] == re.findall(r'strong block anywhere">([^<]+)<', page)
    assert 'class="under"' in page
    assert "Retiring" in page
    assert 303 == revoked.status_code
    assert "Holds since" in after
    assert ("revoked", "compromised") == _state(old)


def _state(key: Credential) -> tuple[str, str]:
    now = keys(key.organization_id).get(id=key.id)
    return now.state, now.reason


def test_each_act_has_its_own_words(signed_in: Browser, person: Person) -> None:
    """
    No two acts on a key or an account share the sentence that says what follows.
    """
    from retinue.server.console.acts import ACCOUNT_ACTS, KEY_ACTS

    acts = [*ACCOUNT_ACTS.values(), *KEY_ACTS.values()]

    assert len(acts) == len({str(act.consequence) for act in acts})
    account = account_of(person, "etl")
    key = _key_of(account).credential
    for act in KEY_ACTS.values():
        text = signed_in.text(_path(person, "keys", key.id, "do", act.name))
        assert str(act.consequence) in unescape(text)


def test_act_goes_back_to_this_console_only(signed_in: Browser, person: Person) -> None:
    """
    The address to go on to is one of this organization's pages; any other is not followed.
    """
    account = account_of(person, "etl")
    path = _path(person, "accounts", account.id)
    own = _path(person, "accounts") + "?view=disabled"
    targets = ["https://evil.example/", "//evil.example", "/o/../login/", "/\\evil.example", own]
    went = [
        _act(signed_in, f"{path}/do/{act}", next=target)["Location"]
        for act, target in zip(("disable", "enable") * 3, targets, strict=False)
    ]

    assert [path, path, path, path, own] == went


def test_act_that_may_not_be_done_is_refused_with_its_permission(
    browser: Browser, server_database: str
) -> None:
    """
    A viewer sees what an act needs, and sending its form changes nothing.
    """
    viewer = make_person(roles=("auditor",))
    account = account_of(viewer, "etl")
    browser.sign_in(viewer.email, viewer.password)
    path = _path(viewer, "accounts", account.id, "do", "disable")

    assert "service_account:disable" in browser.text(path)
    assert 403 == _act(browser, path).status_code
    assert "enabled" == Principal.objects.get(id=account.id).state


def test_settings_save_what_changed_and_say_what_is_wrong(signed_in: Browser, person: Person) -> None:
    """
    Purpose and systems are saved; a wrong owner comes back at its field with everything that was written.
    """
    account = account_of(person, "etl")
    path = _path(person, "accounts", account.id)
    form = {"name": "etl", "owners": person.email, "purpose": "Loads reports.", "systems": "airflow, dbt"}
    form |= {"seen_name": "etl", "seen_owners": person.email, "seen_purpose": "a test"}
    saved = signed_in.fill(f"{path}/settings", to=f"{path}/save", **form)
    wrong = signed_in.fill(
        f"{path}/settings",
        to=f"{path}/save",
        **form | {"owners": "x@y.example", "purpose": "other", "seen_purpose": "Loads reports."},
    )
    now = Principal.objects.get(id=account.id)

    assert 303 == saved.status_code
    assert ("Loads reports.", ["airflow", "dbt"]) == (now.purpose, now.systems)
    assert 422 == wrong.status_code
    assert 'id="e-owners" role="alert"' in wrong.content.decode()
    assert "other</textarea>" in wrong.content.decode()


def test_what_others_changed_meanwhile_stays(signed_in: Browser, person: Person) -> None:
    """
    A field that the form did not change keeps what another saved; the same field changed by both is refused.
    """
    account = account_of(person, "etl")
    path = _path(person, "accounts", account.id)
    seen = {"seen_name": "etl", "seen_owners": person.email, "seen_purpose": "what it was"}
    form = {"name": "etl", "owners": person.email, "purpose": "what it was", **seen}
    other_field = signed_in.fill(f"{path}/settings", to=f"{path}/save", description="new", **form)
    same_field = signed_in.fill(f"{path}/settings", to=f"{path}/save", **form | {"purpose": "mine"})
    now = Principal.objects.get(id=account.id)

    assert (303, 409) == (other_field.status_code, same_field.status_code)
    assert ("new", "a test") == (now.description, now.purpose)
    assert "Somebody else has changed it meanwhile: a test" in same_field.content.decode()


def test_permission_is_granted_and_taken_away(signed_in: Browser, person: Person) -> None:
    """
    A grant shows as held directly; taking it away leaves nothing, and says since when that holds.
    """
    account = account_of(person, "etl")
    path = _path(person, "accounts", account.id)
    signed_in.fill(f"{path}/access", to=f"{path}/grants", permission="audit_log:*")
    granted = signed_in.text(f"{path}/access?only=granted")
    grant = re.search(r'name="grant" value="([^"]+)"', granted)

    assert "audit_log:* is granted." in granted
    assert grant is not None
    signed_in.fill(f"{path}/access", to=f"{path}/grants", grant=grant[1], permission="audit_log:*")
    after = signed_in.text(f"{path}/access?only=granted")

    assert "audit_log:* is taken away." in after
    assert "Holds since" in after
    assert 'name="grant"' not in after


def test_roles_are_exactly_those_chosen(signed_in: Browser, person: Person) -> None:
    """
    Saving roles gives the chosen ones and takes the others.
    """
    account = account_of(person, "etl")
    path = _path(person, "accounts", account.id)
    signed_in.fill(f"{path}/access", to=f"{path}/roles", roles=["auditor"])
    one = signed_in.text(path)
    signed_in.fill(f"{path}/access", to=f"{path}/roles")
    none = signed_in.text(path)

    assert '<span class="pill">auditor</span>' in one
    assert '<span class="pill">auditor</span>' not in none


def test_tested_token_of_another_organization_is_unknown(signed_in: Browser, person: Person) -> None:
    """
    Whoever pastes a token of another organization learns no more than of a random one.
    """
    foreign = _key_of(account_of(make_person(), "etl")).token.reveal()
    path, to = _path(person, "accounts"), _path(person, "test-token")
    said = [
        signed_in.fill(path, to=to, token=token).content.decode().strip()
        for token in (foreign, secrets.token_hex(20))
    ]

    assert "token_unknown" in said[0]
    assert foreign not in said[0]
    assert "Denied: " in said[1]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("native", ("Service accounts", "Access", "API key")),
        ("planhat", ("Service accounts", "Permissions", "API access token")),
        ("wavefront", ("Account management", "Access", "token")),
        ("precisely", ("Users", "Access", "API key")),
    ],
)
def test_words_follow_the_preset(
    browser: Browser, server_database: str, preset: str, expected: tuple[str, str, str]
) -> None:
    """
    Places, tabs and things are called as in the product that the organization came from.
    """
    role = {"planhat": "admin", "wavefront": "admin", "precisely": "admin"}.get(preset, "owner")
    them = make_person(preset=preset, roles=(first_role(preset) or role,))
    browser.sign_in(them.email, them.password)
    text = browser.text(_path(them, "accounts"))

    assert f"<h1>{expected[0]}</h1>" in text


def first_role(preset: str) -> str:
    """Return the role of a preset that its first person holds."""
    from retinue.server.policies.rules import preset as known

    templates = known(preset)[0].roles_templates
    return templates[0].handle if templates else ""
