"""A person with a browser. What a page must never do is noted all the time, and told at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from tests.support.installation import ADMIN_EMAIL, ORGANIZATION, Installation, http
from tests.support.processes import wait_for

#: Until then a page may do what it is waited for. It ends a test that hangs, and promises nothing about the product.
LIMIT_MS = 60_000

#: A page tells here what its policy has stopped; the listener stands before any script of the page.
_LISTEN = """
document.addEventListener("securitypolicyviolation",
    (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
#: Scripts come after what is seen: until they are there, a key does nothing, and a link leads to a page of its own.
_LOADED = "addEventListener('load', () => document.documentElement.setAttribute('data-loaded', ''))"
_MOVING = "Boolean(document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling'))"


class Visitor:
    """One window, and what went wrong in it."""

    def __init__(self, page: Page, retinue: Installation, url: str = "", handle: str = ORGANIZATION) -> None:
        self.page = page
        self.retinue = retinue
        self.url = url or retinue.url
        self.handle = handle
        self.wrong: list[str] = []
        page.context.add_init_script(_LISTEN)
        page.context.add_init_script(_LOADED)
        page.on("console", lambda said: self._note(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._note(f"script: {error}"))
        page.on("request", lambda request: self._watch(request.url))

    @classmethod
    @contextmanager
    def open(
        cls,
        browser: Browser,
        retinue: Installation,
        state: Any,
        *,
        url: str = "",
        handle: str = ORGANIZATION,
        **options: Any,
    ) -> Iterator[Visitor]:
        """Open a window with what a browser kept, perhaps under another name of the installation.

        ``handle`` is the organization whose pages it shows. At its end nothing may have gone wrong.
        """
        context = browser.new_context(base_url=url or retinue.url, storage_state=state, **options)
        context.set_default_timeout(LIMIT_MS)
        found = cls(context.new_page(), retinue, url, handle)
        if options.get("java_script_enabled", True):
            wait_for_scripts(found.page)
        try:
            yield found
            found.is_well()
        finally:
            context.close()

    def go(self, path: str = "") -> Page:
        """Open a page of the organization."""
        self.page.goto(f"/o/{self.handle}{path}")
        return self.page

    def beside(self) -> Page:
        """Open another window of the same person."""
        page = self.page.context.new_page()
        wait_for_scripts(page)
        return page

    def verdict(self, token: str) -> str | None:
        """Return why the node denies a token; ``None`` if it accepts it."""
        answer = http("POST", f"{self.retinue.node_url}/v1/verify", body={"token": token}).json()
        reason: str | None = answer.get("reason")
        return reason

    def accepted(self, *tokens: str) -> None:
        """Wait until the node accepts each token: what is given is not waited for as long as what is taken away."""
        wait_for("the node accepts all", lambda: not any(map(self.verdict, tokens)), every=0.05)

    def is_well(self) -> None:
        """Assert that nothing has gone wrong so far."""
        assert not self.wrong, self.wrong

    def picture(self, name: str) -> None:
        """Take a picture of the whole page, where RETINUE_PICTURES names a folder for them."""
        if folder := os.environ.get("RETINUE_PICTURES"):
            self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)

    def _note(self, what: str) -> None:
        # A form that is refused comes back with a status that says so; browsers report it as an error.
        if "the server responded with a status of 4" not in what:
            self.wrong.append(what)

    def _watch(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" != self.url:
            self.wrong.append(f"a request left the host: {url}")


def wait_for_scripts(page: Page) -> None:
    """Have everything that is done or looked for in a window wait until the scripts of its page are there."""
    page.add_locator_handler(page.locator("html:not([data-loaded])"), lambda: None)


def settle(page: Page) -> None:
    """Wait until the parts of a page that come after it are there.

    Asked again and again from outside: the page's policy lets nobody evaluate a condition in it for long.
    """
    page.wait_for_load_state()  # by then it has asked for them
    page.wait_for_timeout(60)  # and for what an act of the test has made it ask for
    wait_for("the page is still", lambda: not page.evaluate(_MOVING), every=0.03)


def sign_in(page: Page, retinue: Installation, url: str = "") -> None:
    """Sign the administrator in, perhaps under another name of the installation."""
    page.goto(f"{url or retinue.url}/login/")
    page.fill("[name=login]", ADMIN_EMAIL)
    page.fill("[name=password]", retinue.password_file.read_text().strip())
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "login" not in url)
