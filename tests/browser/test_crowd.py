"""The list of service accounts of an organization that has ten thousand."""

from __future__ import annotations

import re
import secrets
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import enter
from tests.browser.visitor import Visitor
from tests.conformance.server import Organization, Server
from tests.support.requirements import requires

pytestmark = requires("chromium")
MANY = 10_000
#: What moved although nobody touched it, as browsers measure it: a share of the window.
_WATCH = """
window.moved = 0;
new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.moved += each.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def _copy(organization: Organization, account: dict[str, Any]) -> None:
    """Write the account's row again until there are many: by the API it would take minutes."""
    stem = secrets.token_hex(3)
    with closing(sqlite3.connect(organization.server.running.home / "retinue.db", timeout=30)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(directory_principal)")]
        others = {
            "id": f"'sa_{stem}' || printf('%08d', n)",
            "name": "'crowd-' || printf('%05d', n)",
            "handle": "'crowd-' || printf('%05d', n)",
            "unique_key": "'crowd-' || printf('%05d', n)",
        }
        chosen = ", ".join(others.get(each, f'"{each}"') for each in columns)
        named = ", ".join(f'"{each}"' for each in columns)
        database.execute("CREATE TEMP TABLE counted AS WITH RECURSIVE number(n) AS"
                         " (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?) SELECT n FROM number",
                         (MANY - 2,))  # fmt: skip
        chosen = f"SELECT {chosen} FROM directory_principal, counted WHERE id = ?"  # noqa: S608
        database.execute(f"INSERT INTO directory_principal ({named}) {chosen}", (account["id"],))
        # As the housekeeping does: how a table is read depends on how large the database knows it to be.
        database.execute("ANALYZE")
        database.commit()


@pytest.fixture
def page(chromium: Browser, server: Server) -> Any:
    """The list, in a window of somebody of the organization."""
    organization = server.organization("native")
    with Visitor.open(chromium, server.running, None, handle=organization.handle) as found:
        email = enter(found, organization)
        _copy(organization, organization.account("crowd-00000", owners=[email]))
        found.page.add_init_script(_WATCH)
        yield found.go("/accounts")


def test_list_of_ten_thousand_is_paged_narrowed_and_chosen(page: Page) -> None:
    """
    A page of the list holds a hundred rows at most and says how many there are; it goes on, is narrowed while
    somebody types, and an act on all that match changes those, on every page, and no others. Nothing jumps.
    """
    rows = page.locator("tbody tr")
    expect(page.get_by_text(re.compile(r"of 10,000 shown"))).to_be_visible()
    assert 100 >= rows.count()
    first = rows.first.get_by_role("link").first.inner_text()
    page.get_by_role("link", name="Next page").click()
    expect(rows.first.get_by_role("link").first).not_to_have_text(first)
    page.get_by_role("link", name="First page").click()
    expect(rows.first.get_by_role("link").first).to_have_text(first)
    assert page.evaluate("window.moved") < 0.1

    page.get_by_label("Filter by name", exact=False).press_sequentially("crowd-091", delay=15)
    expect(page.get_by_text("100 match")).to_be_visible()
    page.get_by_label("Select all rows of this page").check()
    page.get_by_label("all 100 that match").check()
    page.get_by_role("button", name="Disable…").click()
    expect(page.get_by_text("100 would change.")).to_be_visible()
    page.get_by_label("Type 100 to confirm that many rows").fill("100")
    page.get_by_role("main").get_by_role("button", name="Disable").last.click()
    expect(page.get_by_text("100 changed.")).to_be_visible()
    page.get_by_role("link", name="Back to the list").click()

    views = page.get_by_role("navigation", name="Views")
    expect(views.get_by_role("link", name=re.compile("^Disabled 100$"))).to_be_visible()
