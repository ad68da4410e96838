"""A process that writes: makes accounts, fails in between, and prints the revisions that it committed.

``python -m tests.storage.writer ORGANIZATION COUNT SEED``; the database is told by the environment.
"""

from __future__ import annotations

import os
import random
import secrets
import sys


class Failed(Exception):
    """The transaction ends here on purpose."""


def write(organization: str, owner: str, count: int, seed: int) -> list[int]:
    """Commit about ``count`` changes and roll back as many; return the revisions that were committed."""
    from retinue.server.access import actions as access
    from retinue.server.directory.rules import AccountFields
    from retinue.server.ledger.transaction import SYSTEM, transaction

    chance = random.Random(seed)  # noqa: S311
    committed: list[int] = []
    for _ in range(count):
        try:
            with transaction(SYSTEM, reason="test") as tx:
                fields = AccountFields(name=f"w-{secrets.token_hex(8)}", purpose="a test", owners=(owner,))
                access.create_account(tx, organization, fields)
                if chance.random() < 0.3:
                    tx._finish()  # the revision is taken, and then everything fails
                    raise Failed
                if chance.random() < 0.2:
                    raise Failed
        except Failed:
            continue
        assert tx.revision is not None
        committed.append(tx.revision)
    return committed


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
    django.setup()
    print(*write(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
