"""Tells what would refuse a name of a service account, before anybody creates it. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from retinue.server.directory import naming, rules, uniqueness
from retinue.server.errors import Refused
from retinue.server.policies.policy import Policy
from retinue.server.policies.queries import policy_of


@dataclass(frozen=True, slots=True)
class Tried:
    """A name, the handle that would be made of it (empty: none can be made), and what refuses it."""

    name: str
    handle: str
    problems: tuple[Refused, ...]


def names(organization_id: str, asked: Iterable[str]) -> list[Tried]:
    """Try each name as that of a new account, and beside those before it. Takes a query for each."""
    policy = policy_of(organization_id)
    found, taken = list[Tried](), dict[str, str]()
    for name in asked:
        tried = _tried(organization_id, policy, name)
        key = naming.unique_key(policy, tried.handle, name) if tried.handle else None
        if key is not None and key in taken:
            twice = Refused("duplicate_name", f"{taken[key]!r}, named before, would take it", field="name")
            tried = Tried(tried.name, tried.handle, (*tried.problems, twice))
        elif key is not None:
            taken[key] = name
        found.append(tried)
    return found


def _tried(organization_id: str, policy: Policy, name: str) -> Tried:
    problems: list[Refused] = []

    def held(check: Callable[[], object]) -> None:
        try:
            check()
        except Refused as refused:
            problems.append(refused)

    held(lambda: rules.check_name(name))
    if problems:
        return Tried(name, "", tuple(problems))
    name = name.strip()
    held(lambda: naming.check_convention(name, policy))
    handle = ""
    with suppress(Refused):
        handle = naming.handle(name, None, policy)
    if handle:
        held(lambda: uniqueness.check_free(organization_id, policy, handle, name, "name"))
    else:
        held(lambda: naming.handle(name, None, policy))
    return Tried(name, handle, tuple(problems))
