"""Pictures of every page, in both colours, wide and narrow, and in German: ``python -m tests.browser.screenshots FOLDER``.

The installation that they show is made for them, with some traffic, and ends with the program.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.visitor import sign_in
from tests.support.installation import ORGANIZATION, Installation, http, start_retinue

SHAPES = {
    "light": ("light", 1400, 900, "en-US"),
    "dark": ("dark", 1400, 900, "en-US"),
    "narrow": ("light", 390, 844, "en-US"),
    "narrow-dark": ("dark", 390, 844, "en-US"),
    "german": ("light", 1400, 900, "de-DE"),
    "german-narrow": ("light", 320, 844, "de-DE"),
}
JOBS = {
    "billing-sync": ("Stripe to ledger, every 5 minutes", "prod"),
    "etl-warehouse": ("Nightly load into the warehouse", "prod"),
    "ci-deployer": ("Deploys from the pipeline", "prod"),
    "catalog-import": ("Metadata from the catalogue", "stage"),
    "legacy-crm": ("Nobody knows any more", ""),
    "a-name-that-is-as-long-as-people-make-them-when-a-convention-says-so": ("Long names", "dev"),
    "metrics-exporter": ("Figures for the dashboard", "prod"),
}
JSON = dict[str, Any]
PERMISSIONS = tuple(
    f"{thing}:{act}" for thing in ("report", "dataset", "invoice") for act in ("read", "write")
)


class Stage:
    """The installation, and calls of its API as the administrator."""

    def __init__(self, retinue: Installation) -> None:
        self.retinue = retinue

    def post(self, path: str, **body: Any) -> Any:
        """Make a call, which must succeed."""
        answer = http("POST", f"{self.retinue.url}/v1/{path}", token=self.retinue.token(), body=body)
        assert answer.status < 300, (path, answer.body)
        return answer.json()

    def fill(self) -> dict[str, str]:
        """Make what the pages show; return their addresses by name."""
        declared = [{"name": each, "label": each} for each in PERMISSIONS]
        self.post("permissions/import", permissions=declared)
        role = self.post("roles", name="Report reader", permissions=["report:read", "dataset:read"])
        accounts = {}
        for name, (purpose, environment) in JOBS.items():
            accounts[name] = self.post(
                "service-accounts",
                name=name,
                purpose=purpose,
                environment=environment,
                owners=["admin@acme.example"],
                roles=[role["handle"]],
                permissions=["invoice:read"],
                key={"name": f"{name[:20]}-2026"},
            )
        group = self.post("groups", name="Data platform", members=["etl-warehouse"], roles=[role["handle"]])
        team = self.post("teams", name="Finance", members=["billing-sync"])
        policy = self.post("access-policies", name="Prod reads reports", roles=[role["handle"]],
                           conditions=[{"field": "environment", "values": ["prod"]}])  # fmt: skip
        review = self.post("reviews", name="2026 Q4", template="full", due_days=14)
        self._use(accounts)
        self.post(f"service-accounts/{accounts['legacy-crm']['id']}/disable", reason="left over")
        made = {"review": review, "role": role, "group": group, "team": team, "policy": policy}
        ids = {name: each["id"] for name, each in made.items()}
        return self._addresses(accounts["etl-warehouse"], ids)

    def _addresses(self, one: JSON, ids: dict[str, str]) -> dict[str, str]:
        """Return the address of every page, by the name of its pictures."""
        key = one["key"]["id"]
        account = f"/accounts/{one['id']}"
        tabs = {
            f"account-{tab}": f"{account}/{tab}"
            for tab in ("keys", "access", "requests", "audit", "settings")
        }
        return {
            "home": "/", "accounts": "/accounts", "accounts-nothing": "/accounts?search=nothing",
            "account-new": "/accounts/new", "account": account, **tabs, "key-new": f"{account}/keys/new",
            "key-rotate": f"/keys/{key}/do/rotate", "key-revoke": f"/keys/{key}/do/revoke",
            "account-delete": f"{account}/do/delete", "account-compromised": f"{account}/compromise",
            "credentials": "/credentials", "identify": "/credentials/identify", "requests": "/requests",
            "audit": "/audit", "findings": "/findings", "reviews": "/reviews", "review": f"/reviews/{ids['review']}",
            "review-new": "/reviews/new", "policies": "/policies", "roles": "/access/roles",
            "role": f"/access/roles/{ids['role']}", "groups": "/access/groups", "group": f"/access/groups/{ids['group']}",
            "team": f"/access/teams/{ids['team']}?tab=resources", "access-policies": "/access/policies",
            "access-policy": f"/access/policies/{ids['policy']}", "permissions": "/access/permissions",
            "why": "/access/explain?principal=etl-warehouse&permission=report:read", "tokens": "/me/tokens",
            "users": "/settings/users", "invite": "/settings/users/invite", "nodes": "/settings/nodes",
            "organization": "/settings", "notifications": "/settings/notifications", "protect": "/settings/protect",
            "palette": "/palette",
        }  # fmt: skip

    def _use(self, accounts: dict[str, Any]) -> None:
        for n, each in enumerate(accounts.values()):
            for call in range(3 + 4 * n):
                wanted = PERMISSIONS[call % 4]
                http("POST", f"{self.retinue.node_url}/v1/verify",
                     body={"token": each["token"], "permission": wanted})  # fmt: skip


def main(folder: Path) -> None:
    """Make all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, start_retinue(Path(home) / "home") as retinue:
        pages = Stage(retinue).fill()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            context = browser.new_context(base_url=retinue.url)
            page = context.new_page()
            page.goto("/login/")
            page.screenshot(path=folder / "login-light.png")
            sign_in(page, retinue)
            state = context.storage_state()
            for shape, (colours, width, height, language) in SHAPES.items():
                window = browser.new_context(
                    base_url=retinue.url,
                    storage_state=state,
                    color_scheme=colours,  # type: ignore[arg-type]
                    viewport={"width": width, "height": height},
                    locale=language,
                )
                page = window.new_page()
                for name, path in pages.items():
                    page.goto(f"/o/{ORGANIZATION}{path}")
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=folder / f"{name}-{shape}.png", full_page=True)
                window.close()
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots"))
