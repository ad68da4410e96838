"""INV1: a service account has no password, no browser cookie and no interactive login."""

from __future__ import annotations

import secrets

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache

from retinue.server.directory import actions as directory
from retinue.server.directory.models import Login
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.invariants.ground import Ground, done

_PAGES = ("/", "/login/", "/setup")


@pytest.fixture(autouse=True)
def cheap_signin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 as everywhere, but small; and nobody is paused for the attempts of another test."""
    for name, cost in {"time_cost": 1, "memory_cost": 64, "parallelism": 1}.items():
        monkeypatch.setattr(Argon2PasswordHasher, name, cost)
    cache.clear()


def _browser() -> Browser:
    return Browser(address=f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1")


def test_inv1_nobody_gives_a_service_account_a_password(ground: Ground) -> None:
    """
    A password is refused for a service account, whoever asks; a user can have one.
    """
    account, (user, _) = ground.world.account(), ground.world.user()
    with transaction(SYSTEM, reason="test") as tx:
        directory.set_password(tx, user, "a-long-throwaway-password")
        tx.record("user.created", user.id, name=user.handle, organization=user.organization_id)
    with pytest.raises(Refused) as refused, transaction(SYSTEM, reason="test") as tx:
        directory.set_password(tx, account, "a-long-throwaway-password")

    assert "forbidden_for_service" == refused.value.code
    assert [user.id] == list(
        Login.objects.filter(principal__organization=account.organization_id).values_list(
            "principal", flat=True
        )
    )


def test_inv1_a_login_that_is_there_opens_no_session(ground: Ground) -> None:
    """
    Even with a row that gives it a password, written past every rule, a service account does not sign in;
    the same row of a user does.
    """
    account, (user, _) = ground.world.account(), ground.world.user()
    opened = {}
    for who in (account, user):
        email, password = f"{secrets.token_hex(4)}@x.example", secrets.token_urlsafe(18)
        login = Login(principal=who, email=email)
        login.set_password(password)
        login.save()
        browser = _browser()
        browser.sign_in(email, password)
        opened[who.kind] = browser.session is not None

    assert {Principal.SERVICE_ACCOUNT: False, Principal.USER: True} == opened


def test_inv1_a_token_is_no_password_and_no_cookie(ground: Ground) -> None:
    """
    No page of the console takes a token of a service account: not as a password, a cookie or a header.
    """
    account = ground.world.account(roles=("administrator",))
    token = ground.world.key(account)[1].reveal()
    browser = _browser()
    for name in (account.handle, account.id, "owner@x.example"):
        browser.sign_in(name, token)
    as_cookie = _browser()
    for name in ("retinue-session", "sessionid", "__Host-retinue-session"):
        as_cookie.client.cookies[name] = token
    as_header = [_browser().get(page, authorization=f"Bearer {token}") for page in _PAGES]

    assert browser.session is None
    assert 302 == as_cookie.get("/").status_code
    assert {302, 200} >= {page.status_code for page in as_header}
    assert 302 == as_header[0].status_code
    assert "/login/" in as_header[0]["location"]


def test_inv1_the_api_sets_no_cookie(ground: Ground) -> None:
    """
    The answers to a service account set no cookie, so that no browser can go on with its authority.
    """
    caller = ground.caller("service_account:read", "credential:read", "user:create")
    answers = [
        caller.get("/v1/me"),
        caller.get("/v1/service-accounts"),
        caller.post("/v1/users", {"email": "a@b.example", "name": "A"}),
        caller.get("/v1/nodes"),
    ]

    assert [200, 200, 201, 403] == [each.status for each in answers]
    assert [] == [each.headers for each in answers if "set-cookie" in each.headers]


def test_inv1_a_session_is_no_credential_of_the_api(ground: Ground) -> None:
    """
    A browser session of a person opens nothing in the API: what a page can do, a foreign page cannot make it do.
    """
    user, _ = ground.world.user()
    with transaction(SYSTEM, reason="test") as tx:
        directory.set_password(tx, user, "a-long-throwaway-password")
        tx.record("user.created", user.id, name=user.handle, organization=user.organization_id)
    browser = _browser()
    browser.sign_in(user.email, "a-long-throwaway-password")

    assert browser.session is not None
    assert 401 == browser.get("/v1/me").status_code
    assert done(ground.owner.get("/v1/me"))
