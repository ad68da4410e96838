"""Pages as they are after an act, the first page of all, and the lists of presets: by axe, and with pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.addresses import STATES
from tests.browser.conftest import enter
from tests.browser.presets.steps import HEADING
from tests.browser.test_pages import LOOKS, WINDOW, Look
from tests.browser.visitor import Visitor, settle
from tests.conformance.server import FIELDS, Organization, Server
from tests.server_support import django_setup
from tests.support.installation import ADMIN_EMAIL, ORGANIZATION, Installation
from tests.support.requirements import requires

pytestmark = requires("chromium")
#: Pages of an organization in which nothing was made yet.
FIRST = {"home": "/", "accounts": "/accounts"}
PRESETS = tuple(each for each in FIELDS if each != "native")
#: What stands in a picture instead of a token.
SAMPLE = "rtnsa_" + "x" * 12 + "_" + "x" * 36


def test_states_after_acts_are_accessible_and_photographed(chromium: Browser, server: Server) -> None:
    """
    Axe finds nothing in the empty pages of a new organization, the hand-over, dry runs, the preview of an act on
    many and one that failed in part, the record of a request, a proof, a page that waits, one that lost its server
    and keeps what it had, what is not there, the dialog that shows a token and its warning; in both colours and
    three widths. No picture shows a real token.
    """
    django_setup.setup()
    organization = server.organization("native", by_person=True)
    with Visitor.open(chromium, server.running, None, handle=organization.handle, **WINDOW) as visitor:
        email = enter(visitor, organization, "owner")
        look = Look(visitor.page)
        for name, path in FIRST.items():
            visitor.go(path)
            look.as_it_stands(f"first-{name}")
        account = _fill(organization, email)
        _handed_over(visitor, look, account)
        _tried(visitor, look)
        _tried_key(visitor, look)
        _chosen(visitor, look)
        _partly(visitor, look)
        _recorded(visitor, look)
        _proved(visitor, look)
        _waiting(visitor, look)
        _cut_off(visitor, look)
        _failed(visitor, look)
        _shown(visitor, look, account)

    assert {} == look.found
    assert _owed(*STATES[1:-6]) == set(look.sizes)


def test_measured_revocation_is_accessible_and_photographed(
    chromium: Browser, server: Server, session: Any
) -> None:
    """
    The operator measures a revocation: the page says how long each node took, and axe finds nothing in it.
    """
    with Visitor.open(chromium, server.running, session, **WINDOW) as visitor:
        look, page = Look(visitor.page), visitor.go("/settings/nodes")
        page.get_by_role("button", name="Measure revocation").click()
        expect(page.get_by_text(" ms").first).to_be_visible()
        look.as_it_stands("revocation-measured")

    assert {} == look.found
    assert _owed("revocation-measured") == set(look.sizes)


@pytest.mark.parametrize("preset", PRESETS)
def test_list_of_each_preset_is_accessible_and_photographed(
    chromium: Browser, server: Server, preset: str
) -> None:
    """
    Axe finds nothing in the list of accounts of an organization with the preset, in both colours and three widths.
    """
    organization = server.organization(preset, by_person=preset == "wavefront")
    organization.account("etl-warehouse")
    with Visitor.open(chromium, server.running, None, handle=organization.handle, **WINDOW) as visitor:
        enter(visitor, organization)
        look = Look(visitor.page)
        look.at(f"preset-{preset}", f"/o/{organization.handle}/accounts")

    assert {} == look.found
    assert _owed(f"preset-{preset}") == set(look.sizes)


def test_set_up_page_is_accessible_and_makes_the_administrator(chromium: Browser, tmp_path: Path) -> None:
    """
    An installation without an administrator shows its set-up page, where axe finds nothing; with the code that
    `init` has written the first administrator is made there, and is signed in, at once or by the password.
    """
    installation = Installation(tmp_path / "home")
    made = ("init", "--no-input", "--no-admin", "--organization", ORGANIZATION)
    installation.cli(*made, "--token-file", str(installation.token_file), seconds=120)
    code, password = installation.token(), "violet-anchor-parade-21"
    try:
        installation.start()
        with Visitor.open(chromium, installation, None, **WINDOW) as visitor:
            look, page = Look(visitor.page), visitor.page
            look.at("setup", "/setup/")
            fields = {
                "code": code,
                "name": "Ada",
                "email": ADMIN_EMAIL,
                "password": password,
                "again": password,
            }
            for name, value in fields.items():
                page.fill(f"[name={name}]", value)
            page.get_by_role("button", name="Create the administrator").click()
            page.wait_for_url(lambda url: "setup" not in url)
            if "login" in page.url:
                page.fill("[name=login]", ADMIN_EMAIL)
                page.fill("[name=password]", password)
                page.click("button[type=submit]")
            page.wait_for_url(lambda url: "login" not in url)
            page.goto("/me/security/")  # which is for those alone who are signed in
            assert page.url.endswith("/me/security/")
    finally:
        installation.stop()

    assert {} == look.found
    assert _owed("setup") == set(look.sizes)


def _owed(*names: str) -> set[str]:
    return {f"{name}-{each}" for name in names for each in LOOKS}


def _fill(organization: Organization, owner: str) -> str:
    """Make two accounts, of one a key that was used and is rotated. Returns the id of that account."""
    account = organization.account("etl-warehouse", owners=[owner])
    organization.account("billing-sync", owners=[owner])
    key = organization.key(account, name="first")
    organization.decide(key["token"])
    organization.logged(account, least=1)
    organization.admin.post(f"/v1/keys/{key['key']['id']}/rotate", name="second", overlap="24h")
    ended = organization.key(account, name="old")
    organization.admin.post(f"/v1/keys/{ended['key']['id']}/revoke", reason="no_longer_needed")
    return str(account["id"])


def _tried_key(visitor: Visitor, look: Look) -> None:
    page = visitor.go("/policies/keys/credentials.max_usable")
    page.locator("main form input[type=number]").first.fill("1")
    page.locator("main form .button-main").first.click()
    page.wait_for_url("**/policies/change")
    look.as_it_stands("policy-dry-run")


def _partly(visitor: Visitor, look: Look) -> None:
    page = visitor.go("/credentials")
    page.get_by_label("Select all rows of this page").check()
    page.locator(".bulk button[value=expire]").click()
    page.wait_for_url("**/credentials/bulk")
    again = page.get_by_role("button", name="Retry failed")
    page.locator("[name=expires][value='7d'], [name=expires]").nth(1).check()
    for _ in range(2):  # what would happen, then it happens
        page.locator("main form:not([role]) :is(.button-main, .button-danger)").click()
        page.wait_for_load_state()
    expect(again).to_be_visible()
    look.as_it_stands("bulk-partly-done")


def _proved(visitor: Visitor, look: Look) -> None:
    page = visitor.go("/audit")
    address = page.locator("a[href*='/proof']").first.get_attribute("href")
    assert address
    page.goto(address)
    look.as_it_stands("audit-proof")


def _waiting(visitor: Visitor, look: Look) -> None:
    """The home page before its parts are there: it holds their place, and says that it waits."""
    held: list[Route] = []
    page = visitor.page
    page.route("**/findings/counts", lambda route: held.append(route))
    with page.expect_request("**/findings/counts"):
        visitor.go("/")
    expect(page.locator("[aria-busy=true] .skeleton").first).to_be_visible()
    look.as_it_stands("loading", still=False)
    held[0].continue_()
    settle(page)
    page.unroute("**/findings/counts")


def _cut_off(visitor: Visitor, look: Look) -> None:
    """A part that cannot be read: what was there stays, and the page says from when it is."""
    page = visitor.go("/accounts")
    page.route("**/do/disable?*", lambda route: route.abort())
    page.locator("a[hx-get*='/do/disable']").first.evaluate("link => link.click()")
    expect(page.locator("#failure time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d UTC$"))
    expect(page.get_by_role("link", name="billing-sync").first).to_be_visible()
    look.as_it_stands("cut-off")
    _forgive(visitor, "net::ERR_FAILED", "htmx:")


def _failed(visitor: Visitor, look: Look) -> None:
    """An address that is not there; and what is answered after too many tries, and when the server fails."""
    page = visitor.page
    answer = page.goto(f"/o/{visitor.handle}/accounts/sa_000000000000")
    assert answer
    assert answer.status == 404
    look.as_it_stands("not-found")
    for status, name in ((429, "too-many"), (500, "server-failed")):
        _answer(page, status)
        page.goto(f"/o/{visitor.handle}/fails")
        look.as_it_stands(name)
        page.unroute("**/fails")
    _forgive(visitor, "status of 500")


def _answer(page: Page, status: int) -> None:
    """Have an address answered with the page of a status that no test can bring about by itself."""
    body = render_to_string(f"{status}.html", request=RequestFactory().get("/"))
    page.route("**/fails", lambda route: route.fulfill(status=status, content_type="text/html", body=body))


def _forgive(visitor: Visitor, *what: str) -> None:
    """A browser tells of an answer that a test has spoilt: that, and only that, is no fault of the page."""
    told = [each for each in visitor.wrong if any(part in each for part in what)]
    assert told
    visitor.wrong = [each for each in visitor.wrong if each not in told]


def _handed_over(visitor: Visitor, look: Look, account: str) -> None:
    page = visitor.go(f"/accounts/{account}/keys")
    expect(page.get_by_role("heading", name="Hand-over from first to second")).to_be_visible()
    look.as_it_stands("hand-over")


def _tried(visitor: Visitor, look: Look) -> None:
    page = visitor.go("/policies")
    page.get_by_label("Preset", exact=True).select_option("whaly")
    page.get_by_role("button", name="Try").first.click()
    page.wait_for_url("**/policies/change")
    look.as_it_stands("preset-dry-run")


def _chosen(visitor: Visitor, look: Look) -> None:
    page = visitor.go("/accounts")
    page.get_by_label("Select all rows of this page").check()
    page.locator(".bulk button[value=disable]").click()
    page.wait_for_url("**/accounts/bulk")
    look.as_it_stands("bulk-preview")


def _recorded(visitor: Visitor, look: Look) -> None:
    page = visitor.go("/requests?account=etl-warehouse")
    page.get_by_role("button", name="The whole record").first.click()
    expect(page.locator(".drawer:popover-open")).to_be_visible()
    look.as_it_stands("request-drawer")


def _shown(visitor: Visitor, look: Look, account: str) -> None:
    page = visitor.go(f"/accounts/{account}/keys")
    page.get_by_role("link", name="Issue API key").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Issue API key").click()
    expect(page.get_by_role("heading", name=HEADING)).to_be_focused()
    token = _mask(page)
    assert token not in page.locator("body").inner_text()
    look.as_it_stands("secret-reveal")
    page.keyboard.press("Escape")
    expect(page.get_by_text("You have not saved the token")).to_be_visible()
    look.as_it_stands("unsaved")
    page.locator("[data-back]").click()
    page.get_by_label("I have stored it").check()
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")


def _mask(page: Page) -> str:
    """Put a sample in the token's place; return the token."""
    field = page.get_by_label("New token, shown once")
    token = field.input_value()
    field.evaluate("(field, sample) => { field.value = sample; }", SAMPLE)
    expect(field).to_have_value(SAMPLE)
    return token
