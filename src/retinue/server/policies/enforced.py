"""Which policy keys have no effect yet. A key that is accepted is enforced.

A key that nothing enforces keeps its native default: a document that asks for another value is refused as
not available yet, and what a preset says of it waits. Each other key has a test that shows what it does
(``tests/architecture/keys_shown.py``).
"""

from __future__ import annotations

#: Whole keys, or members of one that is an object. Nobody tells a gateway when the call that it asked about
#: has ended, so nothing counts how many run at a time (docs/adr/0008).
UNENFORCED: frozenset[str] = frozenset({"limits.per_account.parallel"})


def is_enforced(name: str, member: str = "") -> bool:
    """Tell whether a value of this key, or of its member, has an effect; of an object, each member."""
    if name in UNENFORCED:
        return False
    if member:
        return f"{name}.{member}" not in UNENFORCED
    return not any(each.rpartition(".")[0] == name for each in UNENFORCED)
