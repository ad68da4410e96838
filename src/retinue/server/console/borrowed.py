"""Texts that the console shows and others write: of events, findings, policy keys, native roles.

The API's texts are a contract and stay English. They are translated where a page shows them, so the
catalogue of translations takes them in from here (:func:`texts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from django.utils.translation import gettext

from retinue.server.access.roles import ROLES
from retinue.server.governance.rules import KINDS
from retinue.server.ledger.catalogue import EVENTS
from retinue.server.policies.keys import KEYS


def texts() -> Iterator[str]:
    """Yield each text that a registry outside the console has for people, in the registries' order."""
    for event in EVENTS.values():
        yield event.meaning
    for kind in KINDS.values():
        yield kind.severity
        yield kind.meaning
    for key in KEYS.values():
        yield key.meaning
    for role in ROLES.values():
        yield role.description


@cache
def _known() -> frozenset[str]:
    return frozenset(texts())


def said(text: str) -> str:
    """Return a text in the language of the page; what no registry has, such as people's own, as it is."""
    return gettext(text) if text in _known() else text
