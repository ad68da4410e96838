"""Pages of the console, as far as these tests need them: sign-in, and what somebody who is signed in sees."""

from __future__ import annotations

import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from html import unescape
from http.cookiejar import CookieJar

from tests.conformance.server import Organization, Server

_FORM = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def signs_in(server: Server, login: str, password: str) -> bool:
    """Fill in the sign-in form as a browser does; tell whether a session was opened."""
    cookies = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    address = f"{server.running.url}/login/"
    with browser.open(address, timeout=60) as page:
        found = _FORM.search(page.read().decode())
    assert found is not None
    fields = {"csrfmiddlewaretoken": found[1], "login": login, "password": password}
    data = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(address, data, {"Referer": address, "Origin": server.running.url})
    with browser.open(request, timeout=60) as page:
        page.read()
    return any(cookie.name == "retinue-session" and cookie.value for cookie in cookies)


class Visitor:
    """A person of an organization who is signed in, with the role that may do most there."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self._url = organization.server.running.url
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        roles = organization.admin.get("/v1/roles", limit=100)["items"]
        most = max(roles, key=lambda role: len(role["permissions"]))
        email = f"vera-{secrets.token_hex(4)}@{organization.handle}.example"
        invited = organization.admin.post(
            "/v1/invitations",
            email=email,
            name="Vera Visitor",
            roles=[most["handle"]],
            justification="needed",
        )
        password = secrets.token_urlsafe(24)
        fields = {"code": invited["token"], "password": password, "again": password}
        home = self._send("/invitation/", "/invitation/", fields)
        assert f"/o/{organization.handle}/" in home

    def see(self, place: str = "") -> str:
        """Return a page of the organization, as text with its white space folded."""
        return self._text(f"/o/{self.organization.handle}{place}")

    def fill(self, place: str, to: str = "", **fields: str) -> str:
        """Send a form of the page at ``place``, to itself or ``to`` another; returns the page that follows."""
        base = f"/o/{self.organization.handle}"
        return self._send(f"{base}{place}", f"{base}{to or place}", fields)

    def _text(self, path: str) -> str:
        with self._browser.open(f"{self._url}{path}", timeout=60) as page:
            return " ".join(unescape(page.read().decode()).split())

    def _send(self, at: str, to: str, fields: dict[str, str]) -> str:
        found = _FORM.search(self._text(at))
        assert found is not None
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        headers = {"Referer": f"{self._url}{at}", "Origin": self._url}
        request = urllib.request.Request(f"{self._url}{to}", data, headers)
        try:
            with self._browser.open(request, timeout=60) as page:
                return " ".join(unescape(page.read().decode()).split())
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{to}: {refused.code} {refused.read().decode()[-2000:]}") from refused
