"""Whatever a caller or a colleague can write is text on every page that shows it, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from html.parser import HTMLParser

import pytest

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.ledger.transaction import SYSTEM, transaction
from tests.console.browser import Browser
from tests.console.people import Person, account_of
from tests.console.test_request_log import record

#: Markup, a way out of an attribute, a template, a scheme that runs, and a text that turns direction.
HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ request.session }}{% debug %}",
    "javascript:alert(1)",
    "</title></textarea></style><svg onload=alert(1)>",
)


class _Elements(HTMLParser):
    """What a browser makes of a page: elements, and attributes that run something or lead somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.scripts: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.scripts.add(given.get("src"))
        if tag in ("img", "iframe", "object", "embed"):
            self.wrong.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.wrong.append(f"{tag} {name}")
            if name in ("href", "src", "action", "formaction") and (value or "").strip().startswith(
                "javascript"
            ):
                self.wrong.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_text_everywhere(signed_in: Browser, person: Person, hostile: str) -> None:
    """
    As name, purpose, documentation, key, group, team, role, policy, reason, path, user agent and justification of
    what is elevated: every page that shows it holds no element, attribute or script that is not ours, and none that is made of it.
    """
    account = account_of(person, hostile, description=hostile, purpose=hostile, environment="prod")
    with transaction(SYSTEM, reason=hostile) as tx:
        key = credentials.issue(tx, account, name=hostile[:60]).credential
        credentials.revoke(tx, key, reason="other", text=hostile)
        access.grant(tx, account, "credential:issue", f"why {hostile}")
    for allowed in (True, False):
        record(account, datetime.now(UTC), allowed=allowed, path=f"/{hostile}", client=hostile)
    base = f"/o/{person.principal.organization.handle}"
    for kind in ("groups", "teams", "roles", "policies"):
        signed_in.fill(f"{base}/access/{kind}/new", name=hostile, description=hostile, match="all")
    signed_in.fill(f"{base}/reviews/new", name=hostile, template="full", due_days="14")
    one = f"{base}/accounts/{account.id}"
    pages = [base + "/", f"{base}/accounts", f"{base}/credentials", f"{base}/requests", f"{base}/audit"]
    pages += [
        f"{base}/findings",
        f"{base}/reviews",
        f"{base}/accounts?search={hostile}",
        f"{base}/requests/chart",
    ]
    pages += [f"{base}/access/{kind}" for kind in ("groups", "teams", "roles", "policies", "permissions")]
    pages += [f"{one}{tab}" for tab in ("", "/keys", "/access", "/requests", "/audit", "/settings")]
    pages += [f"{one}/do/delete", f"{base}/keys/{key.id}/do/restore", f"{one}/compromise"]
    why = f"{base}/access/explain?principal={account.id}&permission=credential:issue"
    pages += [f"{base}/access/explain?principal={account.id}&permission={hostile}", why]
    wrong, shown = {}, 0
    for path in pages:
        text = signed_in.get(path).content.decode()
        found = _Elements()
        found.feed(text)
        shown += escape(hostile) in text
        outside = {each for each in found.scripts if each is None or not each.startswith("/static/")}
        if found.wrong or outside or (hostile in text and "<" in hostile):
            wrong[path] = [*found.wrong, *outside]

    assert {} == wrong
    assert shown >= 15
    assert f"why {escape(hostile)}" in signed_in.text(why)


def test_address_of_a_document_runs_nothing(signed_in: Browser, person: Person) -> None:
    """
    The link to the documentation of an account leads to an address of the web, or is refused.
    """
    base = f"/o/{person.principal.organization.handle}"
    account = account_of(person, "etl")
    one = f"{base}/accounts/{account.id}"
    seen = {"seen_name": "etl", "name": "etl"}
    signed_in.fill(f"{one}/settings", to=f"{one}/save", documentation="javascript:alert(1)", **seen)

    assert 'href="javascript' not in signed_in.text(one)
