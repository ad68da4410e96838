"""Elevated permissions in the console: a sign-in is enough for some minutes, then the password is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from retinue.server.api import inside
from retinue.server.console import sessions
from retinue.server.console.store import SessionStore
from retinue.server.directory.queries import Login
from retinue.server.ledger.queries import latest
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions as policies
from retinue.server.policies.rules import Document
from tests.console.browser import Browser, without_token
from tests.console.devices import code as app_code
from tests.console.devices import set_up_app
from tests.console.people import Person

ROLE = {"handle": "reader", "name": "Reader", "permissions": []}


def _policy(person: Person, **keys: Any) -> None:
    stated = {name.replace("__", "."): value for name, value in keys.items()}
    with transaction(SYSTEM, reason="test") as tx:
        policies.change(tx, person.principal.organization_id, lambda document: Document(overrides=stated))


def _call(browser: Browser, person: Person, operation: str, **body: Any) -> inside.Outcome:
    """Call an operation as a page of this browser's session does."""
    request = RequestFactory().post("/", REMOTE_ADDR="127.0.0.1")
    request.session = SessionStore(browser.session)
    login = Login.objects.select_related("principal").get(email=person.email)
    return inside.call(
        request, person.principal, sessions.actor(request, login), operation, body=body or None
    )


def _pass(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    """Move the sign-in back: the clock of the session stood so many minutes ago."""
    now = sessions.wall_clock
    monkeypatch.setattr(sessions, "wall_clock", lambda: now() - 60 * minutes)


def _confirm(browser: Browser, password: str, **fields: str) -> Any:
    token = browser.form_token("/confirm/")
    return browser.post("/confirm/", {"csrfmiddlewaretoken": token, "password": password, **fields})


@pytest.mark.parametrize(("minutes", "code"), [(15, "step_up_required"), (60, ""), (None, "")])
def test_elevated_permission_needs_a_recent_sign_in(
    browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch, minutes: int | None, code: str
) -> None:
    """
    Twenty minutes after the sign-in a role is made where the policy allows an hour or any time, and not where it
    allows a quarter; what is not elevated is done all the same.
    """
    _policy(person, elevated__step_up_minutes=minutes)
    with monkeypatch.context() as earlier:
        _pass(earlier, 20)
        browser.sign_in(person.email, person.password)
    role = _call(browser, person, "create_role", **ROLE)
    group = _call(browser, person, "create_group", name="Data")

    assert code == role.code
    assert (["role:create"] if code else []) == role.body.get("required", [])
    assert group.is_done


def test_password_opens_them_again(browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    After the password was shown once more the same act is done; the session has another key, the page goes on
    where it was asked to, and it is written down.
    """
    with monkeypatch.context() as earlier:
        _pass(earlier, 20)
        browser.sign_in(person.email, person.password)
    refused, before = _call(browser, person, "create_role", **ROLE), browser.session
    answer = _confirm(browser, person.password, next="/?of=roles")

    assert "step_up_required" == refused.code
    assert (302, "/?of=roles") == (answer.status_code, answer["Location"])
    assert before != browser.session
    assert _call(browser, person, "create_role", **ROLE).is_done
    assert "session.confirmed" in {event.type for event in latest(person.principal.organization_id, 5)}


def test_list_of_elevated_permissions_decides(
    browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What the organization counts as elevated is asked for, and nothing else.
    """
    _policy(person, elevated={"permissions": ["group:create"]})
    with monkeypatch.context() as earlier:
        _pass(earlier, 20)
        browser.sign_in(person.email, person.password)

    assert "step_up_required" == _call(browser, person, "create_group", name="Data").code
    assert _call(browser, person, "create_role", **ROLE).is_done


def test_session_without_an_instant_has_not_signed_in_lately(browser: Browser, person: Person) -> None:
    """
    A session that does not say when its person signed in is too old.
    """
    browser.sign_in(person.email, person.password)
    store = SessionStore(browser.session)
    del store[sessions.SIGNED_IN_AT]
    store.save()

    assert "step_up_required" == _call(browser, person, "create_role", **ROLE).code


def test_wrong_password_confirms_nothing(
    browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The page says that it is wrong, nothing of it is sent back, and it counts as a refused sign-in: after five
    in a row the right one has to wait too.
    """
    with monkeypatch.context() as earlier:
        _pass(earlier, 20)
        browser.sign_in(person.email, person.password)
    wrong = [_confirm(browser, "not the password") for _ in range(5)]
    late = _confirm(browser, person.password)

    assert {200} == {each.status_code for each in wrong}
    assert "The password is wrong." in without_token(wrong[0])
    assert "not the password" not in without_token(wrong[0])
    assert (429, True) == (late.status_code, "Retry-After" in late)
    assert "step_up_required" == _call(browser, person, "create_role", **ROLE).code
    assert 5 <= sum(event.type == "session.refused" for event in latest(person.principal.organization_id, 9))


def test_page_goes_on_here_alone(browser: Browser, person: Person) -> None:
    """
    An address of another server is not followed.
    """
    browser.sign_in(person.email, person.password)

    assert ["/", "/", "/roles"] == [
        _confirm(browser, person.password, next=wanted)["Location"]
        for wanted in ("https://evil.example/", "//evil.example", "/roles")
    ]


def test_confirmation_needs_a_session(browser: Browser) -> None:
    """
    Without a session there is nobody to confirm.
    """
    answer = browser.get("/confirm/")

    assert (302, "/login/?next=/confirm/") == (answer.status_code, answer["Location"])


def test_password_alone_is_not_enough_beside_a_second_factor(signed_in: Browser, person: Person) -> None:
    """
    Who has set up an app is asked for its code, and not for the password; the password alone, sent all the
    same, confirms nothing; the code does, and the audit log says so.
    """
    secret, _codes = set_up_app(signed_in)
    page = signed_in.text("/confirm/")
    before = signed_in.session
    refused = _confirm(signed_in, person.password, next="/?of=roles")
    unchanged = signed_in.session
    token = signed_in.form_token("/confirm/")
    sent = {"csrfmiddlewaretoken": token, "code": app_code(secret, 1), "next": "/?of=roles"}
    done = signed_in.post("/confirm/", sent)
    last = latest(person.principal.organization_id, 1)[0]

    assert 'name="password"' not in page
    assert 'name="code"' in page
    assert (200, before) == (refused.status_code, unchanged)
    assert (302, "/?of=roles") == (done.status_code, done["Location"])
    assert ("session.confirmed", "totp") == (last.type, last.after["method"])
