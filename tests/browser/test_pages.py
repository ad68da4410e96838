"""Every page: accessible by axe's rules, in both colours, wide and narrow, and without a sideways scroll."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.visitor import Visitor
from tests.support.installation import Installation, http
from tests.support.requirements import requires

pytestmark = requires("chromium")
LISTS = (
    "credentials",
    "credentials/identify",
    "credentials/compromise",
    "requests",
    "audit",
    "findings",
    "reviews",
)
ACCESS = tuple(
    f"access/{name}"
    for name in (
        "roles",
        "roles/new",
        "groups",
        "groups/new",
        "teams",
        "policies",
        "policies/new",
        "permissions",
        "explain",
    )
)
MORE = ("settings", "settings/notifications", "settings/protect")
SETTINGS = ("me/tokens", "me/tokens/new", "settings/users", "settings/users/invite", "settings/nodes", *MORE)
STANDARDS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
#: In the dark only the colours are others; in a narrow window everything else may be, and is not where it was.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
#: Between them, these have every kind of component.
TYPICAL = (
    "home",
    "list",
    "new",
    "keys",
    "access",
    "audit",
    "revoke",
    "/findings",
    "/policies",
    "/access/roles/new",
)
PLACES = STANDARDS | {"rules": {"color-contrast": {"enabled": False}}}


@pytest.fixture(scope="module")
def pages(retinue: Installation) -> dict[str, str]:
    """The address of every page, with something on it."""
    made = http(
        "POST",
        f"{retinue.url}/v1/service-accounts",
        token=retinue.token(),
        body={
            "name": "a-name-that-is-as-long-as-people-make-them-when-a-convention-says-so",
            "purpose": "Looked at. " * 20,
            "owners": ["admin@acme.example"],
            "key": {"name": "first"},
            "permissions": ["report:read"],
        },
    ).json()
    account, key = f"/accounts/{made['id']}", f"/keys/{made['key']['id']}"
    http("POST", f"{retinue.node_url}/v1/verify", body={"token": made["token"]})
    tabs = {name: f"{account}/{name}" for name in ("keys", "access", "requests", "audit", "settings")}
    acts = {name: f"{key}/do/{name}" for name in ("rotate", "expire", "revoke")}
    return {
        "home": "/",
        "list": "/accounts",
        "nothing found": "/accounts?search=nothing-of-this-name",
        "new": "/accounts/new",
        **{f"/{name}": f"/{name}" for name in (*LISTS, *ACCESS, *SETTINGS, "policies", "reviews/new")},
        "overview": account,
        **tabs,
        "new key": f"{account}/keys/new",
        "delete": f"{account}/do/delete",
        **acts,
    }


@pytest.mark.parametrize(
    ("colours", "width", "rules"),
    [("light", 1400, STANDARDS), ("dark", 1400, COLOURS), ("light", 320, PLACES)],
    ids=["light and wide", "dark", "narrow"],
)
def test_pages_are_accessible(
    chromium: Any,
    retinue: Installation,
    session: Any,
    pages: dict[str, str],
    colours: str,
    width: int,
    rules: dict[str, Any],
) -> None:
    """
    Axe finds nothing on any page (in the dark and in a narrow window: on those with each kind of component), and
    no page is wider than its window.
    """
    axe, found = Axe(), {}
    looked_at = pages if rules is STANDARDS else TYPICAL
    assert pages.keys() >= set(TYPICAL)
    size = {"width": width, "height": 900}
    with Visitor.open(chromium, retinue, session, color_scheme=colours, viewport=size) as visitor:
        for name, path in pages.items():
            page = visitor.go(path)
            found_here = axe.run(page, options=rules).response["violations"] if name in looked_at else []
            told = [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found_here]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                told.append("it is wider than the window")
            if told:
                found[name] = told

    assert {} == found
