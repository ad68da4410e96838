"""A browser as far as the console needs one: cookies, the form's token, and what it says of itself."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

HOST = "127.0.0.1"
#: Where browsers are; each test has a network of its own.
HERE = ["127.0.0.1"]
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Browser:
    """Opens pages and sends forms. CSRF is checked, as it is for everybody."""

    def __init__(self, host: str = HOST, address: str | None = None) -> None:
        self.client = Client(
            enforce_csrf_checks=True, raise_request_exception=False, REMOTE_ADDR=address or HERE[0]
        )
        self.host = host

    def get(self, path: str, **headers: str) -> Any:
        """Open a page; redirects are not followed."""
        return self.client.get(path, headers={"host": self.host, **headers})

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Any:
        """Send a form exactly as given."""
        return self.client.post(path, fields or {}, headers={"host": self.host, **headers})

    def text(self, path: str) -> str:
        """Return the page at a path, which must be there, with its white space folded."""
        page = self.get(path)
        assert page.status_code == 200, (path, page.status_code)
        return " ".join(page.content.decode().split())

    def fill(self, path: str, to: str = "", **fields: str | list[str]) -> Any:
        """Open the page at ``path`` and send a form of it, to itself or ``to`` another address."""
        token = self.form_token(path)
        return self.client.post(
            to or path, {"csrfmiddlewaretoken": token, **fields}, headers={"host": self.host}
        )

    def form_token(self, path: str = "/login/") -> str:
        """Return the CSRF token of the form on a page."""
        return token_on(self.get(path))

    def sign_in(self, email: str, password: str, **fields: str) -> Any:
        """Fill in the sign-in form and send it."""
        token = self.form_token()
        return self.post(
            "/login/", {"csrfmiddlewaretoken": token, "login": email, "password": password, **fields}
        )

    @property
    def session(self) -> str | None:
        """The key of the session that the browser holds."""
        cookie = self.client.cookies.get(settings.SESSION_COOKIE_NAME)
        return cookie.value if cookie is not None and cookie.value else None


def token_on(page: HttpResponse) -> str:
    """Return the CSRF token of a form on a page."""
    found = _TOKEN.search(page.content.decode())
    assert found is not None
    return found[1]


def without_token(page: HttpResponse) -> str:
    """Return a page without what differs from request to request."""
    return _TOKEN.sub("", page.content.decode())
