"""An organization whose pages are looked at and photographed: made by the API, the same each time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.conformance.server import Organization, Server
from tests.server_support import hours
from tests.support.installation import http
from tests.support.processes import wait_for

JSON = dict[str, Any]
NAME = "Northwind"
#: Name, purpose and environment of each account; then how many calls it makes.
JOBS = {
    "billing-sync": ("Stripe to ledger, every 5 minutes", "production", 9),
    "etl-warehouse": ("Nightly load into the warehouse", "production", 14),
    "ci-deployer": ("Deploys from the pipeline", "production", 5),
    "catalog-import": ("Metadata from the catalogue", "staging", 3),
    "legacy-crm": ("Nobody knows any more", "", 2),
    "a-name-that-is-as-long-as-people-make-them-when-a-convention-says-so": ("Long names", "testing", 1),
    "metrics-exporter": ("Figures for the dashboard", "production", 12),
    "partner-feed": ("Sends invoices to partners", "production", 0),
}
THINGS = ("report", "dataset", "alert")


class Stage:
    """The organization, and the address of each of its pages."""

    def __init__(self, server: Server) -> None:
        first = {"email": "olga@northwind.example", "name": "Olga Owner"}
        made = server.operator.post(
            "/v1/organizations", handle="northwind", name=NAME, preset="native", administrator=first
        )
        caller = server.caller(server.first_token(made["administrator"]))
        organization = made["organization"]
        self.organization = Organization(server, organization["id"], organization["handle"], caller)
        self.ids: dict[str, str] = {}

    def post(self, path: str, **body: Any) -> JSON:
        """Make a call as the organization's owner."""
        made: JSON = self.organization.admin.post(f"/v1/{path}", **body)
        return made

    def fill(self, owner: str) -> None:
        """Make what the pages show. ``owner`` is the e-mail address of the person who looks at them."""
        self.organization.set_policy(ingest__enabled=True)
        role = self.post("roles", name="Report reader", permissions=["report:read", "dataset:read"])
        accounts = self._accounts(owner, role["handle"])
        group = self.post("groups", name="Data platform", roles=[role["handle"]])
        team = self.post("teams", name="Finance")
        for each, member in ((group, "etl-warehouse"), (team, "billing-sync")):
            self.organization.join(each, accounts[member])
        self.post(f"teams/{team['id']}/resources", add=["reports/finance", "reports/board"])
        policy = self.post(
            "access-policies",
            name="Prod reads reports",
            roles=[role["handle"]],
            conditions=[{"field": "environment", "values": ["production"]}],
        )
        self._settings()
        ingest = self.post("ingest-tokens", name="usage-events", endpoints=["/events/*"])
        self.post(f"service-accounts/{accounts['legacy-crm']['id']}/disable", reason="left over")
        old = self.post(f"service-accounts/{accounts['partner-feed']['id']}/keys", name="first")
        gone = self.post(
            f"keys/{old['key']['id']}/revoke", reason="compromised", text="found in a repository"
        )
        one = accounts["etl-warehouse"]
        self._use(accounts)
        review = self.post("reviews", name="2026 Q4", template="full", due_days=14)
        self.ids = {
            "account_id": one["id"],
            "key_id": one["key"]["id"],
            "role_id": role["id"],
            "group": group["id"],
            "team": team["id"],
            "policy_id": policy["id"],
            "review_id": review["id"],
            "ingest": ingest["key"]["id"],
            "receipt_id": gone["receipt"]["id"],
            "user": self._other(),
            "pat": self.organization.admin.get("/v1/personal-access-tokens")["items"][0]["id"],
        }
        self._spread()

    def _settings(self) -> None:
        """Make what its settings show."""
        self.post("webhooks", name="Audit to SIEM", url="https://siem.northwind.example/retinue")
        self.post(
            "saved-views",
            list="service-accounts",
            name="Production",
            filters={"environment": "production"},
            shared=True,
        )

    def _accounts(self, owner: str, role: str) -> dict[str, JSON]:
        """Make the accounts, each with a key; return what was answered, by their names."""
        made = {}
        for name, (purpose, environment, _calls) in JOBS.items():
            made[name] = self.post(
                "service-accounts",
                name=name,
                purpose=purpose,
                environment=environment,
                owners=[owner],
                roles=[role],
                permissions=["alert:read"],
                key={"name": f"{name[:16].rstrip('-')}-2026"},
                justification="needed",
            )
        return made

    def _other(self) -> str:
        """Make another person of the organization; return their id."""
        made = self.post(
            "users",
            email="ada@northwind.example",
            name="Ada Lovelace",
            roles=["auditor"],
            justification="audits",
        )
        return str(made["id"])

    def _use(self, accounts: dict[str, JSON]) -> None:
        wanted = [f"{thing}:{act}" for thing in THINGS for act in ("read", "create")]
        paths = ("/reports/2026-03", "/datasets/orders/rows", "/alerts")
        url = f"{self.organization.server.running.node_url}/v1/verify"
        for name, (_purpose, _environment, calls) in JOBS.items():
            for n in range(calls):
                need = wanted[(n * 2) % 6] if n % 5 else wanted[1]
                body = {"token": accounts[name]["token"], "need": [need], "client": "python-httpx/0.27"}
                body |= {"method": "GET", "path": paths[n % 3], "address": f"10.0.3.{7 + n % 3}"}
                answer = http("POST", url, body=body)
                assert answer.status == 200, answer.body
        for name, (_purpose, _environment, calls) in JOBS.items():
            if calls:
                self.organization.logged(accounts[name], least=calls)

    def _spread(self) -> None:
        """Have the calls come over a day, and take a time that does not change from run to run."""
        file = self.organization.server.running.home / "retinue.db"
        self._wait_for_own(file)
        with closing(sqlite3.connect(file, timeout=30)) as database:
            # What making all this has asked of the API itself would stand above the calls of the accounts.
            database.execute(
                "DELETE FROM traffic_request WHERE organization = ? AND account_kind = 'user'",
                (self.organization.id,),
            )
            database.execute(
                "UPDATE traffic_request SET at = datetime('now', '-' || ((id * 7919) % 82800) || ' seconds'),"
                " duration_us = 18 + id % 23 WHERE organization = ?",
                (self.organization.id,),
            )
            for statement in hours.statements("sqlite"):
                database.execute(statement)
            database.commit()

    def _wait_for_own(self, file: Path) -> None:
        """Wait until this organization's own calls so far are logged, which are told in their order."""
        self.organization.admin.get("/v1/roles", limit=1, search="the last of all")
        last = (
            "SELECT count(*) FROM traffic_request"
            " WHERE organization = ? AND path LIKE '/v1/roles%' AND id > (SELECT max(id) FROM traffic_request"
            " WHERE organization = ? AND path LIKE '/v1/service-accounts/%/requests')"
        )
        with closing(sqlite3.connect(file, timeout=30)) as database:
            wait_for(
                "the last call is logged",
                lambda: database.execute(last, (self.organization.id,) * 2).fetchone()[0],
                seconds=30,
                every=0.1,
            )
