"""The matrix of permissions in a browser: arrow keys, what differs, whole rows, and where a permission comes from."""

from __future__ import annotations

import secrets

from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import Visitor
from tests.support.installation import ADMIN_EMAIL, http
from tests.support.requirements import requires

pytestmark = requires("chromium")


def test_matrix_is_a_grid_that_counts_what_differs(visitor: Visitor) -> None:
    """
    One box is in the tab order and arrows reach the others; the bar counts changes and tells the path of the
    box; a row turns as one; an inherited box opens *Why?* and stays; the review then saves exactly that.
    """
    page = _access_of_a_reader(visitor)
    page.get_by_text("Retinue itself", exact=True).click()
    grid = page.get_by_role("grid", name="Retinue itself")
    own, inherited = (grid.locator(f"input[value='{each}']") for each in ("role:read", "team:read"))
    other = grid.locator("input[value='role:create']")
    bar = page.locator("[data-diff-count]")

    expect(grid.locator("input[tabindex='0']")).to_have_count(1)
    own.focus()
    expect(page.locator("[data-grid-said]")).to_contain_text("role:read – ")
    page.keyboard.press("ArrowRight")
    expect(other).to_be_focused()
    page.keyboard.press("Space")
    expect(bar).to_have_text("+1 −0")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(bar).to_have_text("+1 −1")

    inherited.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("team:read <- role Auditor")).to_be_visible()
    page.keyboard.press("Escape")
    expect(inherited).to_be_checked()
    expect(bar).to_have_text("+1 −1")

    _set_as_a_whole(grid.locator("tr[data-grid-row='group']"))
    expect(bar).to_have_text("+1 −1")

    page.get_by_label("Find a permission").fill("finding")
    expect(grid.locator("tr[data-grid-row='finding']")).to_be_visible()
    expect(grid.locator("tr[data-grid-row='role']")).to_be_hidden()
    grid.get_by_role("button", name="Turn the row finding").click()
    expect(bar).to_have_text("+2 −1")
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role("heading", name="Review the change +2 −1")).to_be_visible()
    page.get_by_label("Justification").fill("needed")
    page.get_by_role("button", name="Save +2 −1").click()
    expect(page.get_by_text("Saved: 2 granted, 1 taken away.")).to_be_visible()


def _set_as_a_whole(row: Locator) -> None:
    """Give all of a row, then nothing: what is inherited stays."""
    row.get_by_role("radio", name="Write").check()
    expect(row.locator(".glyph-box:not(:checked)")).to_have_count(0)
    row.get_by_role("radio", name="None").click()
    expect(row.locator(".glyph-explicit:checked, .glyph-none:checked")).to_have_count(0)
    expect(row.get_by_role("radio", name="Read")).to_be_checked()


def _access_of_a_reader(visitor: Visitor) -> Page:
    """Make an account that has a permission by itself and others by a role, and go to its grid."""
    retinue = visitor.retinue
    body = {"name": f"grid-{secrets.token_hex(4)}", "purpose": "Looked at.", "owners": [ADMIN_EMAIL]}
    body |= {"permissions": ["role:read"], "roles": ["auditor"]}
    made = http("POST", f"{retinue.url}/v1/service-accounts", token=retinue.token(), body=body).json()
    return visitor.go(f"/accounts/{made['id']}/access")
