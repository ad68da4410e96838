"""How long a follower pauses: after a failure, and after an answer that came too soon."""

from __future__ import annotations

import random

from retinue.replica import lease

LONGEST_SECONDS = 1.0
#: What a person has to mend first is not asked for that often.
LONGEST_REFUSED_SECONDS = 5.0
LONGEST_REST_SECONDS = 0.2
#: An answer that comes by this share of the wait early was held: polls that end together share an answer.
_EARLY_SHARE = 0.1


def back_off(failures: int, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    pause = min(0.05 * float(2 ** min(failures - 1, 7)), longest)
    # Jitter keeps many nodes from asking in step; it is no secret.
    return pause * random.uniform(0.5, 1.0)  # noqa: S311


def rest(wait: float, sent_ns: int) -> float:
    """Return the seconds to leave others their turn, after an answer without news to a poll sent then.

    It asked to be held for ``wait`` seconds. If the control plane holds no more polls, it answers at once,
    and whoever asked again at once would keep it from everything else.
    """
    left = wait * (1 - _EARLY_SHARE) - (lease.boot_clock_ns() - sent_ns) / 1e9
    return max(min(left, LONGEST_REST_SECONDS), 0.0)
