"""Rules of access that need no database."""

from __future__ import annotations

import pytest

from retinue.server.access import rules
from retinue.server.errors import Refused

#: Own pattern, wanted pattern, covered: for anybody, and for Owner.
COVERS = [
    ("*:*", "*:*", True, True),
    ("*:*", "report:*", True, True),
    ("*:*", "*:read", True, True),
    ("*:*", "company.*:view", True, True),
    ("*:*", "user:*", False, True),
    ("*:read", "*:*", False, False),
    ("*:read", "*:read", True, True),
    ("*:read", "company.*:read", True, True),
    ("report:*", "report:*", True, True),
    ("report:*", "*:*", False, False),
    ("report:*", "*:read", False, False),
    ("report:*", "report.x:*", False, False),
    ("report:read", "report:*", False, False),
    ("user:*", "user:*", True, True),
    ("company.*:*", "company.*:view", True, True),
    ("company.*:*", "company.email:*", True, True),
    ("company.*:view", "company.*:*", False, False),
    ("company.email:*", "company.*:*", False, False),
    ("company.*:*", "company:*", False, False),
    ("company.*:*", "company.*.*:*", False, False),
    ("company.*.x:*", "company.*.x:*", True, True),
]
CATALOGUE = ("report:read", "report:write", "invoice:read")


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("report:raed", "; did you mean 'report:read'?"),
        ("reprot:write", "; did you mean 'report:write'?"),
        ("a:b", ""),
    ],
)
def test_unknown_permission_names_the_closest(pattern: str, hint: str) -> None:
    """
    A mistyped permission is refused with the declared one that was probably meant.
    """
    with pytest.raises(Refused) as refused:
        rules.check_pattern(pattern, CATALOGUE)

    assert ("permission_unknown", f"no declared permission is {pattern!r}{hint}") == (
        refused.value.code,
        refused.value.detail,
    )


@pytest.mark.parametrize(("own", "wanted", "covered", "by_owner"), COVERS)
def test_pattern_covered_by_pattern(own: str, wanted: str, covered: bool, by_owner: bool) -> None:
    """
    Covered is what holds for every permission that may ever be declared, not only for today's.
    """
    found = [rules.covers_pattern(own, wanted, reaches_management=owner) for owner in (False, True)]

    assert [covered, by_owner] == found
