"""The set-up page: when it is there, what it asks, what it says, and what it never repeats."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest

from retinue.server.access.queries import effective
from retinue.server.console import fitness
from retinue.server.credentials import setup_code
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Organization, Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies.queries import policy_of
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


def test_organization_gets_its_name_and_preset(browser: Browser, pending: Pending) -> None:
    """
    What the page asks besides is there with the administrator, who owns the organization in any preset; the
    page begins with what is there, and says under which address it was reached.
    """
    page = browser.get("/setup/").content.decode()
    answer = send(browser, filled_in(pending.code, organization="Acme Reports", preset="planhat"))
    organization = Organization.objects.get(id=pending.organization.id)
    owner = Principal.objects.get(organization=organization, is_operator=True)

    assert 302 == answer.status_code
    assert f'value="{pending.organization.name}"' in page
    assert '<option value="native" selected>Native</option>' in page
    assert f"<code>http://{browser.host}/</code>" in page
    assert 'data-clock="' in page
    assert ("Acme Reports", "planhat") == (organization.name, policy_of(organization.id).preset)
    assert {"policy:update", "organization:update"} <= effective(owner)


def test_bad_preset_makes_nobody(browser: Browser, pending: Pending) -> None:
    """
    A preset that there is not is told at its field, and the code still works.
    """
    answer = send(browser, filled_in(pending.code, preset="other"))

    assert (200, []) == (answer.status_code, pending.operators())
    assert 'id="id_preset_error"' in answer.content.decode()


def test_file_without_the_right_to_write_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The database's file or its folder, where SQLite keeps its log; of the present one everything can be written.
    """
    cursor = MagicMock()
    cursor.__enter__.return_value.fetchone.return_value = (0, "main", str(tmp_path / "retinue.db"))
    (tmp_path / "retinue.db").touch()
    monkeypatch.setattr(fitness, "connection", Mock(vendor="sqlite", cursor=lambda: cursor))
    found = [fitness.unwritable()]
    for refused in (tmp_path, tmp_path / "retinue.db"):
        monkeypatch.setattr("os.access", lambda path, mode, refused=refused: path != refused)
        found.append(fitness.unwritable())

    assert ["", str(tmp_path), str(tmp_path / "retinue.db")] == found


@pytest.mark.one_database
def test_database_that_cannot_be_written_is_said_first(
    browser: Browser, pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Instead of a form that would fail the page names what cannot be written, and that it is no mistake of theirs.
    """
    monkeypatch.setattr(fitness, "unwritable", lambda: "/srv/retinue/retinue.db")
    answer = browser.get("/setup/")
    page = answer.content.decode()

    assert 503 == answer.status_code
    assert "<code>/srv/retinue/retinue.db</code>" in page
    assert 'name="code"' not in page


@pytest.mark.one_database
def test_a_stranger_is_not_told_where_the_database_is(
    browser: Browser, organization: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Once it is set up.
    """
    monkeypatch.setattr(fitness, "unwritable", lambda: "/srv/retinue/retinue.db")

    assert 302 == browser.get("/setup/").status_code


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
        # One file of our own, which compares the clocks.
        text = re.sub(r'<script type="module" src="/static/clock\.[0-9a-f]+\.js"></script>', "", text)
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
