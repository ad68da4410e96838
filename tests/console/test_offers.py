"""What a viewer may not do is shown, can be reached by keyboard, does nothing, and says why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from retinue.server.console import offering, viewer
from tests.console.browser import Browser
from tests.console.people import Person, colleague

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
