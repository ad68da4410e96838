"""A policy key as fields of a form, and its value in words: by the type that the registry states."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from retinue.server.console.borrowed import said
from retinue.server.policies.values import (
    Bool,
    Choice,
    ListOf,
    MapOf,
    Members,
    Number,
    OneNumber,
    OrNull,
    Text,
    Type,
)

JSON = Any
#: Lists whose numbers are days, although their names do not say so.
_OF_DAYS = frozenset({"choices", "by_environment", "days"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field, or a group of them (``kind`` is ``group`` or ``rows``).

    ``kind`` is ``switch``, ``number``, ``choice``, ``checks``, ``text``, ``lines`` or ``pairs``.
    """

    kind: str
    name: str
    label: str
    value: JSON = ""
    unit: str = ""
    help: str = ""
    #: Where there may be none: the word for it.
    none: str = ""
    is_none: bool = False
    least: str = ""
    most: str = ""
    step: str = ""
    choices: tuple[str, ...] = ()
    fields: tuple[Field, ...] = field(default_factory=tuple)


def unit(name: str) -> str:
    """Return in what a number of this name is counted: ``days`` to ``seconds``; or nothing."""
    last = name.rpartition(".")[2]
    if last in _OF_DAYS:
        return "days"
    found = re.search(r"_(days|hours|minutes|seconds)$", last)
    return found[1] if found else ""


def counted(number: float, of: str) -> str:
    """Return a number with its unit: ``90 days``; whole hours and days of seconds as such: ``24 hours``."""
    if of == "seconds" and number and number % 3_600 == 0:
        number, of = (number // 86_400, "days") if number % 172_800 == 0 else (number // 3_600, "hours")
    words: dict[str, Callable[[float], str]] = {
        "days": lambda n: ngettext("%(n)s day", "%(n)s days", int(n)) % {"n": n},
        "hours": lambda n: ngettext("%(n)s hour", "%(n)s hours", int(n)) % {"n": n},
        "minutes": lambda n: ngettext("%(n)s minute", "%(n)s minutes", int(n)) % {"n": n},
        "seconds": lambda n: ngettext("%(n)s second", "%(n)s seconds", int(n)) % {"n": n},
    }
    return words[of](number) if of in words else str(number)


def _unit_word(of: str) -> str:
    return {
        "days": _("days"),
        "hours": _("hours"),
        "minutes": _("minutes"),
        "seconds": _("seconds"),
    }.get(of, "")


def _none(type_: Number) -> str:
    return _("never") if type_.null == "never" else pgettext("no number", "none")


def in_words(type_: Type, value: JSON, name: str) -> str:
    """Return a value, as the API writes it, in words: ``yes``, ``90 days``, ``never``, ``role, direct``."""
    match type_:
        case Bool():
            return _("yes") if value else _("no")
        case Number():
            return _none(type_) if value in (None, "never") else counted(value, unit(name))
        case ListOf() | MapOf() if not value:
            return pgettext("no entry", "none")
        case ListOf(of=Members()):
            return ", ".join(str(each.get("handle") or each["name"]) for each in value)
        case ListOf(of=Number()) if all(isinstance(each, int) for each in value):
            return ", ".join([*map(str, value[:-1]), counted(value[-1], unit(name))])
        case ListOf():
            return ", ".join(in_words(type_.of, each, name) for each in value)
        case MapOf():
            return ", ".join(f"{label}: {in_words(type_.of, each, name)}" for label, each in value.items())
        case OrNull():
            return pgettext("no entry", "none") if value is None else in_words(type_.of, value, name)
        case Members():
            return " · ".join(
                f"{_said(each)}: {in_words(inner, value[each], f'{name}.{each}')}"
                for each, inner in type_.members.items()
                if each in value
            )
        case _:
            return pgettext("no text", "none") if value in (None, "") else str(value)


def _said(member: str) -> str:
    return member.replace("_", " ")


def _range(type_: Number) -> str:
    words = (
        _("a whole number from %(least)s to %(most)s")
        if type_.whole
        else _("a number from %(least)s to %(most)s")
    )
    return words % {"least": type_.least, "most": type_.most}


def allowed(type_: Type) -> str:
    """Return what a type allows, in the language of the page; in English what the API says."""
    match type_:
        case Bool():
            return _("true or false")
        case Number():
            words = _range(type_)
            return (
                words
                if type_.null is None
                else _("%(value)s, or %(none)s") % {"value": words, "none": type_.null}
            )
        case Choice() | OneNumber():
            return _("one of %(values)s") % {"values": ", ".join(map(str, type_.values))}
        case ListOf():
            inner = {"least": type_.least, "most": type_.most, "value": allowed(type_.of)}
            if type_.least:
                return _("a list (at least %(least)s and at most %(most)s), each %(value)s") % inner
            return _("a list (at most %(most)s), each %(value)s") % inner
        case MapOf():
            inner = {"most": type_.most, "label": allowed(type_.label), "value": allowed(type_.of)}
            return _("at most %(most)s labels (%(label)s), each with %(value)s") % inner
        case OrNull():
            return _("null, or %(value)s") % {"value": allowed(type_.of)}
        case Members():
            return "; ".join(f"{name}: {allowed(each)}" for name, each in type_.members.items())
        case _:
            return said(type_.allowed)


def fields(type_: Type, value: JSON, name: str, key: str, label: str = "") -> Field:
    """Return the field or fields for a value; ``name`` is that of the form, ``key`` that of the policy."""
    of = unit(key)
    match type_:
        case Bool():
            return Field("switch", name, label, value)
        case Number():
            is_none = value in (None, "never")
            return Field(
                "number", name, label, "" if is_none else str(value), _unit_word(of), _range(type_),
                _none(type_) if type_.null else "", is_none, str(type_.least), str(type_.most),
                "1" if type_.whole else "any",
            )  # fmt: skip
        case Choice() | OneNumber():
            return Field("choice", name, label, str(value), choices=tuple(map(str, type_.values)))
        case ListOf(of=Choice(values=values)):
            return Field("checks", name, label, [str(each) for each in value], choices=values)
        case ListOf(of=Members() as row):
            rows = [*value, {}]
            made = tuple(_row(row, each, f"{name}.{n}", key) for n, each in enumerate(rows))
            return Field("rows", name, label, str(len(rows)), fields=made)
        case ListOf():
            lines = "\n".join(str(each) for each in value)
            return Field(
                "lines",
                name,
                label,
                lines,
                _unit_word(of),
                _("One a line: %(each)s.") % {"each": allowed(type_.of)},
            )
        case MapOf():
            lines = "\n".join(f"{each}: {inner}" for each, inner in value.items())
            return Field("pairs", name, label, lines, help=_("One a line, as prod: 30."))
        case OrNull():
            return fields(type_.of, value or {}, name, key, label)
        case Members():
            return _row(type_, value, name, key, label)
        case _:
            return Field("text", name, label, value or "", help=allowed(type_))


def _row(type_: Members, value: Mapping[str, JSON], name: str, key: str, label: str = "") -> Field:
    made = tuple(
        fields(inner, value.get(each, _empty(inner)), f"{name}.{each}", f"{key}.{each}", _said(each))
        for each, inner in type_.members.items()
    )
    return Field("group", name, label, fields=made)


def _empty(type_: Type) -> JSON:
    return [] if isinstance(type_, ListOf) else {} if isinstance(type_, MapOf) else None


def read(type_: Type, sent: Mapping[str, list[str]], name: str) -> JSON:
    """Read what a form sent for a key, as the API takes it; what cannot be read goes as it was written.

    The policy's own rule then refuses it, with its words.
    """
    match type_:
        case Number(null=str() as null) if sent.get(f"{name}.none"):
            return None if null == "null" else null
        case ListOf(of=Choice()):
            return [each for each in sent.get(name, []) if each]
        case ListOf(of=Members() as row):
            count = _one(sent, f"{name}.count")
            numbers = range(min(int(count), type_.most + 1) if count.isascii() and count.isdigit() else 0)
            rows = (read(row, sent, f"{name}.{each}") for each in numbers)
            return [made for made in rows if any(made.get(each) for each in row.needed)]
        case ListOf():
            return [_scalar(type_.of, each) for each in _lines(_one(sent, name))]
        case MapOf():
            parts = (each.partition(":") for each in _lines(_one(sent, name)))
            return {label.strip(): _scalar(type_.of, value.strip()) for label, _colon, value in parts}
        case OrNull():
            made = read(type_.of, sent, name)
            return None if all(each is None for each in made.values()) else made
        case Members():
            return {each: read(inner, sent, f"{name}.{each}") for each, inner in type_.members.items()}
        case _:
            return _scalar(type_, _one(sent, name))


def _one(sent: Mapping[str, list[str]], name: str) -> str:
    return (sent.get(name) or [""])[-1].replace("\r\n", "\n").strip()


def _lines(text: str) -> Iterable[str]:
    return [each.strip() for each in text.split("\n") if each.strip()]


def _scalar(type_: Type, text: str) -> JSON:
    match type_:
        case Bool():
            return {"true": True, "false": False}.get(text, text)
        case Number() | OneNumber():
            if not text and isinstance(type_, Number) and type_.null == "null":
                return None
            return _number(text)
        case Text(null=True) if not text:
            return None
        case _:
            return text


def _number(text: str) -> JSON:
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,18}", text) else text
