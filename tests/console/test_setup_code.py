"""The setup code: one code, once, makes one administrator, and nobody else learns or makes anything."""

from __future__ import annotations

import secrets
import threading

import pytest
from django.db import connection

from retinue.server.access.queries import roles_of
from retinue.server.console import setup
from retinue.server.credentials import setup_code
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.token import Kind, mint
from tests.console.browser import Browser
from tests.console.pending import PASSWORD, Pending, filled_in, send, wait


def test_code_makes_the_first_administrator(browser: Browser, pending: Pending) -> None:
    """
    The right code makes an operator and owner who is signed in at once and can sign in again.
    """
    fields = filled_in(pending.code)
    answer = send(browser, fields)

    assert (302, "/") == (answer.status_code, answer["Location"])
    assert [fields["email"]] == pending.operators()
    assert fields["email"] in browser.get("/").content.decode()
    assert 302 == Browser().sign_in(fields["email"], PASSWORD).status_code
    made = Principal.objects.get(email=fields["email"])
    assert ["owner"] == roles_of([made.id])[made.id]


def test_everything_is_one_transaction(browser: Browser, pending: Pending) -> None:
    """
    User, role and the end of the code stand in one revision; it was done with the code.
    """
    send(browser, filled_in(pending.code))
    revisions = {
        type_: pending.events(type_)[0].revision
        for type_ in ("user.created", "role.assigned", "setup_code.used")
    }

    assert 1 == len(set(revisions.values()))
    used = pending.events("setup_code.used")[0]
    assert ("system", used.subject) == (used.actor_kind, used.credential)


def test_code_works_once(browser: Browser, pending: Pending) -> None:
    """
    After its use the code opens nothing, and the page leads to the sign-in page.
    """
    stale = Browser()
    token = stale.form_token("/setup/")
    send(browser, filled_in(pending.code))
    answer = stale.post("/setup/", {"csrfmiddlewaretoken": token, **filled_in(pending.code)})

    assert (302, "/login/") == (answer.status_code, answer["Location"])
    assert 1 == len(pending.operators())


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "rtnboot_0EXAMPLE0KID_", "other kind", "other code", "mistyped"],
)
def test_wrong_code_makes_nobody(wrong: str, browser: Browser, pending: Pending) -> None:
    """
    Any other text is refused at its field, and nothing is made.
    """
    known = pending.code.split("_")[1]
    codes = {
        "other kind": mint(Kind.API_KEY, kid=known).reveal(),
        "other code": mint(Kind.SETUP, kid=known).reveal(),
        "mistyped": pending.code[:-1] + ("0" if pending.code[-1] != "0" else "1"),
    }
    answer = send(browser, filled_in(codes.get(wrong, wrong)))
    page = answer.content.decode()

    assert (200, []) == (answer.status_code, pending.operators())
    assert 'id="id_code_error"' in page
    assert str(setup.WRONG) in page or "Enter the setup code." in page


def test_guessing_is_bounded(browser: Browser, pending: Pending) -> None:
    """
    After 20 attempts in five minutes a caller is refused with 429, with the right code too.
    """
    wrong = [send(browser, {"code": "x"}).status_code for _ in range(20)]
    right = send(browser, filled_in(pending.code))

    assert [200] * 20 == wrong
    assert (429, []) == (right.status_code, pending.operators())


def test_guessing_is_written_down_without_the_guess(browser: Browser, pending: Pending) -> None:
    """
    A wrong code is an event with the address of the caller, and holds nothing of what was sent.
    """
    before = len(pending.events("setup_code.refused"))
    guess = mint(Kind.SETUP).reveal()
    send(browser, filled_in(guess))
    found = pending.events("setup_code.refused")

    assert 1 == len(found) - before
    assert guess not in repr(found)


def test_only_the_digest_is_stored(pending: Pending) -> None:
    """
    The row of a code holds its keyed digest and no part of its secret.
    """
    row = Credential.objects.filter(kind=Kind.SETUP.value, state="active").values().get()

    assert pending.code.split("_")[2][:43] not in repr(row)
    assert 32 == len(bytes(row["digest"]))


def test_another_code_ends_the_one_before(browser: Browser, pending: Pending) -> None:
    """
    Of two codes only the later one works.
    """
    later = wait(pending.organization).code
    first = send(browser, filled_in(pending.code))
    second = send(browser, filled_in(later))

    assert [200, 302] == [first.status_code, second.status_code]


def test_no_race_makes_two_administrators(pending: Pending) -> None:
    """
    Of many callers with the right code at the same moment exactly one makes an administrator.
    """
    callers = 6
    start = threading.Barrier(callers)
    outcomes: list[str] = []

    def call(n: int) -> None:
        start.wait()
        try:
            with transaction(SYSTEM, reason="test") as tx:
                email = f"{n}@{secrets.token_hex(6)}.example"
                setup_code.redeem(tx, pending.code, email=email, name="Ada", password=PASSWORD)
            outcomes.append("made")
        except Refused as refused:
            outcomes.append(str(refused.field))
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=(n,)) for n in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["code"] * (callers - 1) + ["made"] == sorted(outcomes)
    assert 1 == len(pending.operators())
