"""Texts that the console shows and others write: of events, findings, policies, problems, native roles.

The API's texts are a contract and stay English. They are translated where a page shows them, so the
catalogue of translations takes them in from here (:func:`texts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from django.utils.translation import gettext

from retinue.problem import CATALOGUE
from retinue.server.access.roles import ROLES
from retinue.server.governance.rules import KINDS
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.policies.keys import KEYS
from retinue.server.policies.values import ListOf, MapOf, Members, OrNull, Text, Type
from retinue.server.policies.words import SENTENCES

_PLACE = re.compile(r"%\((\w+)\)s")


def texts() -> Iterator[str]:
    """Yield each text that a registry outside the console has for people, in the registries' order."""
    for event in EVENTS.values():
        yield event.meaning
    for kind in KINDS.values():
        yield kind.title
        yield kind.severity
        yield kind.meaning
    for key in KEYS.values():
        yield key.meaning
        yield from _allowed(key.type)
    yield from SENTENCES
    for problem in CATALOGUE.values():
        yield problem.title
    for role in ROLES.values():
        yield role.description


def _allowed(type_: Type) -> Iterator[str]:
    """Yield what texts of a type of policy keys may be."""
    match type_:
        case Text():
            yield type_.allowed
        case ListOf() | OrNull():
            yield from _allowed(type_.of)
        case MapOf():
            yield from _allowed(type_.label)
            yield from _allowed(type_.of)
        case Members():
            for each in type_.members.values():
                yield from _allowed(each)


@cache
def _known() -> frozenset[str]:
    return frozenset(texts())


@cache
def _with_places() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the texts in which values stand, each with the pattern of what it becomes."""
    found = sorted(each for each in _known() if _PLACE.search(each))
    return tuple((re.compile(_pattern(each), re.S), each) for each in found)


def _pattern(text: str) -> str:
    parts = _PLACE.split(text)
    return "".join(f"(?P<{part}>.+?)" if n % 2 else re.escape(part) for n, part in enumerate(parts))


def said(text: str) -> str:
    """Return a text in the language of the page; what no registry has, such as people's own, as it is.

    The values that stand in it stay as they are.
    """
    if text in _known():
        return gettext(text)
    for pattern, with_places in _with_places():
        found = pattern.fullmatch(text)
        if found is not None:
            return gettext(with_places) % found.groupdict()
    return text
