"""Identify a token: the browser reads it, and the network sees no more than its public key id."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Request, expect

from retinue.token import Kind, mint
from tests.browser.visitor import Visitor
from tests.support.installation import http
from tests.support.requirements import requires

pytestmark = requires("chromium")


@pytest.fixture
def sent(visitor: Visitor) -> list[str]:
    """Everything that the browser sends: addresses and bodies, but of the pages' own files."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if "/static/" not in request.url:
            seen.append(f"{request.method} {request.url} {request.post_data or ''}")

    visitor.page.on("request", note)
    return seen


def _paste(page: Page, text: str) -> None:
    page.get_by_label("A token, or a line that holds one").fill(text)
    page.get_by_role("button", name="Identify", exact=True).click()


def test_only_the_key_id_is_sent(visitor: Visitor, account: tuple[str, str], sent: list[str]) -> None:
    """
    Of a line that holds a token, the network sees the key id alone; the page names the key and its account.
    """
    url = f"{visitor.retinue.url}/v1/service-accounts/{account[0]}/keys"
    made = http("POST", url, token=visitor.retinue.token(), body={"name": "prod"}).json()
    token, kid = made["token"], made["key"]["key_id"]
    page = visitor.go("/credentials/identify")
    _paste(page, f'GET /reports "Authorization: Bearer {token}" 200')
    expect(page.get_by_text("It is accepted now: whoever has it can use it.")).to_be_visible()

    expect(page.get_by_text(account[1], exact=False).first).to_be_visible()
    assert any(kid in each for each in sent)
    secret = token.rpartition("_")[2]
    assert [] == [each for each in sent if secret[:8] in each]
    assert secret[:8] not in page.content()


def test_what_is_wrong_is_said_without_a_request(visitor: Visitor, sent: list[str]) -> None:
    """
    A mistyped token, a truncated one and none of ours are told apart in the browser; nothing is sent, until it
    is agreed to. A token that looks like ours and is of nobody here is said to be that.
    """
    page = visitor.go("/credentials/identify")
    before = len(sent)
    token = mint(Kind.API_KEY).reveal()
    for wrong in (token[:-1] + ("0" if token[-1] != "0" else "1"), token[:-9]):
        _paste(page, wrong)
        expect(page.get_by_text("The checksum is wrong")).to_be_visible()
    _paste(page, "sk:" + "a" * 64)
    expect(page.get_by_text("Nothing was sent. To look for it")).to_be_visible()
    assert before == len(sent)
    page.get_by_role("button", name="Send the whole text").click()
    expect(page.get_by_text("No credential of this organization has this token.")).to_be_visible()
    _paste(page, token)
    expect(page.get_by_text(re.compile("It looks like ours, and no credential"))).to_be_visible()
    assert [] == [each for each in sent if token in each]
