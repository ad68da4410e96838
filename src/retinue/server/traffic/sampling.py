"""Which decisions the request log keeps, by the policy of their organization.

Usage counters see every decision all the same: what is sampled away was used, and a first use is never lost.
"""

from __future__ import annotations

import random

from retinue.server.policies.policy import RequestLog
from retinue.server.policies.queries import policy_of
from retinue.server.traffic.rules import Entry


class Kept:
    """Decides for one batch; each organization's policy is read once."""

    def __init__(self) -> None:
        self._policies: dict[str, RequestLog] = {}

    def keeps(self, entry: Entry) -> bool:
        """Tell whether a decision stays in the log. A denial does, unless the log is off."""
        policy = self._policies.get(entry.organization)
        if policy is None:
            policy = self._policies[entry.organization] = policy_of(entry.organization).request_log
        if not policy.enabled:
            return False
        # Not a secret: nobody gains by guessing which allowed call is kept.
        return not entry.allowed or policy.sample_allowed >= 1 or random.random() < policy.sample_allowed  # noqa: S311
