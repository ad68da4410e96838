"""Cookies on loopback, and where the installation has names: ``__Host-`` and Secure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.console.browser import Browser
from tests.console.people import Person

_ELSEWHERE = Path(__file__).with_name("signin_elsewhere.py")


def test_cookies_on_loopback(browser: Browser, person: Person) -> None:
    """
    On loopback there is no TLS, so cookies carry no prefix; scripts and other sites never get them.
    """
    browser.sign_in(person.email, person.password)
    found = {
        name: (cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"])
        for name, cookie in browser.client.cookies.items()
    }
    expected = ("", True, "Lax", "/", "")

    assert {"retinue-session": expected, "retinue-csrf": expected} == found


def test_session_cookie_ends_with_the_browser(signed_in: Browser) -> None:
    """
    The session cookie has no lifetime of its own: it goes when the browser closes.
    """
    cookie = signed_in.client.cookies["retinue-session"]

    assert ("", "") == (cookie["expires"], cookie["max-age"])


def test_stranger_gets_no_session(browser: Browser, person: Person) -> None:
    """
    Looking at the sign-in page and failing there opens no session.
    """
    browser.sign_in(person.email, "wrong")

    assert {"retinue-csrf"} == set(browser.client.cookies)


def _elsewhere(tmp_path: Path, **environment: str) -> dict[str, Any]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        [sys.executable, str(_ELSEWHERE)],
        env={**kept, "RETINUE_HOME": str(tmp_path / "home"), **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_cookies_where_the_installation_has_a_name(tmp_path: Path, scheme: str) -> None:
    """
    With RETINUE_HOSTS cookies are __Host- and Secure, with HSTS, also behind a proxy that ends TLS.
    """
    found = _elsewhere(tmp_path, RETINUE_HOSTS="retinue.example", TEST_SCHEME=scheme)
    expected = [True, True, "Lax", "/", ""]

    assert 302 == found["status"]
    assert {"__Host-retinue-session": expected, "__Host-retinue-csrf": expected} == found["cookies"]
    assert "max-age=31536000" == found["transport"]
    assert not found["warned"]


def test_plain_http_is_explicit_and_said(tmp_path: Path) -> None:
    """
    Without TLS cookies lose prefix and Secure only by a setting, and the sign-in page warns.
    """
    found = _elsewhere(tmp_path, RETINUE_HOSTS="retinue.example", RETINUE_PLAIN_HTTP="1", TEST_SCHEME="http")

    assert 302 == found["status"]
    assert {"retinue-session", "retinue-csrf"} == set(found["cookies"])
    assert found["transport"] is None
    assert found["warned"]
