"""The OpenAPI 3.1 document, derived from the table of operations: every status, every permission."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from ninja import Schema
from ninja.schema import NinjaGenerateJsonSchema
from pydantic import create_model

from retinue import __version__
from retinue import problem as problems
from retinue.server.api import trying, words
from retinue.server.api.operations import Access, Operation
from retinue.server.api.schemas import JSON, ProblemBody
from retinue.server.api.waiting import Receipt

_TEMPLATE = "#/components/schemas/{model}"
_ALWAYS = (400, 413, 414, 431, 500, 503)
_CHALLENGED = (401, 403)
_PAUSED = (429, 503)
_HEADERS: JSON = {
    "Retinue-Request-Id": {
        "description": "Finds the request in the request log and in the audit log.",
        "schema": {"type": "string"},
    },
}
_REVISION: JSON = {
    "Retinue-Revision": {
        "description": "The revision that the change made; absent if it changed nothing.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Idempotency-Replayed": {
        "description": "`true` if this is the answer of an earlier call.",
        "schema": {"const": "true"},
    },
}
_PENDING: JSON = {
    "Location": {"description": "The receipt.", "schema": {"type": "string"}},
    "Preference-Applied": {"description": "How long was waited.", "schema": {"type": "string"}},
}
_PREFER: JSON = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=<seconds>` bounds the wait for nodes, `respond-async` is none (RFC 7240).",
    "schema": {"type": "string", "pattern": "^(wait=[0-9]{1,4}|respond-async)$"},
}
_IDEMPOTENCY_KEY: JSON = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a retry safe: the change happens once, the answer is given again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_DRY_RUN: JSON = {
    "name": trying.HEADER,
    "in": "header",
    "required": False,
    "description": "`true`: the answer is what would be answered, and nothing is done; its token is empty.",
    "schema": {"type": "string", "enum": ["true", "false"]},
}
_ORGANIZATION: JSON = {
    "name": "Retinue-Organization",
    "in": "header",
    "required": False,
    "description": "Id or handle of the organization that is meant: the caller's own. Operators may name "
    "any for what concerns the installation.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}


def build(operations: Sequence[Operation]) -> JSON:
    """Return the document of ``operations``."""
    schemas: JSON = {}
    paths: JSON = {}
    for each in operations:
        paths.setdefault(f"/v1{each.path}", {})[each.method.lower()] = _operation(each, schemas)
    _schema(ProblemBody, schemas, "serialization")
    words.describe(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Retinue",
            "version": __version__,
            "description": "Service accounts, their keys and permissions. In answers `null` is what is "
            "not known or was not given.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key or a personal access token; for the feed a node's token.",
                }
            },
        },
    }


def _operation(each: Operation, schemas: JSON) -> JSON:
    described: JSON = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.tag],
        "x-retinue-permission": each.needs.value if isinstance(each.needs, Access) else list(each.needs),
        "security": [] if each.needs is Access.PUBLIC else [{"bearer": []}],
        "parameters": _parameters(each),
        "responses": _responses(each, schemas),
    }
    if each.also:
        described["x-retinue-permission-also"] = {name: list(needs) for name, needs in each.also.items()}
    if each.or_own is not None:
        described["x-retinue-permission-or-own"] = True
    if each.body is not None:
        content = {"application/json": {"schema": _schema(each.body, schemas, "validation")}}
        described["requestBody"] = {"required": _is_required(each.body), "content": content}
    return described


def _is_required(model: Any) -> bool:
    if issubclass(model, Schema):
        return any(field.is_required() for field in model.model_fields.values())
    return True


def _parameters(each: Operation) -> list[JSON]:
    found: list[JSON] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": words.meaning(words.PARAMETER, name),
            "schema": {"type": "string", "minLength": 1},
        }
        for name in each.parameters
    ]
    if each.query is not None:
        schema = each.query.model_json_schema(schema_generator=NinjaGenerateJsonSchema)
        for name, member in schema["properties"].items():
            said = member.get("description", words.meaning(words.PARAMETER, name))
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": False,
                    "description": said,
                    "schema": _optional(member),
                }
            )
    if not isinstance(each.needs, Access) or each.needs is Access.SELF:
        found.append(_ORGANIZATION)
    if each.changes:
        found.append(_IDEMPOTENCY_KEY)
    if each.changes and each.name not in trying.IN_EARNEST:
        found.append(_DRY_RUN)
    if each.reduces or each.answer is Receipt:
        found.append(_PREFER)
    return found


def _optional(member: JSON) -> JSON:
    """A parameter is left out, never null."""
    kept = {name: value for name, value in member.items() if name not in ("title", "description", "anyOf")}
    for choice in member.get("anyOf", ()):
        if choice != {"type": "null"}:
            kept |= choice
    return {name: value for name, value in kept.items() if not (name == "default" and value is None)}


def statuses(each: Operation) -> list[int]:
    """Return every status of a problem that an operation can give."""
    found = set(_ALWAYS)
    if each.needs is not Access.PUBLIC:
        found |= {401, 403, 429}
    if not isinstance(each.needs, Access) or each.needs is Access.SELF:
        found |= {404}
    if each.needs is Access.NODE:
        found |= {409, 410}
    if each.body is not None:
        found |= {415, 422}
    if each.changes:
        found |= {409, 422}
    return sorted(found)


def _responses(each: Operation, schemas: JSON) -> JSON:
    content = {"application/json": {"schema": _schema(_answer(each), schemas, "serialization")}}
    good = {
        "description": HTTPStatus(each.status).phrase,
        "headers": {**_HEADERS, **(_REVISION if each.changes else {})},
        "content": content,
    }
    responses: JSON = {str(each.status): good}
    if each.reduces:
        responses["202"] = {
            "description": "Committed; `receipt` names the nodes that it is not yet promised for.",
            "headers": {**_HEADERS, **_REVISION, **_PENDING},
            "content": content,
        }
    for status in statuses(each):
        codes = [code for code, meaning in problems.CATALOGUE.items() if meaning.status == status]
        headers = dict(_HEADERS)
        if status in _CHALLENGED:
            headers["WWW-Authenticate"] = {
                "description": "What is missing (RFC 6750).",
                "schema": {"type": "string"},
            }
        if status in _PAUSED:
            headers["Retry-After"] = {"description": "Seconds.", "schema": {"type": "string"}}
        responses[str(status)] = {
            "description": f"A problem: {', '.join(sorted(codes))}.",
            "headers": headers,
            "content": {problems.MEDIA_TYPE: {"schema": {"$ref": _TEMPLATE.format(model="ProblemBody")}}},
        }
    return responses


@cache
def _with_receipt(answer: type[Schema]) -> type[Schema]:
    """Return the model of an answer that carries the receipt of a change, if it took access away."""
    return create_model(f"{answer.__name__}AndReceipt", __base__=answer, receipt=(Receipt | None, None))


def _answer(each: Operation) -> Any:
    return _with_receipt(each.answer) if each.reduces else each.answer


def _schema(model: Any, schemas: JSON, mode: Any) -> JSON:
    """Put the schema of ``model`` and of all that it uses among ``schemas``; return a reference to it."""
    if isinstance(model, type) and issubclass(model, Schema):
        made = model.model_json_schema(
            ref_template=_TEMPLATE, schema_generator=NinjaGenerateJsonSchema, mode=mode
        )
        schemas.update(made.pop("$defs", {}))
        schemas[model.__name__] = made
    elif isinstance(model, type) and issubclass(model, msgspec.Struct):
        _, made = msgspec.json.schema_components([model], ref_template="#/components/schemas/{name}")
        schemas.update(made)
    else:
        return {"type": "object"}
    return {"$ref": _TEMPLATE.format(model=model.__name__)}
