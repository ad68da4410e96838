"""Gives people of the served installation their first token, as they would get it from the console.

A process of its own: it reads ids of users, a line each, and answers each with a token.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Answer until the input ends."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
    import django

    django.setup()
    from retinue.server.credentials.actions import issue_personal_token
    from retinue.server.directory.queries import Principal
    from retinue.server.ledger.transaction import SYSTEM, transaction

    for line in sys.stdin:
        with transaction(SYSTEM, reason="first token") as tx:
            issued = issue_personal_token(tx, Principal.objects.get(id=line.strip()), name="first", days=30)
        print(issued.token.reveal(), flush=True)


if __name__ == "__main__":
    main()
