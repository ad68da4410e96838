"""Every page: accessible by axe's rules, in both colours, wide and narrow, whole, and with a picture of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from tests.browser.addresses import BEFORE, FORBIDDEN, OPERATOR, PAGES, STATES, known, pictures
from tests.browser.conftest import enter
from tests.browser.pictures import FOLDER, Camera, parts, stale
from tests.browser.stage import JOBS, Stage
from tests.browser.visitor import Visitor, settle
from tests.conformance.server import Server
from tests.server_support import django_setup
from tests.support.requirements import requires

pytestmark = requires("chromium")
STANDARDS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
#: In the dark only the colours are others; in a narrow window everything else may be, and is not where it was.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
PLACES = STANDARDS | {"rules": {"color-contrast": {"enabled": False}}}
WIDE, LAPTOP, PHONE, NARROW = (1400, 900), (1280, 800), (390, 844), (320, 844)
#: Rules and what they forbid: without what passes, which would take longer to hand over than to find.
_RUN = """(rules) => axe.run({ ...rules, resultTypes: ["violations"] }).then((found) =>
    found.violations.map((each) => `${each.id}: ${each.nodes[0].html.slice(0, 160)}`))"""
#: A grid of permissions is the exception: it has two directions, its first column stays, and arrow keys scroll it.
#: What is done with a row and lies outside of the frame that its table scrolls in, and choices whose words are cut.
_HIDDEN = """() => {
    const out = [];
    for (const frame of document.querySelectorAll(".table-frame:not(:has(.grid))")) {
        const edge = frame.getBoundingClientRect();
        for (const each of frame.querySelectorAll("a, button, input, select, summary")) {
            const { width, left, right } = each.getBoundingClientRect();
            if (width && !each.closest("[popover]") && (right > edge.right + 1 || left < edge.left - 1))
                out.push(`outside of its frame: ${each.outerHTML.slice(0, 160)}`);
        }
    }
    for (const each of document.querySelectorAll(".choice"))
        if (each.scrollWidth > each.clientWidth + 1) out.push(`cut off: ${each.textContent.trim()}`);
    return out;
}"""
#: Pages with a table, by which words are the widest; and the language with longer ones.
TABLED = (
    "accounts", "credentials", "requests", "ingest-tokens", "review", "users", "account-keys", "account-requests",
    "account-rotate-all", "key-rotate",
)  # fmt: skip
_SCROLLED = (
    "(() => { const it = document.querySelector('.table-frame'); return it.scrollWidth - it.clientWidth; })()"
)
#: So many pages may differ from their pictures before those are to be taken anew.
MOST_STALE = 12
LOOKS = ("light", "dark", "phone", "phone-dark")
#: All pictures together, so that a checkout stays small.
MOST_BYTES = 6_000_000


@dataclass
class Look:
    """What is found on pages, by their name."""

    page: Page
    found: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)

    def at(self, name: str, address: str) -> None:
        """Look at a page in each colour and width. It is loaded once: only styles tell them apart."""
        answer = self.page.goto(address)
        assert answer is not None
        if answer.status != (403 if name in FORBIDDEN else 200):
            self._tell(name, f"it is answered with {answer.status}")
        self.as_it_stands(name)

    def as_it_stands(self, name: str, *, still: bool = True) -> None:
        """Look at the page that is open, in each colour and width; unless it is not ``still``, once it is whole."""
        page, camera = self.page, Camera(self.page)
        if still:
            settle(page)
        page.evaluate(AXE_SCRIPT)
        self._axe(name, STANDARDS)
        camera.settle()
        self.parts[name] = parts(page)
        self.sizes[f"{name}-light"] = camera.take(f"{name}-light")
        page.emulate_media(color_scheme="dark")
        self._axe(name, COLOURS)
        self.sizes[f"{name}-dark"] = camera.take(f"{name}-dark")
        self._size(PHONE)
        self.sizes[f"{name}-phone-dark"] = camera.take(f"{name}-phone-dark")
        page.emulate_media(color_scheme="light")
        self.sizes[f"{name}-phone"] = camera.take(f"{name}-phone")
        self._size(NARROW)
        self._axe(name, PLACES)
        self.is_whole(name, NARROW, LAPTOP, WIDE)

    def is_whole(self, name: str, *sizes: tuple[int, int]) -> None:
        """Tell what of the present page does not fit into windows of these sizes."""
        for size in sizes:
            self._size(size)
            if self.page.evaluate("document.documentElement.scrollWidth") > size[0]:
                self._tell(name, f"it is wider than a window of {size[0]}")
            if size is not NARROW:
                for what in self.page.evaluate(_HIDDEN):
                    self._tell(name, f"in a window of {size[0]}: {what}")

    def _size(self, size: tuple[int, int]) -> None:
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def _axe(self, name: str, rules: dict[str, Any]) -> None:
        for violation in self.page.evaluate(_RUN, rules):
            self._tell(name, violation)

    def _tell(self, name: str, what: str) -> None:
        self.found.setdefault(name, []).append(what)


@pytest.fixture(scope="module")
def stage(server: Server) -> Stage:
    """An organization with something on every page."""
    return Stage(server)


WINDOW: dict[str, Any] = {"viewport": {"width": WIDE[0], "height": WIDE[1]}, "reduced_motion": "reduce"}


@pytest.fixture
def stranger(chromium: Browser, server: Server, stage: Stage) -> Iterator[Visitor]:
    """Somebody who has not signed in, in a wide window."""
    with Visitor.open(chromium, server.running, None, **WINDOW) as found:
        yield found


@pytest.fixture(scope="module")
def person(chromium: Browser, server: Server, stage: Stage) -> Iterator[Visitor]:
    """Its owner, in a wide window, after it was filled."""
    handle = stage.organization.handle
    with Visitor.open(chromium, server.running, None, handle=handle, **WINDOW) as found:
        stage.fill(enter(found, stage.organization, "owner"))
        yield found


@pytest.fixture
def operator(chromium: Browser, server: Server, session: Any) -> Iterator[Visitor]:
    """The operator of the installation, in a wide window."""
    with Visitor.open(chromium, server.running, session, **WINDOW) as found:
        yield found


def test_every_page_has_an_address_here() -> None:
    """
    Each route of the console is a page that is looked at, or is named as something else.
    """
    django_setup.setup()
    from retinue.server.console.urls import urlpatterns

    routes = {each.name for each in urlpatterns if each.name}

    assert routes == known()


def test_pages_are_accessible_and_photographed(
    stranger: Visitor, person: Visitor, operator: Visitor, stage: Stage
) -> None:
    """
    Axe finds nothing on any page: by all its rules in a wide window, by those of colours in the dark, by those of
    places in a narrow one. No page is wider than its window, nothing that is pressed lies outside of its frame in a
    window of 1280 or 1400 pixels, and there is a picture of each, in ``docs/images`` if they are written.
    """
    look = Look(stranger.page)
    for pages in BEFORE.values():
        for name, address in pages.items():
            look.at(name, address)
    look.page = person.page
    for pages in PAGES.values():
        for name, address in pages.items():
            look.at(name, address.format(**stage.ids))
    look.page = operator.page
    for name, address in OPERATOR.items():
        look.at(name, address)

    assert {} == look.found
    owed = set(pictures()) - set(STATES)
    assert {f"{name}-{each}" for name in owed for each in LOOKS} == set(look.sizes)
    assert MOST_BYTES > sum(look.sizes.values())
    assert min(look.sizes.values()) > 1_000
    # A change here and there leaves them as they are; when many pages are others, `make screenshots` is owed.
    assert MOST_STALE >= len(old := stale(look.parts)), old


def test_tables_fit_in_german_too(person: Visitor, chromium: Browser, server: Server, stage: Stage) -> None:
    """
    In German, whose words are longer, nothing that is pressed in a table lies outside of its frame either. Who
    chooses all columns of the accounts scrolls, and still has the menu of each row in sight.
    """
    django_setup.setup()
    from retinue.server.console.tables import TABLES

    addresses = {name: address for pages in PAGES.values() for name, address in pages.items()}
    handle, state = stage.organization.handle, person.page.context.storage_state()
    with Visitor.open(chromium, server.running, state, handle=handle, locale="de-DE", **WINDOW) as german:
        look = Look(german.page)
        for name in TABLED:
            german.page.goto(addresses[name].format(**stage.ids))
            look.is_whole(name, LAPTOP, WIDE)
        page = german.go(f"/accounts?columns={','.join(TABLES['service-accounts'].columns)}")
        scrolled = page.evaluate(_SCROLLED)
        menus = [each.bounding_box() for each in page.locator("td.more > button").all()]

    assert {} == look.found
    assert 0 < scrolled
    assert len(JOBS) <= len(menus)
    assert all(each and WIDE[0] >= each["x"] + each["width"] for each in menus)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_record_of_any_row_opens_within_the_window(person: Visitor, size: tuple[int, int]) -> None:
    """
    The whole record of a decision opens inside of the window, from the first, a middle and the last row.
    """
    page = person.go("/requests")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    opening = page.locator("td.more > button")
    count, wrong = opening.count(), []
    for row in (0, count // 2, count - 1):
        opening.nth(row).click()
        box = page.locator(".drawer:popover-open").bounding_box()
        page.keyboard.press("Escape")
        if (
            not box
            or box["x"] < 0
            or box["y"] < 0
            or box["x"] + box["width"] > size[0]
            or box["y"] + box["height"] > size[1]
        ):
            wrong.append((row, box))
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    assert 13 < count
    assert [] == wrong


def test_request_log_is_read_by_keys(person: Visitor) -> None:
    """
    A bar of the chart says what it stands for when it has the focus, and leads to its time; the legend narrows;
    in a record j goes on to the next one, k back, and Esc closes.
    """
    page = person.go("/requests?range=24h")
    settle(page)
    bar = page.locator(".plot a").first
    bar.focus()
    tip = bar.locator(".tip")
    expect(tip).to_be_visible()
    expect(page.locator(".plot .tip:visible")).to_have_count(1)
    said = tip.text_content()
    bar.press("Enter")
    page.wait_for_url("**since=**until=**")
    expect(page.get_by_role("link", name="Zoom out")).to_be_visible()
    assert said
    assert (
        sum(int(each) for each in re.findall(r"(\d+) (?:allowed|denied)", said))
        == page.locator("td.more > button").count()
    )
    person.go("/requests?range=24h")
    settle(page)
    page.locator(".chart figcaption").get_by_role("link", name="denied").click()
    page.wait_for_url("**decision=denied**")

    person.go("/requests")
    page.locator("td.more > button").first.click()
    drawers = page.locator(".drawer")
    expect(drawers.nth(0)).to_be_visible()
    page.keyboard.press("j")
    expect(drawers.nth(1)).to_be_visible()
    expect(drawers.nth(0)).to_be_hidden()
    page.keyboard.press("k")
    expect(drawers.nth(0)).to_be_visible()
    page.keyboard.press("k")  # there is none before the first
    expect(drawers.nth(0)).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawers.nth(0)).to_be_hidden()


def test_every_page_has_its_stored_pictures() -> None:
    """
    ``docs/images`` has a picture of every page, light and dark, wide and on a phone, and of nothing else.
    ``make screenshots`` takes them anew.
    """
    owed = {f"{name}-{each}.webp" for name in pictures() for each in LOOKS}

    assert owed == {each.name for each in FOLDER.glob("*.webp")}
