"""The rules of a credential's life, and of what it is narrowed to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retinue.server.credentials import narrowing, rules
from retinue.server.errors import Refused
from retinue.server.policies.policy import NATIVE

NOW = datetime(2027, 1, 31, tzinfo=UTC)


def test_an_end_is_asked_for_where_nothing_else_says_one() -> None:
    """
    With an expiry required, and neither default nor maximum, who states no end is refused.
    """
    bound = rules.Bounds(None, None, "maximum", may_never_end=False)

    with pytest.raises(Refused) as caught:
        rules.expiry(None, NOW, bound)
    assert ("missing_field", "expires") == (caught.value.code, caught.value.field)
    assert NOW + timedelta(days=900) == rules.expiry("900d", NOW, bound).at


@pytest.mark.parametrize(
    ("life", "lead", "every", "due"),
    [(90, 14, None, 76), (30, 14, None, 20), (90, 14, 20, 20), (None, 14, 20, 20), (None, 14, None, None)],
)
def test_rotation_is_due_before_the_end(
    life: int | None, lead: int, every: int | None, due: int | None
) -> None:
    """
    ``rotate_by`` is the lead before the end, at most a third of the life, or the rhythm, whichever comes first.
    """
    policy = replace(NATIVE, rotation_lead_days=lead, rotation_every_days=every)
    expires = None if life is None else NOW + timedelta(days=life)
    at = rules.rotate_by(NOW, expires, policy)

    assert due == (None if at is None else (at - NOW).days)


@pytest.mark.parametrize(
    ("new", "old", "is_within"),
    [
        ({}, {}, True),
        ({"methods": ["GET"]}, {}, True),
        ({}, {"methods": ["GET"]}, False),
        ({"methods": ["GET"]}, {"methods": ["GET", "POST"]}, True),
        ({"methods": ["GET", "PUT"]}, {"methods": ["GET", "POST"]}, False),
        ({"networks": ["10.1.0.0/16"]}, {"networks": ["10.0.0.0/8"]}, True),
        ({"networks": ["10.0.0.0/8"]}, {"networks": ["10.1.0.0/16"]}, False),
        ({"networks": ["::1/128"]}, {"networks": ["0.0.0.0/0"]}, False),
        ({"endpoints": ["/a/b"]}, {"endpoints": ["/a/*"]}, True),
        ({"endpoints": ["/ab"]}, {"endpoints": ["/a/*"]}, False),
        ({"endpoints": ["/a/*"]}, {"endpoints": ["/a/b"]}, False),
        ({"endpoints": ["/a"], "methods": ["GET"]}, {"endpoints": ["/a"]}, True),
    ],
)
def test_narrower_is_told_from_wider(new: dict[str, Any], old: dict[str, Any], is_within: bool) -> None:
    """
    Restrictions are within others when they admit nothing that these do not.
    """
    assert is_within == narrowing.is_within(new, old)


def test_windows_are_narrower_inside_each_other() -> None:
    """
    A window is within another of the same zone that contains its days and hours; over midnight only its equal is.
    """
    whole = {"days": ["mon", "tue"], "start": "08:00", "end": "18:00", "zone": "UTC"}
    night = {**whole, "start": "22:00", "end": "06:00"}
    cases = {
        True: [(whole, whole), ({**whole, "days": ["tue"], "start": "09:00"}, whole), (night, night)],
        False: [
            ({**whole, "end": "19:00"}, whole),
            ({**whole, "zone": "Europe/Berlin"}, whole),
            (night, whole),
        ],
    }

    for expected, pairs in cases.items():
        for new, old in pairs:
            assert expected == narrowing.is_within({"times": [new]}, {"times": [old]}), (new, old)
