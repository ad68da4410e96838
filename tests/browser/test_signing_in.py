"""Signing in in a real browser: a passkey of a real authenticator, an app, recovery codes; its pages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.test_pages import COLOURS, PLACES, STANDARDS
from tests.browser.visitor import Visitor
from tests.support.installation import Installation, http
from tests.support.requirements import requires

pytestmark = requires("chromium")
LOOKS: tuple[tuple[Literal["light", "dark"], int, dict[str, Any]], ...] = (
    ("light", 320, PLACES),
    ("dark", 1400, COLOURS),
    ("light", 1400, STANDARDS),
)
PASSWORD = "correct horse battery staple 7"


@pytest.fixture
def newcomer(chromium: Any, retinue: Installation) -> Iterator[tuple[Visitor, str]]:
    """A person who has just chosen a password, under a name, with an authenticator; and the address."""
    email = f"ada-{secrets.token_hex(4)}@acme.example"
    body = {"email": email, "name": "Ada Lovelace", "roles": ["owner"], "justification": "a test"}
    made = http("POST", f"{retinue.url}/v1/invitations", token=retinue.token(), body=body)
    assert made.status == 201
    with Visitor.open(chromium, retinue, None, url=f"http://localhost:{retinue.port}") as visitor:
        page = visitor.page
        _authenticator(page)
        page.goto("/invitation/")
        page.get_by_label("Invitation").fill(made.json()["token"])
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password once more").fill(PASSWORD)
        page.get_by_role("button", name="Choose the password").click()
        page.wait_for_url("**/")
        yield visitor, email


def _authenticator(page: Page) -> None:
    """Give the browser a device that makes passkeys and always says yes."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
    }
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {**device, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )


def _code(secret: str, step: int = 0) -> str:
    """Return a one-time code (RFC 6238), computed without the server's library."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + step), hashlib.sha1)
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def _sign_out(page: Page) -> None:
    page.get_by_role("button", name="Your menu").first.click()
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def _password(page: Page, email: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _wrong(page: Page, rules: dict[str, Any]) -> Any:
    found = Axe().run(page, options=rules).response["violations"]
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] + [width] * bool(width)


def test_passkey(newcomer: tuple[Visitor, str]) -> None:
    """
    A passkey is made and named, brings recovery codes that are kept before the page is left, signs in without
    password, and is the second step after it; by keyboard alone.
    """
    visitor, email = newcomer
    page = visitor.page
    page.goto("/me/security/passkeys/new/")
    page.get_by_label("Name").fill("Laptop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keep these recovery codes.")).to_be_focused()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Save the codes first")).to_be_visible()
    page.get_by_label("I have stored them").check()
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("Laptop").first).to_be_visible()
    expect(page.get_by_text("Signs you in without a password.")).to_be_visible()

    _sign_out(page)
    page.get_by_role("button", name="Use a passkey").press("Enter")
    page.wait_for_url("**/")
    expect(page.get_by_text(email).first).to_be_visible()

    _sign_out(page)
    _password(page, email)
    page.get_by_role("button", name="Use a passkey").press("Enter")
    page.wait_for_url(f"{visitor.url}/")


def test_app(newcomer: tuple[Visitor, str]) -> None:
    """
    An app is set up with the secret that stands beside the QR code; its codes, computed apart, sign in, and a
    wrong one does not.
    """
    visitor, email = newcomer
    page = visitor.page
    page.goto("/me/security/")
    page.get_by_role("link", name="Set up an app").click()
    secret = page.get_by_label("Or enter this secret there").input_value().replace(" ", "")
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    page.get_by_label("Code that the app shows now").fill(_code(secret))
    page.get_by_role("button", name="Set up the app").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    codes = saved.value.path().read_text().split("\n")
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("10 left")).to_be_visible()

    _sign_out(page)
    _password(page, email)
    page.get_by_label("Code of your authenticator app").fill("000000")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong, or was used already")
    page.get_by_label("Code of your authenticator app").fill(_code(secret, 1))
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{visitor.url}/")

    _sign_out(page)
    _password(page, email)
    page.get_by_label("Code of your authenticator app").fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    page.goto("/me/security/")
    expect(page.get_by_text("9 left")).to_be_visible()


def test_identity_provider(chromium: Any, retinue: Installation, identity_provider: str) -> None:
    """
    The button leads to the provider and back under the page's policy, and opens the session of who was invited.
    """
    email = f"grace-{secrets.token_hex(4)}@acme.example"
    body = {"email": email, "name": "Grace", "roles": ["owner"], "justification": "a test"}
    assert 201 == http("POST", f"{retinue.url}/v1/users", token=retinue.token(), body=body).status
    says = {"claims": {"sub": secrets.token_hex(8), "email": email}}
    http("POST", f"{identity_provider}/next", body=says)
    with Visitor.open(chromium, retinue, None) as visitor:
        page = visitor.page
        page.goto("/login/")
        page.get_by_role("button", name="Sign in with 127.0.0.1").press("Enter")
        page.wait_for_url(f"{retinue.url}/")
        expect(page.get_by_text(email).first).to_be_visible()
        left = [each for each in visitor.wrong if each.startswith("a request left the host")]
        assert {identity_provider} == {each.split(": ")[1].partition("/authorize")[0] for each in left}
        visitor.wrong[:] = [each for each in visitor.wrong if each not in left]


def test_pages_are_accessible(newcomer: tuple[Visitor, str]) -> None:
    """
    Every page of signing in keeps axe's rules and its width, with something on it: wide, dark, and narrow.
    """
    visitor, email = newcomer
    page = visitor.page
    found: dict[str, Any] = {}

    def look(name: str) -> None:
        for colours, width, rules in LOOKS:
            page.emulate_media(color_scheme=colours, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900})
            found[f"{name} {colours} {width}"] = _wrong(page, rules)
            visitor.picture(f"{name}-{colours}-{width}")

    page.goto("/me/security/passkeys/new/")
    look("passkey")
    page.get_by_label("Name").fill("A key with quite a long name, as people give them")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keep these recovery codes.")).to_be_focused()
    look("codes")
    page.get_by_label("I have stored them").check()
    page.get_by_role("link", name="Done").click()
    page.goto("/me/security/app/")
    look("app")
    secret = page.get_by_label("Or enter this secret there").input_value().replace(" ", "")
    page.get_by_label("Code that the app shows now").fill(_code(secret))
    page.get_by_role("button", name="Set up the app").click()
    for name in ("security/", "security/password/", "sessions/"):
        page.goto(f"/me/{name}")
        look(name.replace("/", "-"))
    visitor.go("/settings/users?search=admin").get_by_role("rowheader").get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Reset sign-in")).to_be_visible()
    look("user")
    page.goto("/confirm/?next=/")
    look("confirm")
    page.goto("/logout/")
    page.get_by_role("button", name="Sign out").click()
    look("login")
    _password(page, email)
    look("second")

    assert {} == {name: wrong for name, wrong in found.items() if wrong}
