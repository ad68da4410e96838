"""Which permissions the operations of an API need, by its OpenAPI document; pure.

An operation says so by ``x-retinue-permission``, a name or a list of names that are all needed; without it,
by the scopes of a security scheme. ``x-retinue-permissions`` at the top describes permissions. The document
is a stranger's: it is bounded in size, depth and operations, and what is wrong is named by its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from retinue import permission

#: The extension of an operation, and the one of the document.
EXTENSION, CATALOGUE = "x-retinue-permission", "x-retinue-permissions"
#: The security scheme whose scopes are permissions, if no other is named.
SCHEME = "retinue"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
MAX_BYTES = 4 << 20
MAX_DEPTH = 100
MAX_OPERATIONS = 10_000
MAX_PERMISSIONS = 10_000
#: So many references may lead from one to the next.
MAX_REFERENCES = 16
MAX_TEXT = 1_000
_PARAMETER = re.compile(r"\{[^{}/]*\}|<[^<>/]*>")
_FIELDS = ("name", "label", "description", "sensitivity")


class OpenApiError(ValueError):
    """A document cannot be used; ``place`` names the part of it, the message the rule."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}" if place else what)
        self.place = place


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: ``need`` is ``None`` if nothing says what it needs, empty for any genuine token.

    Of several ways in (``is_any``) one is enough.
    """

    method: str
    path: str
    need: tuple[str, ...] | None
    is_public: bool = False
    is_any: bool = False

    @property
    def text(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Api:
    """What a document says: its operations, and of each permission what is told (label, description, ...)."""

    operations: tuple[Operation, ...]
    permissions: Mapping[str, Mapping[str, str]]
    #: For each permission the operations that need it.
    used_by: Mapping[str, tuple[Operation, ...]] = field(default_factory=dict)


def is_openapi(document: Any) -> bool:
    """Tell whether a document says of itself that it describes an API."""
    return isinstance(document, dict) and ("openapi" in document or "swagger" in document)


def parse(data: bytes) -> Any:
    """Return the document in JSON or YAML. Raises :class:`OpenApiError` for what is neither, or too large."""
    if len(data) > MAX_BYTES:
        raise OpenApiError("", f"larger than {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OpenApiError("", "not UTF-8") from None
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_object)
        except RecursionError:
            raise OpenApiError("", "nested too deeply") from None
        except json.JSONDecodeError as error:
            # YAML has braces too; what begins so and is neither is told as JSON.
            told = OpenApiError(f"line {error.lineno}", f"not JSON: {error.msg}")
        try:
            return _yaml(text)
        except OpenApiError:
            raise told from None
    return _yaml(text)


def read(document: Any, scheme: str | None = None) -> Api:
    """Return what a document says. ``scheme`` names the security scheme whose scopes are permissions.

    Raises :class:`OpenApiError`.
    """
    version = document.get("openapi") if isinstance(document, dict) else None
    if not isinstance(version, str) or not version.startswith("3."):
        raise OpenApiError("openapi", "must be 3.0 or newer")
    schemes = _mapping(_mapping(document.get("components"), "components").get("securitySchemes"),
                       "components.securitySchemes")  # fmt: skip
    if scheme is not None and scheme not in schemes:
        raise OpenApiError("components.securitySchemes", f"no scheme {scheme!r}")
    reader = _Reader(document, scheme or SCHEME)
    operations = tuple(reader.operations())
    described = {**_scopes(schemes.get(scheme or SCHEME)), **_catalogue(document.get(CATALOGUE))}
    used: dict[str, list[Operation]] = {name: [] for name in described}
    for each in operations:
        for name in each.need or ():
            used.setdefault(name, []).append(each)
    if len(used) > MAX_PERMISSIONS:
        raise OpenApiError("", f"at most {MAX_PERMISSIONS} permissions")
    return Api(
        operations,
        {name: described.get(name, {}) for name in sorted(used)},
        {name: tuple(found) for name, found in used.items()},
    )


def same_path(template: str) -> str:
    """Return a template of a path without the names of its parts, however a framework writes them."""
    return _PARAMETER.sub("{}", template)


class _Reader:
    """Reads the operations of one document."""

    def __init__(self, document: dict[str, Any], scheme: str) -> None:
        self._document = document
        self._scheme = scheme

    def operations(self) -> Iterator[Operation]:
        count = 0
        for path, item in _mapping(self._document.get("paths"), "paths").items():
            if not isinstance(path, str) or not path.startswith("/"):
                if isinstance(path, str) and path.startswith("x-"):
                    continue
                raise OpenApiError(f"paths.{path!s:.100}", "a path begins with a slash")
            place = f"paths.{path:.200}"
            found = self._resolved(_mapping(item, place), place)
            for method in METHODS:
                if method not in found:
                    continue
                count += 1
                if count > MAX_OPERATIONS:
                    raise OpenApiError("paths", f"at most {MAX_OPERATIONS} operations")
                stated = _mapping(found[method], f"{place}.{method}")
                yield self._operation(method.upper(), path, stated, f"{place}.{method}")

    def _resolved(self, item: dict[str, Any], place: str) -> dict[str, Any]:
        """Follow references inside the document; others are not fetched."""
        for _ in range(MAX_REFERENCES):
            target = item.get("$ref")
            if target is None:
                return item
            if not isinstance(target, str) or not target.startswith("#/"):
                raise OpenApiError(f"{place}.$ref", "only references inside the document are followed")
            found: Any = self._document
            for part in target[2:].split("/"):
                name = part.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, dict) or name not in found:
                    raise OpenApiError(f"{place}.$ref", f"leads nowhere: {target:.200}")
                found = found[name]
            target_ = _mapping(found, place)
            # What is read of it, and no more: many paths may lead to one large mapping.
            here = {key: item[key] for key in METHODS if key in item}
            item = {key: target_[key] for key in (*METHODS, "$ref") if key in target_} | here
        raise OpenApiError(f"{place}.$ref", "references lead in a circle, or too far")

    def _operation(self, method: str, path: str, stated: dict[str, Any], place: str) -> Operation:
        if EXTENSION in stated:
            return Operation(method, path, _names(stated[EXTENSION], f"{place}.{EXTENSION}"))
        inherited = "security" not in stated
        security = self._document.get("security") if inherited else stated["security"]
        where = "security" if inherited else f"{place}.security"
        if security is None:
            return Operation(method, path, None)
        if not isinstance(security, list):
            raise OpenApiError(where, "must be a list")
        ways = [_mapping(each, f"{where}[{place_}]") for place_, each in enumerate(security)]
        if not ways or any(not each for each in ways):
            return Operation(method, path, (), is_public=True)
        ours = [
            _names(way[self._scheme], f"{where}[{number}].{self._scheme}", may_be_empty=True)
            for number, way in enumerate(ways)
            if self._scheme in way
        ]
        if not ours:
            return Operation(method, path, None)
        names = tuple(dict.fromkeys(name for way in ours for name in way))
        return Operation(method, path, names, is_any=len(ours) > 1)


def _names(value: Any, place: str, *, may_be_empty: bool = False) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not (value or may_be_empty):
        raise OpenApiError(place, "a permission, or a list of permissions")
    for number, each in enumerate(value):
        if not isinstance(each, str) or not permission.is_name(each):
            raise OpenApiError(f"{place}[{number}]", f"{each!r:.100} is no permission, such as report:read")
    return tuple(dict.fromkeys(value))


def _catalogue(value: Any) -> dict[str, dict[str, str]]:
    """Read the descriptions of permissions at the top of a document."""
    if value is None:
        return {}
    if not isinstance(value, list):
        raise OpenApiError(CATALOGUE, "must be a list")
    found: dict[str, dict[str, str]] = {}
    for number, each in enumerate(value):
        place = f"{CATALOGUE}[{number}]"
        entry = {"name": each} if isinstance(each, str) else _mapping(each, place)
        unknown = [key for key in entry if key not in _FIELDS]
        if unknown:
            raise OpenApiError(f"{place}.{unknown[0]!s:.100}", f"unknown; one of {', '.join(_FIELDS)}")
        for key, text in entry.items():
            if not isinstance(text, str) or len(text) > MAX_TEXT:
                raise OpenApiError(f"{place}.{key}", f"must be text of at most {MAX_TEXT} characters")
        [name] = _names(entry.get("name"), f"{place}.name")
        if name in found:
            raise OpenApiError(f"{place}.name", f"{name} stands twice")
        found[name] = {key: text for key, text in entry.items() if key != "name"}
    return found


def _scopes(scheme: Any) -> dict[str, dict[str, str]]:
    """Return what an OAuth scheme says of its scopes."""
    flows = scheme.get("flows") if isinstance(scheme, dict) else None
    found: dict[str, dict[str, str]] = {}
    for flow in flows.values() if isinstance(flows, dict) else ():
        scopes = flow.get("scopes") if isinstance(flow, dict) else None
        for name, text in scopes.items() if isinstance(scopes, dict) else ():
            if isinstance(name, str) and permission.is_name(name):
                found[name] = {"description": text[:MAX_TEXT]} if isinstance(text, str) else {}
    return found


def _mapping(value: Any, place: str) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OpenApiError(place, "must be an object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise OpenApiError("", f"the key {twice!r:.100} stands twice in one object")
    return found


def _yaml(text: str) -> Any:
    from retinue.guard.openapi_yaml import load

    return load(text)
