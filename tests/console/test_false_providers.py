"""Answers of an identity provider that are false, or somebody else's: none opens anything."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from retinue.network import networks
from retinue.server import egress
from retinue.server.console import federation
from retinue.server.directory.queries import Identity, Login
from retinue.server.provider import Provider
from tests.console.browser import Browser, without_token
from tests.console.people import Person, disable
from tests.console.provider import Served, begin, connected, install, through
from tests.support.identity_provider import CLIENT

NOW = int(time.time())
FALSE: dict[str, dict[str, Any]] = {
    "nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "audience": {"claims": {"aud": "another"}},
    "audience, ours presents it": {"claims": {"aud": "another", "azp": CLIENT}},
    "no audience": {"claims": {"aud": None}},
    "issuer": {"claims": {"iss": "https://evil.example"}},
    "no issuer": {"claims": {"iss": None}},
    "expired": {"claims": {"exp": NOW - 3600, "iat": NOW - 7200}},
    "no end": {"claims": {"exp": None}},
    "from the future": {"claims": {"iat": NOW + 72_000, "nbf": NOW + 72_000}},
    "alg none": {"wrong": "alg_none"},
    "alg HS256 with the public key": {"wrong": "alg_hs256"},
    "key": {"wrong": "key"},
    "no ID token": {"wrong": "no_id_token"},
    "subject is a list": {"claims": {"sub": ["x"]}},
    "no subject": {"claims": {"sub": None}},
    "response of another issuer": {"back": {"iss": "https://evil.example"}},
    "error": {"back": {"error": "access_denied"}},
    "code": {"back": {"code": "another"}},
    "state": {"back": {"state": "another"}},
}


@pytest.mark.one_database
@pytest.mark.parametrize("false", FALSE)
def test_false_answer_opens_nothing(served: Served, invited: str, person: Person, false: str) -> None:
    """
    Each is refused with words, nobody is signed in or connected, and it is in the audit log or counted.
    """
    subject, browser = secrets.token_hex(8), Browser()
    told = FALSE[false]
    served.says(subject, invited, **{**told, "claims": dict(told.get("claims", {}))})
    answer = through(browser, served)

    assert answer["Location"].startswith("/login/?refused=")
    assert 'role="alert"' in without_token(browser.get(answer["Location"]))
    assert 302 == browser.get("/").status_code
    assert not Login.objects.filter(email=invited).exists()


@pytest.mark.one_database
@pytest.mark.parametrize("page", ["elsewhere", "long", "packed", "nowhere"])
def test_what_is_read_of_a_provider_is_bounded(served: Served, invited: str, page: str) -> None:
    """
    A redirect is not followed, more than a MiB not read, nor what unpacks to more, and a page that is not there is
    no key.
    """
    served.says("x", description={"jwks_uri": f"{served.issuer}/{page}"})
    browser = Browser()
    url = begin(browser)
    served.says(secrets.token_hex(8), invited)
    answer = browser.get(served.visit(url))

    assert "/login/?refused=down" == answer["Location"]
    assert 302 == browser.get("/").status_code


def test_a_provider_leads_nowhere_inside(
    served: Served, invited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Keys that its description names on another host of a network that is not public are not asked for, unless the
    operator allows that network.
    """
    asked: list[str] = []
    resolved = egress.resolved

    def noted(host: str, port: int, allowed: Any, *, is_plain: bool) -> str:
        asked.append(host)
        return resolved(host, port, allowed, is_plain=is_plain)

    monkeypatch.setattr(egress, "resolved", noted)
    elsewhere = served.issuer.replace("127.0.0.1", "localhost")
    for allowed, ends in (((), "/login/?refused=down"), (networks("127.0.0.0/8,::1/128"), "/")):
        monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, egress_allow=allowed))
        monkeypatch.setattr(federation, "_known", {})
        served.says("x", description={"jwks_uri": f"{elsewhere}/keys"})
        browser = Browser()
        url = begin(browser)
        served.says(secrets.token_hex(8), invited)

        assert ends == browser.get(served.visit(url))["Location"]
    assert ["localhost"] == asked


def test_answer_works_once_and_in_its_browser(served: Served, invited: str) -> None:
    """
    The address that leads back is worth nothing in another browser, without state, or a second time.
    """
    served.says(secrets.token_hex(8), invited)
    browser, thief = Browser(), Browser()
    back = served.visit(begin(browser))
    stolen = thief.get(back)
    bare = browser.get(back.replace("state=", "x="))
    right = browser.get(back)
    browser.fill("/logout/")
    again = browser.get(back)

    assert "/login/?refused=state" == stolen["Location"] == bare["Location"] == again["Location"]
    assert "/" == right["Location"]


def test_session_key_changes(served: Served, invited: str) -> None:
    """
    The key with which the provider was visited is not that of the session.
    """
    served.says(secrets.token_hex(8), invited)
    browser, thief = Browser(), Browser()
    back = served.visit(begin(browser))
    before = browser.session
    browser.get(back)
    thief.client.cookies[settings.SESSION_COOKIE_NAME] = str(before)

    assert before != browser.session
    assert 302 == thief.get("/").status_code


@pytest.mark.one_database
@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", r"/\evil.example"])
def test_it_leads_nowhere_else(served: Served, invited: str, target: str) -> None:
    """
    After the provider, too, one gets to a page of this server alone.
    """
    served.says(secrets.token_hex(8), invited)

    assert "/" == through(Browser(), served, next=target)["Location"]


def test_disabled_person_is_refused(served: Served, signed_in: Browser, person: Person) -> None:
    """
    The provider does not know that somebody was disabled here.
    """
    served.says(connected(served, signed_in, person.email))
    disable(person)
    browser = Browser()
    answer = through(browser, served)

    assert "/login/?refused=disabled" == answer["Location"]
    assert 302 == browser.get("/").status_code


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("description", "word"),
    [
        (None, "does not answer"),
        ({"issuer": "https://evil.example"}, "cannot be trusted"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "cannot be trusted"),
        ({"authorization_endpoint": None}, "does not answer"),
    ],
)
def test_provider_that_is_away_or_false(
    served: Served, monkeypatch: pytest.MonkeyPatch, description: dict[str, Any] | None, word: str
) -> None:
    """
    Where it does not answer, calls itself by another name or signs with nothing, the page says so, and the
    password still works.
    """
    if description is None:
        install(monkeypatch, Provider("http://127.0.0.1:9", CLIENT, None, "Acme ID", (), None))
    served.says("x", description=description or {})
    browser = Browser()
    answer = browser.fill("/login/", "/login/sso/")
    served.says("x")

    assert word in without_token(browser.get(answer["Location"]))


def test_person_of_the_provider_is_one_here(served: Served, signed_in: Browser, person: Person) -> None:
    """
    Who is connected already cannot be taken by a second user, and nobody connects with a session that is not
    theirs.
    """
    from tests.console.people import colleague

    subject = connected(served, signed_in, person.email)
    other = colleague(person, "grace")
    browser = Browser()
    browser.sign_in(other.email, other.password)
    served.says(subject, other.email)
    answer = through(browser, served, "/me/security/", purpose="connect")

    assert "signs in as somebody else here" in browser.text(answer["Location"])
    assert person.email == Identity.objects.get(subject=subject).login.email
