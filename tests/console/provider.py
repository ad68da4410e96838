"""The identity provider of the tests of single sign-on, as a process."""

from __future__ import annotations

import json
import secrets
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from retinue.server.console import federation
from retinue.server.directory.queries import Identity
from retinue.server.provider import Provider
from tests.console.browser import Browser

ROOT = Path(__file__).parents[2]


@dataclass
class Served:
    """The provider's process."""

    issuer: str

    def says(self, subject: str, email: str = "", **more: Any) -> None:
        """Have it sign this person in next, and answer so."""
        claims = {"sub": subject, "email": email or None, **more.pop("claims", {})}
        body = json.dumps({"claims": claims, **more}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.issuer}/next", body), timeout=60).close()

    def asked(self) -> dict[str, str]:
        """Return with what it was asked last."""
        with urllib.request.urlopen(f"{self.issuer}/asked", timeout=60) as answer:
            found: dict[str, str] = json.loads(answer.read())
            return found

    def visit(self, url: str) -> str:
        """Open its page as a browser does; returns the path that it leads back to."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                return None

        try:
            urllib.request.build_opener(Stay).open(url, timeout=60)
        except urllib.error.HTTPError as error:
            back = urlsplit(error.headers["Location"])
            return f"{back.path}?{back.query}"
        raise AssertionError("it did not lead back")


def install(monkeypatch: pytest.MonkeyPatch, known: Provider) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, provider=known))
    monkeypatch.setattr(federation, "_known", {})
    monkeypatch.setattr(federation, "_failed", {})


def begin(browser: Browser, page: str = "/login/", **fields: str) -> str:
    answer = browser.fill(page, "/login/sso/", **fields)
    assert answer.status_code == 302, answer.status_code
    return str(answer["Location"])


def through(browser: Browser, served: Served, page: str = "/login/", **fields: str) -> Any:
    return browser.get(served.visit(begin(browser, page, **fields)))


def connected(served: Served, browser: Browser, email: str) -> str:
    """Connect who is signed in to a person of the provider; returns that person's name there."""
    subject = secrets.token_hex(8)
    served.says(subject, email)
    answer = through(browser, served, "/me/security/", purpose="connect")
    assert answer["Location"] == "/me/security/"
    assert Identity.objects.filter(subject=subject).exists()
    return subject
