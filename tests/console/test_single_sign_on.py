"""Single sign-on with a real provider as a process: who gets in, who does not, and every false answer."""

from __future__ import annotations

import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from retinue.server.credentials import invitations
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Identity, Login
from retinue.server.ledger.queries import latest
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser, without_token
from tests.console.devices import code, second_step, set_up_app
from tests.console.people import Person
from tests.console.provider import Served, begin, connected, through
from tests.support.identity_provider import CLIENT

NOW = int(time.time())


def test_invited_person_signs_in(served: Served, invited: str, person: Person) -> None:
    """
    Who was invited signs in without a password, is known by issuer and subject from then on, also with another
    address; the invitation has ended, and the audit log says all of it.
    """
    subject = secrets.token_hex(8)
    served.says(subject, invited)
    browser, again = Browser(), Browser()
    first = through(browser, served, next="/me/sessions/")
    served.says(subject, "renamed@elsewhere.example")
    second = through(again, served)
    login = Login.objects.get(email=invited)

    assert ["/me/sessions/", "/"] == [first["Location"], second["Location"]]
    assert [200, 200] == [each.get("/").status_code for each in (browser, again)]
    assert not login.has_usable_password()
    assert not invitations.pending([login.principal_id], timezone.now())
    events = {e.type: e.after for e in latest(person.principal.organization_id, 20)}
    assert "single_sign_on" == events["session.opened"]["method"]
    assert subject == events["identity.linked"]["subject"]


def test_provider_is_asked_as_it_should_be(served: Served) -> None:
    """
    Code flow with PKCE, a state and a nonce that differ each time, and our own address to come back to.
    """
    urls = [begin(Browser()) for _ in range(2)]
    asked = [{name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} for url in urls]

    assert ("code", "S256", CLIENT) == tuple(
        asked[0][name] for name in ("response_type", "code_challenge_method", "client_id")
    )
    assert "openid" in asked[0]["scope"].split()
    assert "http://127.0.0.1/login/sso/done/" == asked[0]["redirect_uri"]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name]) >= 20


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("email", "claims", "word"),
    [
        ("stranger@sso.example", {}, "Nobody here is connected"),
        ("", {}, "does not vouch"),
        ("INVITED", {"email_verified": False}, "does not vouch"),
        ("INVITED", {"email_verified": "true"}, "does not vouch"),
        ("INVITED", {"email_verified": None}, "does not vouch"),
        ("MEMBER", {}, "Nobody here is connected"),
        ("OUTSIDE", {}, "Nobody here is connected"),
    ],
)
def test_nobody_else_gets_in(
    served: Served, invited: str, person: Person, email: str, claims: dict[str, Any], word: str
) -> None:
    """
    Not a stranger, not an address that the provider does not vouch for, not somebody with a password (whoever has
    it connects), not an address of a domain that the provider may not vouch for.
    """
    with transaction(SYSTEM, reason="test") as tx:
        organization = person.principal.organization_id
        outside = f"x-{secrets.token_hex(6)}@other.example"
        directory.create_user(tx, organization, email=outside, name="Outside")
        member = f"m-{secrets.token_hex(6)}@sso.example"
        user = directory.create_user(tx, organization, email=member, name="Member")
        directory.set_password(tx, user, secrets.token_urlsafe(18))
    address = {"INVITED": invited, "MEMBER": member, "OUTSIDE": outside}.get(email, email)
    subject, browser = secrets.token_hex(8), Browser()
    served.says(subject, address, claims=claims, userinfo={"sub": subject})
    answer = through(browser, served)

    assert answer["Location"].startswith("/login/?refused=")
    assert word in without_token(browser.get(answer["Location"]))
    assert 302 == browser.get("/").status_code
    assert not Identity.objects.filter(subject=subject).exists()


@pytest.mark.one_database
@pytest.mark.parametrize(("same", "landed"), [(True, "/"), (False, "/login/?refused=invalid")])
def test_address_may_stand_elsewhere(served: Served, invited: str, same: bool, landed: str) -> None:
    """
    A provider that keeps the address out of its token is asked for it; what it tells of another person is false.
    """
    subject, browser = secrets.token_hex(8), Browser()
    told = {"sub": subject if same else "another", "email": invited, "email_verified": True}
    served.says(subject, userinfo=told, claims={"email_verified": None})

    assert landed == through(browser, served)["Location"]
    assert same == Login.objects.filter(email=invited).exists()


def test_who_has_a_password_connects(served: Served, signed_in: Browser, person: Person) -> None:
    """
    Signed in by a password one connects, whatever the address there; then the provider signs in, until one
    disconnects.
    """
    subject = connected(served, signed_in, "private@elsewhere.example")
    served.says(subject, "private@elsewhere.example")
    first = through(Browser(), served)
    signed_in.fill("/me/security/", "/me/security/sso/disconnect")
    after = through(Browser(), served)

    assert "/" == first["Location"]
    assert "/login/?refused=unknown" == after["Location"]


def test_last_way_in_is_not_taken_away(served: Served, invited: str) -> None:
    """
    Who has no password cannot disconnect.
    """
    served.says(secrets.token_hex(8), invited)
    browser = Browser()
    through(browser, served)
    browser.fill("/me/security/", "/me/security/sso/disconnect")

    assert "choose a password first" in browser.text("/me/security/")
    assert Identity.objects.filter(login__email=invited).exists()


def test_second_factor_is_asked_for_unless_it_was_shown_there(
    served: Served, signed_in: Browser, person: Person
) -> None:
    """
    The app is asked for after the provider, but not when the provider says that it asked for more itself.
    """
    secret, _ = set_up_app(signed_in)
    subject = connected(served, signed_in, person.email)
    served.says(subject)
    weak, strong = Browser(), Browser()
    half = through(weak, served)
    closed = weak.get("/").status_code
    opened = second_step(weak, code=code(secret, 1))
    served.says(subject, claims={"amr": ["pwd", "mfa"]})
    straight = through(strong, served)

    assert ("/login/second/", 302) == (half["Location"], closed)
    assert ["/", "/"] == [opened["Location"], straight["Location"]]
    assert 200 == strong.get("/").status_code


def test_provider_confirms_only_when_it_asked_anew(
    served: Served, signed_in: Browser, person: Person
) -> None:
    """
    At the step-up the provider must ask again: an old sign-in there, or another person, confirms nothing.
    """
    subject = connected(served, signed_in, person.email)
    results = []
    for told in (
        {"claims": {"sub": subject, "auth_time": NOW - 3600}},
        {"claims": {"sub": "another"}},
        {"claims": {"sub": subject}},
    ):
        served.says("", **told)
        answer = through(signed_in, served, "/confirm/", purpose="confirm", next="/me/sessions/")
        results.append(answer["Location"])
    asked = served.asked()

    assert ["/me/security/", "/me/security/", "/me/sessions/"] == results
    assert ("0", "login") == (asked["max_age"], asked["prompt"])
    confirmed = [e for e in latest(person.principal.organization_id, 20) if e.type == "session.confirmed"]
    assert ["single_sign_on"] == [event.after["method"] for event in confirmed]


def test_form_may_lead_to_the_provider_alone(served: Served) -> None:
    """
    The policy of the pages with its button names its origin; that of others does not; a page of it elsewhere is
    reached by a link.
    """
    at_login = Browser().get("/login/")["Content-Security-Policy"]
    at_logout = Browser().get("/logout/")["Content-Security-Policy"]
    served.says("x", description={"authorization_endpoint": "http://localhost:1/authorize"})
    browser = Browser()
    onward = browser.fill("/login/", "/login/sso/")
    served.says("x")

    assert f"form-action 'self' {served.issuer};" in at_login
    assert served.issuer not in at_logout
    assert 200 == onward.status_code
    assert 'href="http://localhost:1/authorize?' in onward.content.decode()


def test_sign_out_tells_of_the_provider(served: Served, invited: str) -> None:
    """
    Who came through it is told that it still knows them, and gets to its page to sign out.
    """
    served.says(secrets.token_hex(8), invited)
    browser = Browser()
    through(browser, served)
    answer = browser.fill("/logout/")
    page = browser.text(answer["Location"])
    out = browser.get("/login/sso/out/")["Location"]

    assert "still signed in at Acme ID" in page
    assert out.startswith(f"{served.issuer}/end?client_id={CLIENT}&")
    assert 302 == browser.get("/").status_code


def test_without_a_provider_there_is_none(browser: Browser) -> None:
    """
    No button, and the address leads to words.
    """
    page = browser.text("/login/")
    answer = browser.fill("/login/", "/login/sso/")

    assert "/login/sso/" not in page
    assert "knows no identity provider" in browser.text(answer["Location"])
