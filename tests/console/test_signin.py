"""Sign-in and sign-out: who gets a session, and that nobody learns anything from a refusal."""

from __future__ import annotations

import secrets

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.server.credentials import actions as credentials
from retinue.server.directory import actions as directory
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser, without_token
from tests.console.people import Person, disable


def test_person_signs_in(browser: Browser, person: Person) -> None:
    """
    The right password leads to the home page, which names the person.
    """
    answer = browser.sign_in(person.email, person.password)

    assert (302, "/") == (answer.status_code, answer["Location"])
    assert person.email in browser.get("/").content.decode()


def test_address_is_folded(browser: Browser, person: Person) -> None:
    """
    Upper case and space around the address do not matter.
    """
    answer = browser.sign_in(f"  {person.email.upper()} ", person.password)

    assert 302 == answer.status_code


def test_home_needs_a_session(browser: Browser) -> None:
    """
    Without a session the home page leads to the sign-in page.
    """
    answer = browser.get("/")

    assert (302, "/login/?next=/") == (answer.status_code, answer["Location"])


def test_wrong_password_and_unknown_address_look_the_same(person: Person) -> None:
    """
    The pages of a wrong password and of an unknown address differ in the address alone.
    """
    unknown = f"bob@{secrets.token_hex(8)}.example"
    wrong = Browser().sign_in(person.email, "not the password")
    nobody = Browser().sign_in(unknown, "not the password")

    assert wrong.status_code == nobody.status_code == 200
    assert without_token(wrong).replace(person.email, "@") == without_token(nobody).replace(unknown, "@")
    assert "The e-mail address or the password is wrong." in without_token(wrong)


def test_wrong_password_and_unknown_address_cost_the_same(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Both compute one password hash and send as many statements to the database.
    """
    hashes: list[str] = []
    for name in ("encode", "verify"):
        computed = getattr(Argon2PasswordHasher, name)

        def counting(self: object, *args: object, _name: str = name, _computed: object = computed) -> object:
            hashes.append(_name)
            return _computed(self, *args)  # type: ignore[operator]

        monkeypatch.setattr(Argon2PasswordHasher, name, counting)
    costs = []
    for email in (person.email, f"bob@{secrets.token_hex(8)}.example"):
        browser, before = Browser(), len(hashes)
        token = browser.form_token()
        with CaptureQueriesContext(connection) as sent:
            browser.post("/login/", {"csrfmiddlewaretoken": token, "login": email, "password": "wrong"})
        costs.append((len(hashes) - before, len(sent)))

    assert costs[0] == costs[1]
    assert 1 == costs[0][0]


def test_disabled_user_is_refused(browser: Browser, person: Person) -> None:
    """
    A disabled user gets the page of a wrong password, although the password is right.
    """
    wrong = without_token(Browser().sign_in(person.email, "not the password"))
    disable(person)
    answer = browser.sign_in(person.email, person.password)

    assert browser.session is None
    assert wrong == without_token(answer)


def test_disabling_a_user_ends_the_session(signed_in: Browser, person: Person) -> None:
    """
    The next request of a user who was disabled meanwhile is a stranger's.
    """
    assert 200 == signed_in.get("/").status_code

    disable(person)

    assert 302 == signed_in.get("/").status_code


def test_new_password_ends_the_session(signed_in: Browser, person: Person) -> None:
    """
    A session that was opened with the old password is worth nothing after a change.
    """
    with transaction(SYSTEM, reason="test") as tx:
        directory.set_password(tx, person.principal, secrets.token_urlsafe(18))
        tx.record(
            "change.refused", person.principal.id, name="x", organization=person.principal.organization_id
        )

    assert 302 == signed_in.get("/").status_code


def test_token_of_a_service_account_is_refused_and_kept_nowhere(
    browser: Browser, person: Person, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    A token is a wrong password in either field, and stands neither in the log nor in the audit log.
    """
    from retinue.server.ledger.queries import latest

    organization = person.principal.organization_id
    with transaction(SYSTEM, reason="test") as tx:
        fields = AccountFields(name="etl", purpose="a test", owners=(person.principal.id,))
        account = directory.create_service_account(tx, organization, fields)
    with transaction(SYSTEM, reason="test") as tx:
        token = credentials.issue(tx, account, name="k1").token
    with caplog.at_level("DEBUG"):
        answers = [
            browser.sign_in(person.email, token.reveal()),
            browser.sign_in(token.reveal(), "anything"),
            browser.sign_in(account.handle, token.reveal()),
        ]
    said = caplog.text + "".join(capfd.readouterr()) + repr(latest(organization, 50))

    assert [200, 200, 200] == [answer.status_code for answer in answers]
    assert browser.session is None
    assert [True, True] == ["This is a token, not a password." in without_token(a) for a in answers[:2]]
    assert token.reveal() not in said
    assert token.reveal() not in answers[0].content.decode()


def test_session_key_changes_at_sign_in(browser: Browser, person: Person) -> None:
    """
    A session key that was planted in the browser beforehand is not the one that is signed in.
    """
    from django.conf import settings

    from retinue.server.console.store import SessionStore

    planted = SessionStore()
    planted["seen"] = True
    planted.create()
    assert planted.session_key is not None
    browser.client.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key
    browser.sign_in(person.email, person.password)
    thief = Browser()
    thief.client.cookies[settings.SESSION_COOKIE_NAME] = planted.session_key

    assert browser.session not in (None, planted.session_key)
    assert 302 == thief.get("/").status_code


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        r"/\evil.example",
        "http://127.0.0.1:1/",
        "javascript:alert(1)",
        "evil",
    ],
)
def test_redirect_elsewhere_is_refused(browser: Browser, person: Person, target: str) -> None:
    """
    Sign-in and sign-out lead nowhere but to a path of this server.
    """
    opened = browser.sign_in(person.email, person.password, next=target)
    token = browser.form_token("/logout/")
    closed = browser.post("/logout/", {"csrfmiddlewaretoken": token, "next": target})

    assert (302, "/") == (opened.status_code, opened["Location"])
    assert (302, "/login/") == (closed.status_code, closed["Location"])


def test_redirect_to_a_path_is_followed(browser: Browser, person: Person) -> None:
    """
    Who came from a page of the console gets back to it.
    """
    answer = browser.sign_in(person.email, person.password, next="/logout/")

    assert "/logout/" == answer["Location"]


def test_sign_out_ends_the_session_on_the_server(signed_in: Browser) -> None:
    """
    After sign-out the old cookie is worth nothing, also in the hands of somebody who copied it.
    """
    from django.conf import settings

    copied = signed_in.session
    assert copied is not None
    token = signed_in.form_token("/logout/")
    signed_in.post("/logout/", {"csrfmiddlewaretoken": token})
    thief = Browser()
    thief.client.cookies[settings.SESSION_COOKIE_NAME] = copied

    assert 302 == signed_in.get("/").status_code
    assert 302 == thief.get("/").status_code


def test_opening_the_sign_out_page_ends_nothing(signed_in: Browser) -> None:
    """
    A link to the sign-out page asks first.
    """
    page = signed_in.get("/logout/")

    assert 200 == page.status_code
    assert "Sign out?" in page.content.decode()
    assert 200 == signed_in.get("/").status_code


@pytest.mark.parametrize("path", ["/login/", "/logout/"])
def test_form_needs_its_token(signed_in: Browser, path: str) -> None:
    """
    A form without the CSRF token is refused with a page that says what to do.
    """
    answer = signed_in.post(path, {"login": "a@b.example", "password": "x"})

    assert 403 == answer.status_code
    assert "This form is no longer valid" in answer.content.decode()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_form_from_another_site_is_refused(signed_in: Browser, site: str) -> None:
    """
    A browser that says a form comes from elsewhere is believed, even if the token is right.
    """
    token = signed_in.form_token("/logout/")
    answer = signed_in.post("/logout/", {"csrfmiddlewaretoken": token}, **{"sec-fetch-site": site})

    assert 403 == answer.status_code
    assert 200 == signed_in.get("/").status_code


def test_form_of_this_site_passes(signed_in: Browser) -> None:
    """
    A form of our own page passes.
    """
    token = signed_in.form_token("/logout/")
    answer = signed_in.post("/logout/", {"csrfmiddlewaretoken": token}, **{"sec-fetch-site": "same-origin"})

    assert 302 == answer.status_code


@pytest.mark.parametrize(
    "path",
    [
        "/signup/", "/accounts/signup/", "/password/reset/", "/password/change/", "/password/set/", "/email/",
        "/confirm-email/", "/reauthenticate/", "/inactive/", "/login/code/", "/accounts/login/", "/admin/",
    ],
)  # fmt: skip
def test_nothing_else_of_the_library_is_reachable(signed_in: Browser, path: str) -> None:
    """
    No address signs up, resets a password or manages addresses.
    """
    assert 404 == signed_in.get(path).status_code


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_sign_in_page_knows_two_methods(browser: Browser, method: str) -> None:
    """
    The sign-in page is opened and sent, nothing else.
    """
    answer = getattr(browser.client, method)("/login/", headers={"host": "127.0.0.1"})

    assert answer.status_code in (403, 405)
