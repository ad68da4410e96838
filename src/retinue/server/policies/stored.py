"""Documents that were accepted once, also by another version of Retinue: they never stop an organization."""

from __future__ import annotations

from dataclasses import replace

from retinue.server.errors import Refused
from retinue.server.policies.presets import NATIVE, PRESETS
from retinue.server.policies.rules import Compiled, Document, Values, compiled


def kept(document: Document) -> tuple[Compiled, list[str]]:
    """Compile a stored document; what cannot be read any more is left out, and returned in words."""
    try:
        return compiled(document), []
    except Refused as refused:
        said = [] if document.preset in PRESETS else [refused.detail]
    base = Document(document.preset if document.preset in PRESETS else NATIVE)
    base = replace(base, overrides=_readable(base, "", document.overrides, said))
    for label, values in document.environments.items():
        found = _readable(base, label, values, said)
        if found:
            base = replace(base, environments={**base.environments, label: found})
    return compiled(base), said


def _readable(base: Document, label: str, values: Values, said: list[str]) -> Values:
    """Return those of ``values`` that hold beside ``base``, tried one after the other."""
    found: Values = {}
    for name, value in values.items():
        tried = {**found, name: value}
        try:
            compiled(replace(base, environments={label: tried}) if label else replace(base, overrides=tried))
        except Refused as refused:
            said.append(refused.detail)
        else:
            found = tried
    return found
