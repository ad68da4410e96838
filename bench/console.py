"""Measures the console's pages in a large organization: 10,000 accounts, 50,000 keys, a million requests.

``python -m bench.console``, from the root of the repository, on SQLite and on PostgreSQL, each of this run.
What is measured is the time until the whole page is there, in the process that makes it: routing, session,
every statement, the template; no network. The requests lie within 30 days. ``--quick`` has a tenth of them.
"""

from __future__ import annotations

import argparse
import statistics
import time

from django.db import connection

from bench.writes import _database
from tests.server_support import django_setup

REQUESTS = 1_000_000
ROUNDS = 7
ACCOUNT = "accounts/sa_0005000"
PAGES = {
    "home": "",
    "home: findings": "findings/counts",
    "accounts": "accounts",
    "accounts: search": "accounts?search=bulk_000500",
    "accounts: attention": "accounts?view=attention",
    "account": ACCOUNT,
    "account: findings": f"{ACCOUNT}/findings",
    "account: keys": f"{ACCOUNT}/keys",
    "account: access": f"{ACCOUNT}/access",
    "account: requests": f"{ACCOUNT}/requests",
    "new account": "accounts/new",
    "credentials": "credentials",
    "request log": "requests",
    "request log: denied": "requests?decision=denied",
    "request log: a path that nobody asked for": "requests?path=/none",
    "chart of 24 h": "requests/chart",
    "chart of 30 d": "requests/chart?range=30d",
    "audit log": "audit",
    "findings": "findings",
    "findings: one kind": "findings?kind=over_permitted",
    "roles": "access/roles",
    "permissions": "access/permissions",
    "why": "access/explain?permission=report:read&principal=bulk_0005000",
    "users": "settings/users",
    "policies": "policies",
    "palette": "palette?q=bulk_00050",
}
_SPREAD = {
    "sqlite": "UPDATE traffic_request SET at = datetime('now', '-' || (id % 2592000) || ' seconds')",
    "postgresql": "UPDATE traffic_request SET at = now() - (id % 2592000) * interval '1 second'",
}


def main() -> int:
    """Run on both databases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    options = parser.parse_args()
    django_setup.setup()
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for kind in django_setup.kinds():
        with _database(kind) as url, django_setup.database(url):
            found[kind] = _measured(REQUESTS // 10 if options.quick else REQUESTS)
    print(f"{'page':22}" + "".join(f"{f'{kind}, ms':>18}{'worst':>8}" for kind in found))
    for name in PAGES:
        print(
            f"{name:22}" + "".join(f"{each[name][0]:>18.1f}{each[name][1]:>8.1f}" for each in found.values())
        )
    return 0


def _measured(requests: int) -> dict[str, tuple[float, float]]:
    """Return the median and the longest time of each page, in milliseconds."""
    from retinue.server.directory import actions as directory
    from retinue.server.governance.models import KeptFinding
    from retinue.server.ledger.guard import suspended_for_schema_changes
    from retinue.server.ledger.transaction import SYSTEM, transaction
    from tests.api import bulk
    from tests.api.world import World
    from tests.console.browser import Browser
    from tests.server_support.findings import look

    bulk.REQUESTS = requests
    world = World.create(operator=True)
    bulk.fill(world)
    with suspended_for_schema_changes(), connection.cursor() as cursor:
        cursor.execute(_SPREAD[connection.vendor])
        cursor.execute("ANALYZE")
    for which in ("first", "second"):
        began = time.perf_counter()
        look(world.organization.id)
        print(f"{connection.vendor}: the {which} look at everything took {time.perf_counter() - began:.1f} s")
    print(f"{connection.vendor}: {KeptFinding.objects.count():,} findings")
    assert world.owner.principal is not None
    with transaction(SYSTEM, reason="bench") as tx:
        directory.set_password(tx, world.owner.principal, "a long password of a bench")
    browser = Browser()
    browser.sign_in(world.owner.principal.email, "a long password of a bench")
    return {name: _time(browser, f"/o/{world.organization.handle}/{path}") for name, path in PAGES.items()}


def _time(browser: object, path: str) -> tuple[float, float]:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page = browser.get(path)  # type: ignore[attr-defined]
        taken.append((time.perf_counter() - began) * 1e3)
        if page.status_code != 200:  # a call that takes too long is given up: that is a figure too
            print(f"{path}: {page.status_code}")
    return statistics.median(taken), max(taken)


if __name__ == "__main__":
    raise SystemExit(main())
