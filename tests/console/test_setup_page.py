"""The set-up page: when it is there, what it asks, what it says, and what it never repeats."""

from __future__ import annotations

from datetime import timedelta

import pytest

from retinue.server.credentials import setup_code
from retinue.server.credentials.queries import Credential
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.token import Kind
from tests.console.browser import Browser
from tests.console.pending import PASSWORD, Pending, filled_in, send
from tests.console.test_headers import _INLINE, _OTHER_ORIGIN, POLICY


@pytest.mark.parametrize("path", ["/setup/", "/setup"])
def test_without_a_setup_the_page_leads_to_sign_in(path: str, browser: Browser, organization: object) -> None:
    """
    Where no code waits there is nothing to set up.
    """
    answer = browser.client.get(path, headers={"host": browser.host}, follow=True)

    assert "/login/" == answer.request["PATH_INFO"]


def test_sign_in_leads_to_the_set_up_page(browser: Browser, pending: Pending) -> None:
    """
    Nobody can sign in yet, so who comes to the console is sent where it begins.
    """
    assert "/setup/" == browser.get("/login/")["Location"]


def test_code_ends_after_a_day(browser: Browser, pending: Pending, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One day after `init` the page says that the code has ended and how to get another; it opens nothing.
    """
    token = browser.form_token("/setup/")
    later = Credential.objects.get(kind=Kind.SETUP.value, state="active").issued_at + timedelta(hours=24)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    page = browser.get("/setup/").content.decode()
    answer = browser.post("/setup/", {"csrfmiddlewaretoken": token, **filled_in(pending.code)})

    assert "retinue init --no-admin" in page
    assert 'name="code"' not in page
    assert (200, []) == (answer.status_code, pending.operators())
    with pytest.raises(Refused), transaction(SYSTEM) as tx:
        setup_code.redeem(tx, pending.code, email="a@b.example", name="Ada", password=PASSWORD)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", " ", "Enter your name."),
        ("name", "A\u202eda", "control character U+202E"),
        ("email", "ada", "such as ada@acme.example"),
        ("password", "short", "at least 8 characters"),
        ("password", "password123", "too common"),
        ("password", "x" * 1025, "at most 1024 characters"),
        ("again", "another-password-77", "The two passwords differ."),
    ],
)
def test_bad_answer_names_its_field(
    field: str, value: str, rule: str, browser: Browser, pending: Pending
) -> None:
    """
    A bad answer is told at its field with the rule; nothing is made and the code still works.
    """
    fields = filled_in(pending.code, **{field: value})
    if field == "password":
        fields["again"] = value
    answer = send(browser, fields)
    page = answer.content.decode()

    assert (200, []) == (answer.status_code, pending.operators())
    assert rule in page.partition(f'id="id_{field}_error"')[2].partition("</p>")[0]
    assert 302 == send(browser, filled_in(pending.code)).status_code


def test_page_sends_no_secret_back(browser: Browser, pending: Pending) -> None:
    """
    When another answer is bad, the page repeats neither the code nor the password.
    """
    page = send(browser, filled_in(pending.code, email="ada")).content.decode()

    assert pending.code not in page
    assert PASSWORD not in page
    assert 'value="Ada"' in page


def test_line_breaks_in_the_code_do_no_harm(browser: Browser, pending: Pending) -> None:
    """
    A code that a terminal broke into two lines is the same code.
    """
    answer = send(browser, filled_in(f" {pending.code[:40]}\n{pending.code[40:]} "))

    assert (302, 1) == (answer.status_code, len(pending.operators()))


def test_page_is_strict(browser: Browser, pending: Pending) -> None:
    """
    The page has the policy of all pages, nothing inline, no other origin, and is kept by nobody.
    """
    answers = [browser.get("/setup/"), send(browser, filled_in("x"))]

    for answer in answers:
        text = answer.content.decode()
        assert (POLICY, "no-store") == (answer["Content-Security-Policy"], answer["Cache-Control"])
        assert [] == _INLINE.findall(text) + _OTHER_ORIGIN.findall(text)
        assert 1 == text.count("<h1")


def test_form_needs_its_token(browser: Browser, pending: Pending) -> None:
    """
    A form without the CSRF token, or from another site, is refused.
    """
    token = browser.form_token("/setup/")
    fields = filled_in(pending.code)
    without = browser.post("/setup/", fields)
    elsewhere = browser.post(
        "/setup/", {"csrfmiddlewaretoken": token, **fields}, **{"sec-fetch-site": "cross-site"}
    )

    assert [403, 403] == [without.status_code, elsewhere.status_code]
    assert [] == pending.operators()
