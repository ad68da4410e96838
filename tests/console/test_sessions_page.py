"""The page of sessions: where one is signed in, and the end of it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from django.db import connection

from retinue.server.access.models import Group
from retinue.server.console import agents, sessions
from retinue.server.directory.queries import BrowserSession
from retinue.server.ledger import rows
from retinue.server.ledger.queries import latest
from tests.console.browser import Browser
from tests.console.people import Person, colleague, disable
from tests.storage.estate import Task, hooked

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_ID = re.compile(r'name="id" value="([0-9a-f]+)"')


def _elsewhere(person: Person, agent: str = FIREFOX) -> Browser:
    browser = Browser(address="198.51.100.7")
    browser.client.defaults["HTTP_USER_AGENT"] = agent
    browser.sign_in(person.email, person.password)
    return browser


def test_sessions_are_listed(signed_in: Browser, person: Person) -> None:
    """
    Each with browser, system and address; the present one is marked and has no button; nobody else's stands here.
    """
    _elsewhere(person)
    other = colleague(person, "grace")
    Browser(address="203.0.113.9").sign_in(other.email, other.password)
    page = signed_in.text("/me/sessions/")

    assert "Firefox · Linux" in page
    assert "198.51.100.7" in page
    assert "203.0.113.9" not in page
    assert (1, 1) == (page.count("This one"), len(_ID.findall(page)))


def test_one_session_is_ended(signed_in: Browser, person: Person) -> None:
    """
    Its browser is a stranger's with the next request; the others go on; it is written down.
    """
    gone, stays = _elsewhere(person), Browser()
    page = signed_in.get("/me/sessions/").content.decode()
    stays.sign_in(person.email, person.password)
    answer = signed_in.fill("/me/sessions/", "/me/sessions/end", id=_ID.findall(page)[0])
    said = [e.after for e in latest(person.principal.organization_id, 9) if e.type == "session.closed"]

    assert 303 == answer.status_code
    assert [302, 200, 200] == [each.get("/").status_code for each in (gone, stays, signed_in)]
    assert [("ended", 1)] == [(each["cause"], each["sessions"]) for each in said]


def test_all_others_are_ended(signed_in: Browser, person: Person) -> None:
    """
    The browser in which that was asked goes on.
    """
    others = [_elsewhere(person) for _ in range(3)]
    signed_in.fill("/me/sessions/", "/me/sessions/end")

    assert [302] * 3 == [each.get("/").status_code for each in others]
    assert "3 sessions ended." in signed_in.text("/me/sessions/")


def test_session_of_another_is_not_ended(signed_in: Browser, person: Person) -> None:
    """
    Its id, if somebody knew it, ends nothing.
    """
    other = colleague(person, "grace")
    browser = Browser()
    browser.sign_in(other.email, other.password)
    row = BrowserSession.objects.get(login__email=other.email)
    signed_in.fill("/me/sessions/", "/me/sessions/end", id=row.session_key)

    assert 200 == browser.get("/").status_code
    assert "There was none to end." in signed_in.text("/me/sessions/")


def test_session_that_is_over_is_not_listed(
    signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What has been idle for half an hour opens nothing, so it is not shown.
    """
    with monkeypatch.context() as earlier:
        now = sessions.wall_clock
        earlier.setattr(sessions, "wall_clock", lambda: now() - sessions.IDLE_SECONDS - 1)
        _elsewhere(person)

    assert "198.51.100.7" not in signed_in.text("/me/sessions/")


@pytest.mark.parametrize(
    "path", ["/o/{}/requests?live=on", "/o/{}/settings/protect/seen", "/me/sessions/left"]
)
def test_a_page_that_asks_by_itself_is_no_activity(
    signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """
    Half an hour before a page that asks every few seconds ends the session, as before one that does not.
    """
    now, where = sessions.wall_clock(), path.format(person.principal.organization.handle)
    codes = []
    for minutes in (10, 20, 29, 31):
        monkeypatch.setattr(sessions, "wall_clock", lambda at=now + 60 * minutes: at)
        codes.append(signed_in.get(where, **{"Retinue-Unattended": "true"}).status_code)

    assert [200, 200, 200, 302] == codes


def test_every_page_that_asks_by_itself_says_so() -> None:
    """
    In no template stands a poll without the header that tells it from what a person does.
    """
    texts = [path.read_text() for path in Path(sessions.__file__).parent.glob("templates/**/*.html")]
    polls = [tag for text in texts for tag in re.findall(r"<[^>]*hx-trigger=\"every [^>]*", text)]

    assert len(polls) >= 3
    assert [] == [tag for tag in polls if "Retinue-Unattended" not in tag]


def test_disabled_person_has_no_session(signed_in: Browser, person: Person) -> None:
    """
    All sessions of a user end at once with the user.
    """
    other = _elsewhere(person)
    disable(person)

    assert [302, 302] == [each.get("/me/sessions/").status_code for each in (signed_in, other)]


def test_browser_cannot_write_into_the_page(signed_in: Browser, person: Person) -> None:
    """
    What a browser calls itself is shown as text, and cut.
    """
    _elsewhere(person, 'curl/8 "><script>alert(1)</script>' + "x" * 9000)
    page = signed_in.text("/me/sessions/")

    assert "<script>alert" not in page
    assert "curl" in page
    assert "x" * 201 not in page


def test_session_that_ends_in_the_middle_changes_nothing(signed_in: Browser, person: Person) -> None:
    """
    Ended elsewhere while a form of it is worked on: nothing is made on PostgreSQL, where others commit meanwhile;
    on SQLite the form was first.
    """
    other, form = _elsewhere(person), f"/o/{person.principal.organization.handle}/access/teams/new"
    token, here = other.form_token(form), threading.current_thread()
    ends = signed_in.form_token("/me/sessions/")
    tasks: list[Task] = []

    def end() -> None:
        if threading.current_thread() is here and not tasks:
            sent = {"csrfmiddlewaretoken": ends}
            tasks.append(Task(lambda: signed_in.post("/me/sessions/end", sent)))
            if connection.vendor == "postgresql":
                assert 303 == tasks[0].result().status_code

    with hooked(rows, "next_revision", before=end):
        answer = other.post(form, {"csrfmiddlewaretoken": token, "name": "Sales"})
    tasks[0].result()
    made = (303, 1) if connection.vendor == "sqlite" else (403, 0)
    teams = Group.objects.filter(organization=person.principal.organization_id, name="Sales").count()

    assert made == (answer.status_code, teams)


@pytest.mark.parametrize(
    ("name", "agent"),
    [
        ("Firefox · Linux", FIREFOX),
        (
            "Edge · Windows",
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
        ),
        (
            "Chrome · Android",
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
        ),
        (
            "Safari · iPhone",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1",
        ),
        ("", "nothing that is known"),
    ],
)
def test_browsers_have_names(name: str, agent: str) -> None:
    """
    Most browsers also name others; the one that it is counts.
    """
    assert name == agents.named(agent)


def test_to_ask_how_long_a_session_lasts_is_no_activity(
    signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A page that asks how many seconds are left does not keep the session alive; who says that they stay does.
    """
    now = sessions.wall_clock
    fresh = int(signed_in.text("/me/sessions/left"))
    monkeypatch.setattr(sessions, "wall_clock", lambda: now() + 25 * 60)
    asked = [int(signed_in.text("/me/sessions/left")) for _ in range(2)]
    signed_in.text("/me/sessions/left?stay=yes")
    stayed = int(signed_in.text("/me/sessions/left"))
    page = signed_in.text(f"/o/{person.principal.organization.handle}/")

    assert 1700 < fresh <= 1800
    assert all(200 < each <= 300 for each in asked)
    assert 1700 < stayed <= 1800
    assert 'id="session-ending"' in page


def test_language_is_chosen_before_the_sign_in(browser: Browser) -> None:
    """
    The sign-in page offers the languages, and comes back in the one that was chosen.
    """
    chosen = browser.fill("/login/", to="/language/", language="de", next="/login/?next=/x")
    page = browser.text("/login/?next=/x")

    assert (303, "/login/?next=/x") == (chosen.status_code, chosen["Location"])
    assert '<html lang="de"' in page
