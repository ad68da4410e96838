"""A real Chromium in front of a real installation. Whatever a page does that it must not, fails its test."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance.server import PERMISSIONS, Organization, Server, first_tokens
from tests.support.identity_provider import CLIENT, SECRET
from tests.support.installation import Installation, http

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.visitor import Visitor


ROOT = Path(__file__).parents[2]
#: A name of the installation that is not of this machine alone: what is served there without TLS is not secure.
NAME = "retinue.lan"
#: A name of somebody else's pages.
ATTACKER = "attacker.lan"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    from playwright.sync_api import expect, sync_playwright

    from tests.browser.visitor import LIMIT_MS

    expect.set_options(timeout=LIMIT_MS)
    with sync_playwright() as playwright:
        # Its own sandbox wants rights that a container does not give; it opens pages of this machine alone.
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                f"--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP {ATTACKER} 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[str]:
    """An identity provider on a port of its own: its issuer."""
    command = [sys.executable, "-m", "tests.support.identity_provider", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        running.terminate()


@pytest.fixture(scope="session")
def retinue(tmp_path_factory: pytest.TempPathFactory, identity_provider: str) -> Iterator[Installation]:
    """An installation with an administrator, and with an identity provider."""
    folder = tmp_path_factory.mktemp("browser")
    secret = folder / "client-secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    environment = {
        "RETINUE_OIDC_ISSUER": identity_provider,
        "RETINUE_OIDC_CLIENT_ID": CLIENT,
        "RETINUE_OIDC_CLIENT_SECRET_FILE": str(secret),
        "RETINUE_OIDC_DOMAINS": "acme.example",
        # By its name it is reached without TLS, as on a network that is trusted.
        "RETINUE_HOSTS": NAME,
        "RETINUE_PLAIN_HTTP": "1",
        "RETINUE_SECOND_FACTOR": "offered",
    }
    installation = Installation(folder / "home", environment)
    installation.init()
    (installation.home / "permissions.yaml").write_text(PERMISSIONS)
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()


@pytest.fixture(scope="session")
def server(retinue: Installation) -> Iterator[Server]:
    """The same installation, as what makes organizations with presets."""
    with first_tokens(retinue) as tokens:
        yield Server(retinue, tokens)


@pytest.fixture(scope="session")
def session(chromium: Browser, retinue: Installation) -> object:
    """What the browser keeps after the administrator has signed in, once for all tests."""
    from tests.browser.visitor import sign_in

    context = chromium.new_context(base_url=retinue.url)
    sign_in(context.new_page(), retinue)
    kept = context.storage_state()
    context.close()
    return kept


def enter(visitor: Visitor, organization: Organization, role: str = "") -> str:
    """Have a visitor invited to an organization, with a role or the one that may do most there, and come in.

    Returns their e-mail address.
    """
    roles = organization.admin.get("/v1/roles", limit=100)["items"]
    most = max(roles, key=lambda role: len(role["permissions"]))
    email = f"vera-{secrets.token_hex(4)}@{organization.handle}.example"
    invited = organization.admin.post(
        "/v1/invitations",
        email=email,
        name="Vera Visitor",
        roles=[role or most["handle"]],
        justification="needed",
    )
    password = secrets.token_urlsafe(24)
    page = visitor.page
    page.goto("/invitation/")
    page.fill("[name=code]", invited["token"])
    page.fill("[name=password]", password)
    page.fill("[name=again]", password)
    page.get_by_role("button", name="Choose the password").click()
    page.wait_for_url(lambda url: "invitation" not in url)
    return email


@pytest.fixture
def visitor(chromium: Browser, retinue: Installation, session: object) -> Iterator[Visitor]:
    """The administrator, signed in, in a window of their own."""
    from tests.browser.visitor import Visitor

    with Visitor.open(chromium, retinue, session) as found:
        yield found


@pytest.fixture
def account(retinue: Installation) -> tuple[str, str]:
    """A new service account: its id and its name."""
    name = f"etl-{secrets.token_hex(4)}"
    stated = {"name": name, "purpose": "Loads the reports.", "owners": ["admin@acme.example"]}
    made = http("POST", f"{retinue.url}/v1/service-accounts", token=retinue.token(), body=stated)
    assert made.status == 201
    return made.json()["id"], name
