"""Reads what an operation takes: query and body, against their models. Nothing unknown passes.

Every refusal names the field with its dotted path and says the rule in our words, never the value.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest
from pydantic import BaseModel, ValidationError

from retinue.server.api import limits, schemas, strict_json
from retinue.server.api.call import Call
from retinue.server.errors import Refused

JSON_TYPE = re.compile(r"application/json(?:\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)
M = TypeVar("M")
P = TypeVar("P", bound=BaseModel)

_RULES: dict[str, tuple[str, str]] = {
    "missing": ("missing_field", "is required"),
    "extra_forbidden": ("unknown_field", "is not known here"),
    "string_type": ("invalid_value", "must be text"),
    "list_type": ("invalid_value", "must be a list"),
    "dict_type": ("invalid_value", "must be an object"),
    "model_type": ("invalid_value", "must be an object"),
    "model_attributes_type": ("invalid_value", "must be an object"),
    "int_type": ("invalid_value", "must be a whole number"),
    "int_parsing": ("invalid_value", "must be a whole number"),
    "bool_type": ("invalid_value", "must be true or false"),
    "greater_than_equal": ("invalid_value", "must be at least {ge}"),
    "less_than_equal": ("invalid_value", "must be at most {le}"),
    "string_too_long": ("invalid_value", "at most {max_length} characters"),
    "string_too_short": ("invalid_value", "at least {min_length} characters"),
    "too_long": ("invalid_value", "at most {max_length} items"),
    "literal_error": ("invalid_value", "one of {expected}"),
    "value_error": ("invalid_value", "{error}"),
}
_STRUCT_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`")
_INDEX = re.compile(r"\[[^\]]*\]")
_STRUCT_FIELD = re.compile(r"(?P<problem>missing required|contains unknown) field `(?P<name>[^`]*)`")


def query(request: HttpRequest, model: type[M] | None) -> M | None:
    """Return the query of a request as ``model``; ``None`` means that the operation has no parameters."""
    fields = model.model_fields if model is not None and issubclass(model, BaseModel) else {}
    given: dict[str, str] = {}
    try:
        sent = request.GET.lists()
    except TooManyFieldsSent:
        raise Refused("invalid_value", "too many parameters", field="query") from None
    for name, values in sent:
        place = f"query.{strict_json.check_text(name[:64], 'query')}"
        if name not in fields:
            raise Refused("unknown_field", "this operation has no such parameter", field=place)
        if len(values) > 1:
            raise Refused("invalid_value", "stands twice", field=place)
        given[name] = strict_json.check_text(str(values[0]), place)
    return validated(model, given, "query") if model is not None and issubclass(model, BaseModel) else None


def body(call: Call, model: type[M] | None) -> M | None:
    """Return the body of a call as ``model``; ``None`` means that the operation takes no body."""
    request = call.request
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    if model is None:
        if announced:
            raise Refused("bad_request", "this operation takes no body")
        return None
    if announced and not JSON_TYPE.fullmatch(request.META.get("CONTENT_TYPE", "")):
        raise Refused("unsupported_media_type", "send application/json", field="header.Content-Type")
    places = limits.BODIES if call.node is None else limits.NODE_BODIES
    sent = limits.read_body(request, places, call.actor.id) if announced else b""
    if issubclass(model, BaseModel):
        most = model.MOST_ITEMS if issubclass(model, schemas.Body) else strict_json.MAX_ITEMS
        return validated(model, strict_json.loads(sent, most), "body")
    return _struct(sent, model)


def validated(model: type[P], given: dict[str, Any], where: str) -> P:
    """Return what was given as ``model``; ``where`` is ``query`` or ``body``. Raises :class:`Refused`."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        code, words = _RULES.get(first["type"], ("invalid_value", "is not valid"))
        place = ".".join([where, *(str(part) for part in first["loc"])])
        raise Refused(code, words.format(**first.get("ctx", {})), field=place[:200]) from None


def _struct(sent: bytes, model: type[M]) -> M:
    """Read the body of a node's call: many records, typed, checked while it is decoded."""
    try:
        return msgspec.json.decode(sent, type=model)
    except msgspec.ValidationError as error:
        raise _struct_refusal(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("bad_json", "not JSON in UTF-8", field="body") from None


def _struct_refusal(text: str) -> Refused:
    found = _STRUCT_PLACE.search(text)
    place = "body" if found is None else ("body." + _INDEX.sub("", found["place"])).rstrip(".")
    named = _STRUCT_FIELD.search(text)
    if named is None:
        return Refused("invalid_value", "has the wrong type or range", field=place)
    code = "missing_field" if named["problem"].startswith("missing") else "unknown_field"
    words = "is required" if code == "missing_field" else "is not known here"
    return Refused(code, words, field=f"{place}.{named['name']}")
