"""What accounts used of what they hold, read beside something else about them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import CharField, QuerySet, Value

from retinue.server.traffic.models import Exercise


def beside(
    account_ids: Iterable[str], times: QuerySet[Any, tuple[Any, ...]]
) -> tuple[dict[str, set[str]], dict[str, datetime]]:
    """Return the permissions that each account ever used, and what ``times`` gives, in one statement.

    ``times`` yields an account and a time, which it calls ``last``.
    """
    used: dict[str, set[str]] = {ident: set() for ident in account_ids}
    rows = Exercise.objects.filter(account__in=list(used)).values_list(
        "account", "permission", "last_used_at"
    )
    # No permission has an empty name.
    named = times.annotate(none=Value("", output_field=CharField())).values_list("account", "none", "last")
    last: dict[str, datetime] = {}
    for account, permission, at in rows.union(named, all=True):
        if permission:
            used[account].add(permission)
        elif at is not None:
            last[account] = at
    return used, last
