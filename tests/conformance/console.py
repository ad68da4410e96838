"""The sign-in page, as far as these tests need it: does it let somebody in?"""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

from tests.conformance.server import Server

_FORM = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def signs_in(server: Server, login: str, password: str) -> bool:
    """Fill in the sign-in form as a browser does; tell whether a session was opened."""
    cookies = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))
    address = f"{server.running.url}/login/"
    with browser.open(address, timeout=15) as page:
        found = _FORM.search(page.read().decode())
    assert found is not None
    fields = {"csrfmiddlewaretoken": found[1], "login": login, "password": password}
    data = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(address, data, {"Referer": address, "Origin": server.running.url})
    with browser.open(request, timeout=15) as page:
        page.read()
    return any(cookie.name == "retinue-session" and cookie.value for cookie in cookies)
