"""Settings: the organization's name, webhooks, a measured revocation, and how an API is protected."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils.html import escape

from retinue.cli import backup
from retinue.gateways import Parameters, Rule, render
from retinue.server.console import settings_pages
from retinue.server.console.protecting import frameworks
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Organization
from retinue.server.governance.models import ReviewItem
from retinue.server.traffic import actions as traffic
from retinue.server.traffic.recorder import CONTROL_PLANE
from retinue.server.traffic.rules import Entry
from tests.console.browser import Browser
from tests.console.people import Person, colleague

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("settings", "settings/notifications", "settings/nodes", "settings/protect")


def _path(person: Person, rest: str) -> str:
    return f"/o/{person.principal.organization.handle}/{rest}"


def test_pages_lead_to_each_other(signed_in: Browser, person: Person) -> None:
    """
    Each page of the settings has all of them as tabs, with itself as the present one.
    """
    for each in PAGES:
        text = signed_in.text(_path(person, each))

        assert f'href="{_path(person, each)}" aria-current="page"' in text
        assert all(f'href="{_path(person, other)}"' in text for other in PAGES)


def test_organization_is_renamed(signed_in: Browser, person: Person) -> None:
    """
    The name changes by the form, with words for the audit log; an empty one is refused beside its field.
    """
    page, ident = _path(person, "settings"), person.principal.organization_id
    saved = signed_in.fill(page, name="Acme Ltd", reason="new name")
    refused = signed_in.fill(page, name="")

    assert 303 == saved.status_code
    assert "Acme Ltd" == Organization.objects.get(id=ident).name
    assert refused.status_code in (400, 422)
    assert 'id="e-name" role="alert"' in refused.content.decode()


def test_who_may_not_change_it_reads_it(browser: Browser, person: Person) -> None:
    """
    An auditor sees the pages with the forms switched off and what is missing; sent all the same, nothing changes.
    """
    other = colleague(person, "reader", roles=("auditor",))
    browser.sign_in(other.email, other.password)
    text = browser.text(_path(person, "settings"))
    sent = browser.fill(_path(person, "settings"), name="Taken")
    hooks = browser.text(_path(person, "settings/notifications"))

    assert "<code>organization:update</code>" in text
    assert 403 == sent.status_code
    assert "<code>organization:update</code>" in hooks
    assert "Taken" != Organization.objects.get(id=person.principal.organization_id).name


def test_webhook_is_made_tried_and_ended(signed_in: Browser, person: Person) -> None:
    """
    Its secret is shown once and on no later page; it is disabled, enabled and deleted by its row; an address
    that is none is refused beside its field.
    """
    page = _path(person, "settings/notifications")
    made = signed_in.fill(page, name="siem", url="https://93.184.216.34/hook", events="key.*, user.*")
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.content.decode())
    after = signed_in.text(page)
    assert secret is not None
    row = re.search(rf'action="({page}/[^"]+)/do/disable"', after)
    assert row is not None
    signed_in.fill(page, to=f"{row[1]}/do/disable")
    disabled = signed_in.text(page)
    signed_in.fill(page, to=f"{row[1]}/do/enable")
    enabled = signed_in.text(page)
    rotated = signed_in.fill(page, to=f"{row[1]}/do/rotate", overlap="1h").content.decode()
    unheard = signed_in.fill(page, to=f"{row[1]}/do/rotate", overlap="soon")
    signed_in.fill(page, to=f"{row[1]}/do/delete")
    refused = signed_in.fill(page, name="other", url="ftp://x", events="*")

    assert "no-store" in made["Cache-Control"]
    assert re.search(r"whsec_[A-Za-z0-9+/=]+", rotated)
    assert secret[0] not in rotated
    assert 303 == unheard.status_code
    assert secret[0] not in after
    assert "key.*, user.*" in after
    assert "The webhook is disabled." in disabled
    assert "/do/enable" in disabled
    assert "The webhook is enabled." in enabled
    assert "No event is sent anywhere." in signed_in.text(page)
    assert 'id="e-url" role="alert"' in refused.content.decode()
    assert 404 == signed_in.fill(page, to=f"{row[1]}/do/nothing").status_code


def test_revocation_is_measured(signed_in: Browser, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Measuring runs the same self-test as the API, by a form of the page of nodes.
    """
    page = _path(person, "settings/nodes")
    assert 'action="' + page + '/measure"' in signed_in.text(page)
    text = signed_in.fill(page, to=f"{page}/measure").content.decode()

    assert "Measured revocation" in text
    assert 'role="alert"' in text or 'role="status"' in text


def _request(person: Person, node: str, account: str = "sa_1", credential_id: str = "key_1") -> None:
    entry = Entry(
        at_ms=int(datetime.now(UTC).timestamp() * 1000),
        organization=person.principal.organization_id,
        account=account,
        account_name="etl",
        account_kind="service_account",
        credential_id=credential_id,
        allowed=True,
        reason=None,
        permission="report:read",
        method="GET",
        path="/reports",
        address="10.0.0.1",
        client="curl/8",
        revision=1,
        duration_us=40,
    )
    traffic.ingest(node, secrets.token_hex(8), 0, [entry])


def test_page_turns_green_at_the_first_verified_request(signed_in: Browser, person: Person) -> None:
    """
    It waits until a node has verified a request for this organization; what the control plane decides about
    its own API does not count.
    """
    part = _path(person, "settings/protect/seen")
    before = signed_in.text(part)
    _request(person, CONTROL_PLANE)
    own = signed_in.text(part)
    _request(person, "node-a")
    after = signed_in.text(part)

    assert "Waiting for the first verified request" in before
    assert "Waiting for the first verified request" in own
    assert "A node has verified a request." in after
    assert "GET /reports" in after


def test_lines_are_those_of_the_guides(signed_in: Browser, person: Person) -> None:
    """
    What the page shows stands in guides that are run, for this organization; each framework has an address.
    """
    readme = (DOCS.parent / "README.md").read_text()
    guide = (DOCS / "how-to/protect-a-python-api.md").read_text()
    lines = {each.name: each.lines.strip().replace("{organization}", "acme") for each in frameworks()}
    handle = person.principal.organization.handle

    assert lines["fastapi"] in readme
    assert lines["asgi"].removesuffix(")").strip() in guide
    assert lines["wsgi"].replace("wsgi", "asgi").removesuffix(")").strip() in guide
    assert all(each.partition(" #")[0] in guide for each in lines["python"].splitlines())
    for name in lines:
        text = signed_in.text(_path(person, f"settings/protect?with={name}"))
        assert f"Guard(&quot;{handle}&quot;)" in text
        assert f'href="?with={name}" aria-current="true"' in text


def test_safe_accounts_of_a_review_are_kept_together(signed_in: Browser, person: Person) -> None:
    """
    What is unused or elevated is not kept by the button, even if the form names it: it needs a reason; and a
    decision by hand says so beside what was decided.
    """
    base, common = _path(person, "accounts/new"), {"purpose": "x", "owners": person.email}
    common |= {"key": "yes", "key_name": "k", "expires": "30d", "justification": "x"}
    signed_in.fill(base, name="used", **common)
    signed_in.fill(base, name="elevated", own_permissions="credential:issue", **common)
    key: Any = Credential.objects.get(
        principal__handle="used", organization_id=person.principal.organization_id
    )
    _request(person, "node-a", account=key.principal_id, credential_id=key.id)
    opened = signed_in.fill(_path(person, "reviews/new"), name="Q", template="full", due_days="14")
    review = str(opened["Location"])
    signed_in.text(review)
    rows = ReviewItem.objects.filter(review_id=review.rpartition("/")[2])
    items = {each.evidence["name"]: each.id for each in rows}
    signed_in.fill(review, to=f"{review}/keep", item=list(items.values()))
    kept = {each.evidence["name"]: each.decision for each in rows.all()}
    text, one = signed_in.text(f"{review}?decided=false"), f"{review}/items/{items['elevated']}/decide"
    signed_in.fill(review, to=one, decision="keep")
    bare = ReviewItem.objects.get(id=items["elevated"]).decision
    signed_in.fill(review, to=one, decision="keep", note="starts in May")

    assert {"used": "keep", "elevated": ""} == kept
    assert "1 of 2 kept." in text
    assert "" == bare
    assert "keep" == ReviewItem.objects.get(id=items["elevated"]).decision
    assert "elevated: Keep. It can be decided otherwise" in signed_in.text(review)


def test_whole_configuration_of_a_gateway_is_shown(signed_in: Browser, person: Person) -> None:
    """
    For the rules that are stated, as the command prints it, for this organization; a wrong rule is told.
    """
    path = _path(person, "settings/protect")
    wanted = Parameters(
        (Rule.read("GET /a/*=report:read"),), organization=person.principal.organization.handle
    )
    text = signed_in.get(f"{path}?gateway=nginx&rules=GET+/a/*%3Dreport:read").content.decode()

    assert all(str(escape(each)) in text for each in render("nginx", wanted).values())
    assert "two rules for" in signed_in.text(f"{path}?gateway=envoy&rules=/a%3Dx:y%0A/a%3Dx:z")
    assert "code-block" in signed_in.text(f"{path}?gateway=nothing")


def test_last_good_backup_is_shown_to_the_operator(
    signed_in: Browser, person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is the one that the command line left word of; without one the page says so; nobody else sees where it is.
    """
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path))
    path = _path(person, "settings")
    none = signed_in.text(path)
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"")
    monkeypatch.setenv("RETINUE_HOME", str(tmp_path))
    backup._write_down(copy, {"whole": True, "epoch": 1, "revision": 4711})
    shown = signed_in.text(path)
    backup._write_down(copy, {"whole": False, "epoch": 1, "revision": 1})
    after = signed_in.text(path)
    other = Browser()
    owner = colleague(person, "owner", roles=("owner",))
    other.sign_in(owner.email, owner.password)

    assert "No backup is known here." in none
    assert (True, True) == (str(copy) in shown, "revision 4711" in shown)
    assert "revision 4711" in after
    assert str(copy) not in other.text(path)
    assert 0o600 == (tmp_path / backup.LAST).stat().st_mode & 0o777
    assert settings_pages.LAST_BACKUP == backup.LAST
