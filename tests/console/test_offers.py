"""What a viewer may not do is shown, can be reached by keyboard, does nothing, and says why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from retinue.server.console import offering, viewer
from tests.console.browser import Browser
from tests.console.forms import without_scripts
from tests.console.people import Person, account_of, colleague

TEMPLATES = Path(viewer.__file__).parent / "templates"


def test_no_control_of_a_template_is_out_of_reach() -> None:
    """A switched-off control is never ``disabled`` with its reason in a ``title``, nor a ``disabled`` button."""
    wrong = re.compile(r'disabled title=|aria-disabled="true"[^>]* title=|<button[^>]*?\} disabled\{%')
    assert [] == [str(each) for each in TEMPLATES.rglob("*.html") if wrong.search(each.read_text())]


def test_switched_off_button_sends_nothing_and_is_described() -> None:
    """It stays a button that takes the focus, of the type that sends nothing; its reason is text, escaped."""
    shown = offering.offered('<button class="b" name="act" value="x">Do <b>it</b></button>', "No: <you>")
    found = re.fullmatch(
        r'<button type="button" aria-disabled="true" aria-describedby="(why-\w+)" class="b" name="act" value="x">'
        r'Do <b>it</b></button><span class="why" role="tooltip" id="(why-\w+)">No: &lt;you&gt;</span>',
        shown,
    )
    assert found is not None
    assert found[1] == found[2]


def test_switched_off_link_leads_nowhere() -> None:
    """Neither its address nor what htmx would load is left; it can be reached by Tab."""
    shown = offering.offered('<a class="b" href="/x" hx-get="/x" hx-target="#d">Go</a>', ("key:read",))
    assert "/x" not in shown
    assert "hx-" not in shown
    assert '<span tabindex="0" role="link" aria-disabled="true"' in shown
    assert "You need key:read." in shown


def test_what_may_be_done_stays_as_it_is() -> None:
    """Without a reason nothing is changed; what is no button or link is a mistake of the template."""
    assert '<button name="a">x</button>' == offering.offered(' <button name="a">x</button> ', ())
    with pytest.raises(ValueError, match="one button or one link"):
        offering.offered("<p>x</p>", "why")


@pytest.mark.one_database
def test_pages_of_a_viewer_hold_no_disabled_button(browser: Browser, person: Person) -> None:
    """Who may change nothing sees each page's acts switched off, described, and none of them ``disabled``."""
    viewer = colleague(person, "reader", roles=("auditor",))
    assert browser.sign_in(viewer.email, viewer.password).status_code == 302
    for path in ("accounts", "access/roles", "access/groups", "settings/users", "policies", "reviews"):
        text = browser.text(f"/o/{person.principal.organization.handle}/{path}")
        assert not re.search(r"<button[^>]*\sdisabled[\s>]", text), path
        described = set(re.findall(r'aria-disabled="true" aria-describedby="([^"]+)"', text))
        assert described, path
        assert described <= set(re.findall(r'<span class="why" role="tooltip" id="([^"]+)"', text)), path


@pytest.mark.one_database
def test_page_that_is_forbidden_says_which_and_whom_to_ask(browser: Browser, person: Person) -> None:
    """It has the title and the place of what was asked for, the roles that one has, and names who can help."""
    member = colleague(person, "reader", roles=("member",))
    browser.sign_in(member.email, member.password)
    answer = browser.get(f"/o/{person.principal.organization.handle}/settings/users")
    text = " ".join(answer.content.decode().split())
    crumbs = text[text.index('<nav class="crumbs"') :].partition("</nav>")[0]

    assert 403 == answer.status_code
    assert '<span class="strong clip">Users</span>' in crumbs
    assert "Users: You may not see this page" in text
    assert "<code>user:read</code>" in text
    assert "Your roles: Member." in text
    assert "Ask for it: Ada Test." in text
    assert re.search(r'href="[^"]*/settings" aria-current="page"', text)


@pytest.mark.one_database
def test_why_of_a_denial_says_what_would_change_it(signed_in: Browser, person: Person) -> None:
    """Roles that give the permission, the way to give it; for what the policy forbids, that nothing helps."""
    account = account_of(person, "etl-why")
    path = f"/o/{person.principal.organization.handle}/access/explain?principal={account.id}&permission="
    text = signed_in.text(f"{path}review:read")
    banned = signed_in.text(f"{path}pat:issue")

    assert "A role that gives it:" in text
    assert ">Auditor</a>" in text
    assert f'href="/o/{person.principal.organization.handle}/accounts/{account.id}/access"' in text
    assert "/docs/errors/permission_missing" in text
    assert "the policy keeps this permission from service accounts" in banned
    assert "A role that gives it:" not in banned


@pytest.mark.one_database
def test_why_names_whom_to_ask(browser: Browser, person: Person) -> None:
    """Who may look but not grant sees the way switched off, and the names of who may."""
    account = account_of(person, "etl-ask")
    auditor = colleague(person, "reader", roles=("auditor",))
    browser.sign_in(auditor.email, auditor.password)
    text = browser.text(
        f"/o/{person.principal.organization.handle}/access/explain?principal={account.id}&permission=review:read"
    )

    assert "Ask for it: Ada Test." in text
    assert 'aria-disabled="true"' in text[text.index("What would change it") :]


def test_form_that_needs_scripts_is_found() -> None:
    """What the loop over all forms would tell: sent by htmx alone, without a token, a button or an address."""
    bad = (
        '<form hx-post="/login/"></form><form method="post" action="/no/such"></form><b hx-delete="/x">x</b>'
    )
    good = '<form method="post"><input name="csrfmiddlewaretoken"><button>Go</button></form>'

    assert ({"/login/"}, []) == without_scripts("/login/", good)
    assert ({"/no/such"}, 5) == (without_scripts("/login/", bad)[0], len(without_scripts("/login/", bad)[1]))
