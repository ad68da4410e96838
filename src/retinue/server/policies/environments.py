"""Conditions on rows whose policy depends on the environment that an account names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db.models import Q

from retinue.server.policies.policy import Policy
from retinue.server.policies.rules import Compiled

Value = TypeVar("Value")


def where(
    compiled: Compiled, place: str, value: Callable[[Policy], Value], condition: Callable[[Value], Q]
) -> Q:
    """Return ``condition`` of the ``value`` that holds for a row; ``place`` is where its environment stands.

    Where no environment has another value, the environment is not looked at.
    """
    usual = value(compiled.policy)
    others = {label: value(policy) for label, policy in compiled.environments.items()}
    others = {label: each for label, each in others.items() if each != usual}
    if not others:
        return condition(usual)
    found = Q(**{f"{place}__in": list(others)})
    # A row without an account has no environment.
    made = (~found | Q(**{f"{place}__isnull": True})) & condition(usual)
    for label, each in others.items():
        made |= Q(**{place: label}) & condition(each)
    return made


def warned_days(policy: Policy) -> int:
    """Return how many days before its end a credential begins to warn."""
    return max(policy.expiry_warn_days, default=0)
