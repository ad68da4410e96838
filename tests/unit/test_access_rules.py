"""Rules of access that need no database."""

from __future__ import annotations

import pytest

from retinue.server.access import rules
from retinue.server.errors import Refused

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
