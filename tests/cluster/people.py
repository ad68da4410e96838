"""``python -m tests.cluster.people COUNT``: makes guests in the database of the environment, and prints them.

The control plane does not run yet. Each guest is an organization with an owner and as many users as there are
ways to end one; everybody has a token and holds the permission.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import django

from tests.cluster.ways_people import ENDING_USERS, Guest
from tests.support.installation import Installation

ROOT = Path(__file__).resolve().parents[2]


def _guest(number: int) -> Guest:
    from retinue.server.access import actions as access
    from retinue.server.credentials import actions as credentials
    from retinue.server.directory import actions as directory
    from retinue.server.ledger.transaction import SYSTEM, Transaction, transaction

    handle = f"guest-{number}"

    def person(tx: Transaction, name: str, role: str) -> tuple[str, str]:
        made = directory.create_user(tx, organization.id, email=f"{name}@{handle}.example", name=name)
        access.assign_roles(tx, made, [role], "a test")
        issued = credentials.issue_personal_token(tx, made, name="t", days=9)
        return made.id, issued.token.reveal()

    with transaction(SYSTEM, reason="a test") as tx:
        organization = directory.create_organization(tx, handle=handle, name=handle)
        access.set_up_organization(tx, organization)
        owner, token = person(tx, "olga", "owner")
        users = tuple(person(tx, f"uma-{each}", "owner") for each in range(len(ENDING_USERS)))
    return Guest(organization.id, handle, owner, token, users)


def invited(installation: Installation, count: int) -> list[Guest]:
    """Make guests of an installation that does not run, in a process of their own."""
    command = [sys.executable, "-m", "tests.cluster.people", str(count)]
    made = subprocess.run(
        command,
        env=installation.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr
    found: list[dict[str, Any]] = json.loads(made.stdout)
    return [Guest(**each | {"users": tuple(tuple(user) for user in each["users"])}) for each in found]


def main(count: int) -> None:
    """Make so many guests and print them."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
    django.setup()
    print(json.dumps([asdict(_guest(number)) for number in range(count)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
