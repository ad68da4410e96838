"""What the database gives that a node saw taken away: two records of one object compared. Pure functions.

Each field of a record has a comparison that tells whether ours gives more than theirs; a field that has none
here must be equal. So a field that a later version adds is never overlooked: it fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from retinue.replica.records import Digest, Kind, Principal, Record
from retinue.server.access.covering import ends_later, is_held, more_bits, more_scopes

Comparison = Callable[[Any, Any], bool]


def _any(_ours: Any, _theirs: Any) -> bool:
    """It gives nobody access."""
    return False


def _more(ours: Any, theirs: Any) -> bool:
    """Ours holds something that theirs does not."""
    return not set(ours) <= set(theirs)


def _fewer(ours: Any, theirs: Any) -> bool:
    """Theirs holds something that ours does not: what is forbidden, say."""
    return not set(theirs) <= set(ours)


def _earlier(ours: int, theirs: int) -> bool:
    return ours < theirs


def _state(*order: str) -> Comparison:
    def compare(ours: str, theirs: str) -> bool:
        rank = {state: number for number, state in enumerate(order)}
        return rank.get(ours, 0) < rank.get(theirs, len(order))

    return compare


def _digests(ours: tuple[Digest, ...], theirs: tuple[Digest, ...]) -> bool:
    """Ours accepts a token that theirs does not."""
    known = {(each.value, each.pepper_id): each.valid_until_ms for each in theirs}
    for each in ours:
        ends = known.get((each.value, each.pepper_id), -1)
        if ends < 0 or ends_later(each.valid_until_ms, ends):
            return True
    return False


#: The comparisons, by kind and field. What is not listed must be equal.
COMPARISONS: Mapping[Kind, Mapping[str, Comparison]] = {
    Kind.CREDENTIAL: {
        "state": _state("active", "suspended", "revoked", "deleted"),
        "digests": _digests,
        "not_before_ms": _earlier,
        "expires_at_ms": ends_later,
        "retires_at_ms": ends_later,
        "rotate_by_ms": _any,
        "has_expired": lambda ours, theirs: theirs and not ours,
    },
    Kind.PRINCIPAL: {
        "state": _state("enabled", "disabled", "deleted"),
        "handle": _any,
        "name": _any,
        "permissions": more_bits,
        "holders": _more,
        "scoped": more_scopes,
    },
    Kind.HOLDER: {"permissions": more_bits, "bound": more_bits, "scoped": more_scopes},
    Kind.ORGANIZATION: {
        "state": _state("enabled", "disabled", "deleted"),
        "handle": _any,
        "name": _any,
        "schemes": _more,
        "forbidden_for_service": lambda ours, theirs: more_bits(theirs, ours),
        "personal_tokens": lambda ours, theirs: ours and not theirs,
        "lease_ms": lambda ours, theirs: ours > theirs,
        "warn_ms": _any,
        "ingest": _more,
        "user_holders": _more,
        "service_holders": _more,
    },
    Kind.IDENTITY_KEY: {"not_after_ms": ends_later},
    Kind.RESOURCE: {"teams": _more},
    # Names; what they lead to has a record of its own.
    Kind.PERMISSION: {"index": _any},
    Kind.ORGANIZATION_HANDLE: {},
}


def excess(kind: Kind, ours: Record | None, theirs: Record | None) -> list[str]:
    """Return the fields in which our record of an object gives more than theirs; all, if theirs is gone."""
    if ours is None:
        return []
    fields = msgspec.structs.asdict(ours)
    if theirs is None:
        return list(fields)
    other = msgspec.structs.asdict(theirs)
    known = COMPARISONS.get(kind, {})
    found = [name for name, value in fields.items() if known.get(name, _differs)(value, other[name])]
    return _without_timed(found, ours, theirs)


def _without_timed(found: list[str], ours: Record, theirs: Record) -> list[str]:
    """What is held until an instant is compared with all that is held."""
    if not (isinstance(ours, Principal) and isinstance(theirs, Principal)):
        return found
    longer = [
        each for each in ours.timed if not is_held(each.holder, each.until_ms, theirs.holders, theirs.timed)
    ]
    return [name for name in found if name != "timed"] + ["timed"] * bool(longer)


def _differs(ours: Any, theirs: Any) -> bool:
    return bool(ours != theirs)
