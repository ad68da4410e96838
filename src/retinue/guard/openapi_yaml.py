"""Reads YAML from strangers: bounded before anything is built, without the forms that grow when read."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml import events

from retinue.guard.openapi import MAX_DEPTH, OpenApiError

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (events.SequenceStartEvent, events.MappingStartEvent)
#: PyYAML reads 1:30 as a number to the base 60, in a time that grows with the square of its length.
_NUMBER, _NUMBER_MAX = re.compile(r"[-+0-9_:.]+", re.ASCII), 100
_CLOSING = (events.SequenceEndEvent, events.MappingEndEvent)


def load(text: str) -> Any:
    """Return a document.

    Raises :class:`OpenApiError` for what is none, is nested too deeply, or has a key twice in one mapping.
    """
    try:
        _look_through(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise OpenApiError(f"line {line}" if line else "", f"not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError) as error:
        if isinstance(error, OpenApiError):
            raise
        raise OpenApiError("", "not YAML") from None


def _look_through(text: str) -> None:
    """Refuse what is nested too deeply, or multiplies: the loader itself recurses, and merges by copying."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, _OPENING):
            depth += 1
            if depth > MAX_DEPTH:
                raise OpenApiError(_line(event), "nested too deeply")
        elif isinstance(event, _CLOSING):
            depth -= 1
        elif isinstance(event, events.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise OpenApiError(_line(event), "merge keys (<<) are not read")
        elif isinstance(event, events.ScalarEvent) and _is_long_number(event):
            raise OpenApiError(_line(event), f"a number of more than {_NUMBER_MAX} characters")


def _is_long_number(event: Any) -> bool:
    is_text = event.style and not event.tag
    return not is_text and len(event.value) > _NUMBER_MAX and _NUMBER.fullmatch(event.value) is not None


def _line(where: Any) -> str:
    return f"line {where.start_mark.line + 1}"


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader, but a key that stands twice is an error: which one counts would be a guess."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                raise OpenApiError(_line(key), f"the key {name!r:.100} stands twice")
            if name is not None:
                seen.add(name)
        return super().construct_mapping(node, deep)
