"""A process that ships a spool in batches until it is killed, as a follower does.

``python -m tests.storage.shipper NODE SPOOL CREDENTIAL TOTAL``; the database is told by the environment.
"""

from __future__ import annotations

import os
import sys


def entries(credential: str, first: int, count: int) -> list[object]:
    """Return the entries of a spool from a sequence on; each tells its sequence in its duration."""
    from retinue.server.traffic.actions import Entry

    return [
        Entry(
            at_ms=1_700_000_000_000 + sequence,
            organization="org_x",
            account="sa_x",
            account_name="etl",
            account_kind="service_account",
            credential_id=credential,
            allowed=sequence % 2 == 0,
            reason=None if sequence % 2 == 0 else "permission_missing",
            permission="report:read",
            method="GET",
            path="/v1/reports",
            address="192.0.2.1",
            client="curl/8",
            duration_us=sequence,
        )
        for sequence in range(first, first + count)
    ]


def ship(node: str, spool: str, credential: str, total: int, batch: int = 37) -> None:
    """Ship everything up to ``total``, from where the control plane stands."""
    from retinue.server.traffic.actions import ingest

    following = ingest(node, spool, 0, [])
    while following < total:
        count = min(batch, total - following)
        following = ingest(node, spool, following, entries(credential, following, count))  # type: ignore[arg-type]


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
    django.setup()
    print("ready", flush=True)
    ship(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
