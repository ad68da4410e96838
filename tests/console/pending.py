"""An installation that waits for its first administrator, and a form that makes one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from retinue.server.credentials import setup_code
from retinue.server.credentials.queries import Credential
from retinue.server.directory import organizations
from retinue.server.directory.queries import Organization, Principal
from retinue.server.ledger.queries import Event, latest
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.policies import actions as policies
from retinue.server.policies.rules import Document
from retinue.token import Kind
from tests.console.browser import Browser

PASSWORD = "violet-anchor-parade-21"


@dataclass
class Pending:
    """The organization, and the code that makes its administrator."""

    organization: Organization
    code: str

    def operators(self) -> list[str]:
        """Return the addresses of the administrators that were made."""
        rows = Principal.objects.filter(organization=self.organization, is_operator=True)
        return list(rows.values_list("email", flat=True))

    def events(self, type_: str) -> list[Event]:
        """Return the latest events of one type."""
        return [event for event in latest(self.organization.id, 100) if event.type == type_]


def wait(organization: Organization) -> Pending:
    """Issue a setup code."""
    with transaction(SYSTEM, reason="test") as tx:
        return Pending(organization, setup_code.issue(tx, organization).token.reveal())


def undo(organization: Organization) -> None:
    """Leave the organization without an administrator and without a code."""
    with transaction(SYSTEM, reason="test") as tx:
        Principal.objects.filter(organization=organization).update(is_operator=False)
        Credential.objects.filter(kind=Kind.SETUP.value).update(state="revoked")
        policies.change(tx, organization.id, lambda document: Document())
        organizations.rename(tx, Organization.objects.get(id=organization.id), organization.name)
        tx.record("change.refused", "test", name="test", organization=organization.id)


def filled_in(code: str, **changed: str) -> dict[str, str]:
    """Return the fields of the form, all of them good but the changed ones."""
    email = f"ada@{secrets.token_hex(6)}.example"
    given = {"code": code, "name": "Ada", "email": email, "password": PASSWORD, "again": PASSWORD}
    return given | changed


def send(browser: Browser, fields: dict[str, str]) -> Any:
    """Open the page and send the form."""
    token = browser.form_token("/setup/")
    return browser.post("/setup/", {"csrfmiddlewaretoken": token, **fields})
