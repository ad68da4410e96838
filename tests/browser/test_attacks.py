"""Who attacks the console through a browser gets nowhere: texts, frames, foreign forms, addresses, sessions, tokens."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ATTACKER, enter
from tests.browser.visitor import Visitor, settle, sign_in
from tests.conformance.server import Organization, Server
from tests.support.installation import ADMIN_EMAIL, Installation, http
from tests.support.requirements import requires

pytestmark = requires("chromium")
#: Each would run, or make an element, if it were not shown as text. Short enough for every name.
SCRIPT = "<script>owned()</script>"
IMAGE = "\"'><img src=x onerror=owned()>"
CLOSING = "</title></textarea><svg onload=owned()>"
ADDRESS = "javascript:owned()"
#: What an account says of itself.
OF_ACCOUNT = {
    "description": IMAGE,
    "purpose": CLOSING,
    "systems": [IMAGE],
    "environment": SCRIPT,
    "attributes": {"tier": IMAGE},
}
#: Elements that no page of the console has, and attributes that no element has.
_INJECTED = """() => [...document.querySelectorAll(
    "img, iframe, object, embed, [onerror], [onload], [onclick], [style], script:not([src^='/static/'])")]
    .concat([...document.querySelectorAll("[href], [src], [action]")].filter((each) =>
        ["href", "src", "action"].some((name) => each.getAttribute(name)?.trim().startsWith("javascript"))))
    .map((each) => each.outerHTML.slice(0, 120))"""


def _hostile(organization: Organization, email: str) -> list[str]:
    """Make everything that has a name or another text, with hostile ones; return the pages that show them."""
    post = organization.admin.post
    role = post("/v1/roles", name=IMAGE, description=SCRIPT, permissions=["report:read"], reason=CLOSING)
    account = organization.account(SCRIPT, owners=[email], roles=[role["handle"]], **OF_ACCOUNT)
    key = organization.key(account, name=IMAGE)
    gone = organization.key(account, name=SCRIPT)
    receipt = post(f"/v1/keys/{gone['key']['id']}/revoke", reason="other", text=CLOSING)["receipt"]["id"]
    group = post("/v1/groups", name=SCRIPT, description=IMAGE)
    team = post("/v1/teams", name=CLOSING, description=IMAGE)
    policy = post("/v1/access-policies", name=IMAGE, description=SCRIPT, roles=[role["handle"]])
    review = post("/v1/reviews", name=CLOSING, template="full")
    user = post("/v1/users", email=f"x-{secrets.token_hex(4)}@x.example", name=IMAGE)
    ingest = _beside(organization, review["id"])
    for each in (group, team):
        organization.join(each, account)
    organization.grant(account, "credential:issue", justification=IMAGE)
    _call(organization, key["token"])
    organization.logged(account, least=4)
    other = organization.account(CLOSING, owners=[email])
    post(f"/v1/service-accounts/{other['id']}/disable", reason=SCRIPT)
    one, places = (
        f"/accounts/{account['id']}",
        "/keys /access /requests /audit /settings /do/delete /compromise",
    )
    return [
        "/", "/accounts", f"/accounts?search={SCRIPT}", "/accounts/new", "/credentials", f"/credentials?search={IMAGE}",
        "/requests", f"/requests?account={IMAGE}", "/audit", "/findings", "/reviews", f"/reviews/{review['id']}",
        "/access/roles", f"/access/roles/{role['id']}", "/access/groups", f"/access/groups/{group['id']}", "/access/teams",
        f"/access/teams/{team['id']}", "/access/policies", f"/access/policies/{policy['id']}", f"/receipts/{receipt}",
        f"/access/explain?principal={account['id']}&permission={IMAGE}", "/settings/users",
        f"/access/explain?principal={account['id']}&permission=credential:issue", f"/settings/users/{user['id']}",
        f"/palette?q={SCRIPT}", "/settings/notifications", "/views?of=requests", "/credentials/ingest",
        f"/credentials/ingest/{ingest}/do/revoke", "/me/tokens", "/policies", "/accounts?columns=environment,systems", one,
        *(f"{one}{each}" for each in places.split()),
        *(f"/keys/{key['key']['id']}/do/{act}" for act in ("rotate", "revoke")), f"/accounts/{other['id']}",
    ]  # fmt: skip


def _beside(organization: Organization, review: str) -> str:
    """Make webhooks, views, notes and ingest tokens with hostile texts; return the id of the last."""
    post = organization.admin.post
    post("/v1/webhooks", name=SCRIPT, url="https://hooks.example/'><svg/onload=owned()>")
    post("/v1/saved-views", list="requests", name=CLOSING, filters={"path": IMAGE}, shared=True)
    [item] = organization.admin.get(f"/v1/reviews/{review}/items")["items"][:1]
    post(f"/v1/reviews/{review}/items/{item['id']}/decide", decision="keep", note=SCRIPT)
    made = post("/v1/ingest-tokens", name=IMAGE, endpoints=["/events/*"])
    return str(made["key"]["id"])


def _call(organization: Organization, token: str) -> None:
    """Make calls whose path and user agent are hostile; a method is capital letters, or refused."""
    for text in (SCRIPT, IMAGE, CLOSING, ADDRESS):
        organization.server.ask(token=token, path=f"/{text}", client=text, need=["report:read"])


def test_hostile_texts_run_nowhere(chromium: Browser, server: Server) -> None:
    """
    Names, descriptions, reasons, paths, user agents, environments, attributes, justifications, notes,
    addresses of webhooks: on each page that shows them no script has run, no element has
    been made of them, nothing was stopped by the policy, because there was nothing to stop.
    """
    made = server.operator.post(
        "/v1/organizations",
        handle=f"hostile-{secrets.token_hex(3)}",
        name=IMAGE,
        preset="native",
        administrator={"email": f"olga-{secrets.token_hex(3)}@hostile.example", "name": SCRIPT},
    )
    caller = server.caller(server.first_token(made["administrator"]))
    organization = Organization(
        server, made["organization"]["id"], made["organization"]["handle"], caller, {"purpose": CLOSING}
    )
    organization.set_policy(
        ingest__enabled=True, accounts__attributes=[{"name": "tier", "values": [IMAGE, SCRIPT]}]
    )
    ran: list[str] = []
    with Visitor.open(chromium, server.running, None, handle=organization.handle) as person:
        person.page.expose_function("owned", lambda: ran.append(person.page.url))
        pages, wrong, shown = _hostile(organization, enter(person, organization, "owner")), {}, 0
        _own_token(person)
        for path in pages:
            page = person.go(path)
            settle(page)
            if injected := page.evaluate(_INJECTED):
                wrong[path] = injected
            text = page.inner_text("body")
            shown += any(each in text for each in (SCRIPT, IMAGE, CLOSING))

        assert {} == wrong
        assert [] == ran
        assert len(pages) - 3 <= shown


def _own_token(person: Visitor) -> None:
    """Have the person issue a token of their own with a hostile name."""
    page = person.go("/me/tokens/new")
    page.fill("[name=key_name]", SCRIPT)
    page.locator("main form.dialog-card button.button-main").click()
    expect(page.get_by_label("New token, shown once")).to_be_visible()
    page.get_by_label("I have stored it").check()
    page.get_by_role("link", name="Done").click()
    page.wait_for_selector("secret-reveal", state="detached")


@contextmanager
def _site(body: str) -> Iterator[str]:
    """Serve one page under a foreign name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: Any) -> None: ...

    site = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield f"http://{ATTACKER}:{site.server_port}/"
    finally:
        site.shutdown()
        site.server_close()


@pytest.fixture
def signed_in(chromium: Browser, session: Any) -> Iterator[Page]:
    """A window of the administrator, which may go anywhere."""
    context = chromium.new_context(storage_state=session)
    yield context.new_page()
    context.close()


def test_no_page_is_shown_in_a_frame(signed_in: Page, retinue: Installation) -> None:
    """
    A foreign page that frames the console of somebody who is signed in gets an empty frame.
    """
    with _site(f'<iframe src="{retinue.url}/o/acme/accounts" width="900" height="600"></iframe>') as site:
        signed_in.goto(site)
        signed_in.wait_for_load_state("networkidle")
        [framed] = signed_in.frames[1:]

    assert retinue.url not in framed.url
    assert "Service accounts" not in framed.content()


def test_foreign_forms_change_nothing(
    signed_in: Page, retinue: Installation, account: tuple[str, str]
) -> None:
    """
    A form of a foreign page that is sent by the browser of somebody who is signed in changes nothing.
    """
    act = f"{retinue.url}/o/acme/accounts/{account[0]}/do/disable"
    with _site(f'<form method="post" action="{act}"><button>Win a prize</button></form>') as site:
        signed_in.goto(site)
        signed_in.get_by_role("button", name="Win a prize").click()
        signed_in.wait_for_url(lambda url: ATTACKER not in url)
    made = http("GET", f"{retinue.url}/v1/service-accounts/{account[0]}", token=retinue.token()).json()

    assert "enabled" == made["state"]


@pytest.mark.parametrize("way", ["http://{site}/", "//{site}/", "/\\{site}/", "https:{site}"])
def test_sign_in_leads_to_no_foreign_page(chromium: Browser, retinue: Installation, way: str) -> None:
    """
    Whatever page the address of the sign-in names, a person who signs in stays at the console.
    """
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{retinue.url}/login/?next={way.format(site=ATTACKER)}")
    page.fill("[name=login]", ADMIN_EMAIL)
    page.fill("[name=password]", retinue.password_file.read_text().strip())
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "login" not in url)

    assert page.url.startswith(f"{retinue.url}/")
    context.close()


def test_session_that_was_planted_is_not_used(chromium: Browser, retinue: Installation) -> None:
    """
    A session key that somebody else put into the browser before the sign-in is replaced, and opens nothing.
    """
    planted, context = secrets.token_urlsafe(24), chromium.new_context()
    cookie = {"name": "retinue-session", "value": planted, "url": retinue.url}
    context.add_cookies([cookie])  # type: ignore[list-item]
    sign_in(context.new_page(), retinue)
    kept = {each["name"]: each["value"] for each in context.cookies()}
    attacker = chromium.new_context()
    attacker.add_cookies([cookie])  # type: ignore[list-item]
    page = attacker.new_page()
    page.goto(f"{retinue.url}/o/acme/accounts")

    assert kept["retinue-session"] != planted
    assert "/login/" in page.url
    for each in (context, attacker):
        each.close()


def test_token_of_a_service_account_signs_nobody_in(
    chromium: Browser, retinue: Installation, account: tuple[str, str]
) -> None:
    """
    A service account's handle and token are refused at the sign-in, which says why, and open no session.
    """
    url = f"{retinue.url}/v1/service-accounts/{account[0]}/keys"
    token = http("POST", url, token=retinue.token(), body={"name": "tried"}).json()["token"]
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{retinue.url}/login/")
    # The field asks for an e-mail address; whoever attacks does not mind.
    page.evaluate("document.querySelector('[name=login]').type = 'text'")
    page.fill("[name=login]", account[1])
    page.fill("[name=password]", token)
    page.click("button[type=submit]")
    expect(page.get_by_role("alert").first).to_be_visible()
    page.goto(f"{retinue.url}/o/acme/accounts")

    assert "/login/" in page.url
    assert token not in page.content()
    context.close()
