"""Sign-in, sign-out and refusals stand in the audit log: who, from where, why. No password does."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from retinue.server.console import sessions
from retinue.server.directory.queries import installation
from retinue.server.ledger.queries import Event, latest
from tests.console import browser as browser_module
from tests.console.browser import Browser
from tests.console.people import Person, disable


def _events(person: Person) -> list[Event]:
    found = latest(person.principal.organization_id, 50)
    return [event for event in found if event.type.startswith("session.")]


def test_session_is_recorded_from_beginning_to_end(browser: Browser, person: Person) -> None:
    """
    Sign-in and sign-out name the person, the address and the request.
    """
    opened = browser.sign_in(person.email, person.password)
    token = browser.form_token("/logout/")
    browser.post("/logout/", {"csrfmiddlewaretoken": token})
    end, beginning = _events(person)

    assert ("session.opened", "session.closed") == (beginning.type, end.type)
    assert {person.principal.id} == {beginning.actor, beginning.subject, end.actor, end.subject}
    assert {browser_module.HERE[0]} == {beginning.address, end.address}
    assert opened["Retinue-Request-Id"] == beginning.request
    assert "sign_out" == end.after["cause"]


def test_refusal_names_its_cause_and_no_password(browser: Browser, person: Person) -> None:
    """
    A refusal tells the address and why; what was typed as password is nowhere in the statements.
    """
    token = browser.form_token()
    fields = {"csrfmiddlewaretoken": token, "login": person.email, "password": "Fgh7-guessed-wrong"}
    with CaptureQueriesContext(connection) as sent:
        browser.post("/login/", fields)
    disable(person)
    browser.sign_in(person.email, person.password)
    disabled, wrong = _events(person)

    assert ("session.refused", "credentials") == (wrong.type, wrong.after["cause"])
    assert ("anonymous", person.principal.id, person.email) == (
        wrong.actor_kind,
        wrong.subject,
        wrong.after["email"],
    )
    assert "disabled" == disabled.after["cause"]
    assert "Fgh7-guessed-wrong" not in str(sent.captured_queries)


def test_refusal_of_an_unknown_address_belongs_to_the_installation(
    browser: Browser, server_database: str
) -> None:
    """
    An address of nobody is recorded where the operators look.
    """
    browser.sign_in("nobody@nowhere.example", "wrong")
    home = installation()
    assert home is not None
    event = latest(home.id, 1)[0]

    assert ("session.refused", "unknown", "nobody@nowhere.example") == (
        event.type,
        event.subject,
        event.after["email"],
    )


def test_address_is_kept_apart_from_the_event(browser: Browser, person: Person) -> None:
    """
    The e-mail address stands in the part that can be erased, not in the event.
    """
    browser.sign_in(person.email, "wrong")
    with CaptureQueriesContext(connection) as sent:
        assert _events(person)[0].after["email"] == person.email
    table = [query["sql"] for query in sent.captured_queries if "ledger_auditevent" in query["sql"]]

    assert table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM ledger_auditevent WHERE CAST(after AS TEXT) LIKE %s", [f"%{person.email}%"]
        )
        assert (0,) == cursor.fetchone()


@pytest.mark.parametrize(
    ("passed", "cause"),
    [(sessions.IDLE_SECONDS, "idle"), (sessions.ABSOLUTE_SECONDS, "age")],
)
def test_session_ends_by_itself(
    signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch, passed: int, cause: str
) -> None:
    """
    After 30 minutes without a request, or 12 hours in all, the session ends and the page says why.
    """
    began = sessions.wall_clock()
    if cause == "age":
        for seen in range(0, passed, sessions.IDLE_SECONDS // 2):
            monkeypatch.setattr(sessions, "wall_clock", lambda at=began + seen: at)
            assert signed_in.get("/").status_code == 200
    monkeypatch.setattr(sessions, "wall_clock", lambda: began + passed + 1)
    answer = signed_in.get("/")

    assert (302, f"/login/?ended={cause}&next=%2F") == (answer.status_code, answer["Location"])
    assert "session.closed" == _events(person)[0].type
    assert cause == _events(person)[0].after["cause"]
    assert 'role="status"' in signed_in.get(answer["Location"]).content.decode()


def test_session_in_use_does_not_end(signed_in: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A request within 30 minutes keeps the session.
    """
    began = sessions.wall_clock()
    for minutes in (29, 58, 87):
        monkeypatch.setattr(sessions, "wall_clock", lambda at=began + 60 * minutes: at)

        assert 200 == signed_in.get("/").status_code
