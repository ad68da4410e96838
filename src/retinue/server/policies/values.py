"""Types of policy keys: each reads a value of a document and says what is allowed. Pure functions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from retinue.server.errors import Refused

JSON = Any
#: In documents the word for "no end"; in a policy it is ``None``.
NEVER = "never"


class Type(Protocol):
    """The type of a key's value.

    ``read`` turns JSON into what a policy holds; ``base`` is what holds without it. It raises
    :class:`Refused` that names ``place``. ``write`` is its inverse. ``allowed`` says it in words.
    """

    @property
    def allowed(self) -> str: ...

    def read(self, value: JSON, place: str, base: Any) -> Any: ...

    def write(self, value: Any) -> JSON: ...


def refuse(place: str, allowed: str) -> Refused:
    """Return the refusal of a value: it names the key and what is allowed."""
    return Refused("invalid_value", f"{place}: {allowed}", field=place)


@dataclass(frozen=True, slots=True)
class Plain:
    """What JSON and policies write alike."""

    def write(self, value: Any) -> JSON:
        return value


@dataclass(frozen=True, slots=True)
class Bool(Plain):
    """True or false."""

    allowed: str = "true or false"

    def read(self, value: JSON, place: str, base: Any) -> bool:
        if not isinstance(value, bool):
            raise refuse(place, self.allowed)
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A number from ``least`` to ``most``; ``null`` is the word for none, if there may be none."""

    least: int
    most: int
    null: str | None = None
    whole: bool = True

    @property
    def allowed(self) -> str:
        words = f"{'a whole number' if self.whole else 'a number'} from {self.least} to {self.most}"
        return words if self.null is None else f"{words}, or {self.null}"

    def read(self, value: JSON, place: str, base: Any) -> float | int | None:
        if self.null is not None and value == (None if self.null == "null" else self.null):
            return None
        kinds = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.least <= value <= self.most:
            raise refuse(place, self.allowed)
        return value

    def write(self, value: Any) -> JSON:
        return value if value is not None or self.null == "null" else self.null


@dataclass(frozen=True, slots=True)
class Choice(Plain):
    """One of some words."""

    values: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(self.values)}"

    def read(self, value: JSON, place: str, base: Any) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise refuse(place, self.allowed)
        return value


@dataclass(frozen=True, slots=True)
class OneNumber(Plain):
    """One of some numbers."""

    values: tuple[int, ...]

    @property
    def allowed(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"

    def read(self, value: JSON, place: str, base: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in self.values:
            raise refuse(place, self.allowed)
        return value


@dataclass(frozen=True, slots=True)
class Text(Plain):
    """A text that ``fits``; ``null`` says that there may be none."""

    allowed: str
    fits: Callable[[str], object]
    null: bool = False
    most: int = 255

    def read(self, value: JSON, place: str, base: Any) -> str | None:
        if value is None and self.null:
            return None
        if not isinstance(value, str) or len(value) > self.most or not self.fits(value):
            raise refuse(place, self.allowed)
        return value


def like(pattern: str, words: str, *, most: int = 255) -> Text:
    """Return the type of texts that match the whole of ``pattern``."""
    return Text(words, re.compile(pattern, re.ASCII).fullmatch, most=most)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list without repetitions, of at most ``most`` values of one type."""

    of: Type
    most: int = 256
    least: int = 0

    @property
    def allowed(self) -> str:
        few = f"at least {self.least} and " if self.least else ""
        return f"a list ({few}at most {self.most}), each {self.of.allowed}"

    def read(self, value: JSON, place: str, base: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            raise refuse(place, self.allowed)
        read = tuple(self.of.read(each, f"{place}.{n}", None) for n, each in enumerate(value))
        for n, each in enumerate(read):
            if each in read[:n]:
                raise refuse(f"{place}.{n}", "stands twice")
        return read

    def write(self, value: Any) -> JSON:
        return [self.of.write(each) for each in value]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A value for each of some labels."""

    label: Text
    of: Type
    most: int = 64

    @property
    def allowed(self) -> str:
        return f"at most {self.most} labels ({self.label.allowed}), each with {self.of.allowed}"

    def read(self, value: JSON, place: str, base: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict) or len(value) > self.most:
            raise refuse(place, self.allowed)
        for label in value:
            self.label.read(label, place, None)
        return {label: self.of.read(each, f"{place}.{label}", None) for label, each in value.items()}

    def write(self, value: Any) -> JSON:
        return {label: self.of.write(each) for label, each in value.items()}


@dataclass(frozen=True, slots=True)
class Members:
    """An object with named members; those that are left out keep what holds without it."""

    cls: type
    members: Mapping[str, Type]
    #: Members that must be stated, where the object stands in a list.
    needed: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return "; ".join(f"{name}: {type_.allowed}" for name, type_ in self.members.items())

    def read(self, value: JSON, place: str, base: Any) -> Any:
        if not isinstance(value, dict):
            raise refuse(place, f"an object with {', '.join(self.members)}")
        for name in value:
            if name not in self.members:
                raise Refused(
                    "unknown_field", f"{place}.{name}: one of {', '.join(self.members)}", field=place
                )
        for name in self.needed:
            if name not in value:
                raise Refused("missing_field", f"{place}.{name} is required", field=f"{place}.{name}")
        stated = {
            _attribute(name): self.members[name].read(
                each, f"{place}.{name}", None if base is None else getattr(base, _attribute(name))
            )
            for name, each in value.items()
        }
        return self.cls(**stated) if base is None else dataclasses.replace(base, **stated)

    def write(self, value: Any) -> JSON:
        return {name: type_.write(getattr(value, _attribute(name))) for name, type_ in self.members.items()}


@dataclass(frozen=True, slots=True)
class OrNull:
    """An object, or null for what it is without any member."""

    of: Members

    @property
    def allowed(self) -> str:
        return f"null, or {self.of.allowed}"

    def read(self, value: JSON, place: str, base: Any) -> Any:
        return self.of.cls() if value is None else self.of.read(value, place, base)

    def write(self, value: Any) -> JSON:
        return None if value == self.of.cls() else self.of.write(value)


def _attribute(name: str) -> str:
    """``from`` is a word of Python."""
    return "from_" if name == "from" else name
