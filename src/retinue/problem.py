"""A denial or an error as HTTP: RFC 9457 problem details and the RFC 6750 challenge.

Every problem has a ``code`` from one closed catalogue, the same for the control plane and the node. The
code is the contract: a program branches on it, and the documentation has a page for each. Titles are for
people and may change.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from retinue.decision import NATIVE_TERMS, Denied, Quota, Reason, Terms

REALM = "retinue"
#: Where the control plane explains each code; ``type`` is relative to it.
PAGES = "/docs/errors/"
#: Media type of every problem body.
MEDIA_TYPE = "application/problem+json"
#: Seconds after which an answer 429 or 503 says that a new try makes sense.
RETRY_AFTER_SECONDS = 1


class Meaning(NamedTuple):
    """What a code means over HTTP: the usual status and a short title."""

    status: int
    title: str


_REASONS: dict[Reason, str] = {
    Reason.TOKEN_MISSING: "No token was presented",
    Reason.SCHEME_NOT_ACCEPTED: "The token was not presented in an accepted way",
    Reason.TOKEN_MALFORMED: "This is not a token",
    Reason.REPLICA_STALE: "The node cannot decide at the moment",
    Reason.TOKEN_UNKNOWN: "The token is not known here",
    Reason.ORGANIZATION_DISABLED: "The organization is disabled",
    Reason.ACCOUNT_DELETED: "The account is deleted",
    Reason.ACCOUNT_DISABLED: "The account is disabled",
    Reason.CREDENTIAL_REVOKED: "The credential is revoked",
    Reason.CREDENTIAL_SUSPENDED: "The credential is suspended",
    Reason.CREDENTIAL_EXPIRED: "The credential has expired",
    Reason.KIND_NOT_ACCEPTED: "This kind of credential is not accepted here",
    Reason.NETWORK_NOT_ALLOWED: "The credential may not be used from this network",
    Reason.ENDPOINT_NOT_ALLOWED: "The credential may not be used for this endpoint",
    Reason.METHOD_NOT_ALLOWED: "The credential may not be used with this method",
    Reason.TIME_NOT_ALLOWED: "The credential may not be used at this time",
    Reason.PERMISSION_MISSING: "A permission is missing",
    Reason.RESOURCE_NOT_COVERED: "No grant covers this resource",
    Reason.RATE_LIMITED: "Too many calls",
}

_ERRORS: dict[str, Meaning] = {
    # What was sent cannot be understood or is not allowed.
    "bad_request": Meaning(400, "The request is not valid HTTP"),
    "bad_json": Meaning(400, "The body is not valid JSON"),
    "path_refused": Meaning(400, "The path is ambiguous"),
    "invalid_value": Meaning(400, "A value is not valid"),
    "unknown_field": Meaning(400, "A field is not known"),
    "missing_field": Meaning(400, "A field is missing"),
    "cursor_invalid": Meaning(400, "The cursor is not valid"),
    "too_large": Meaning(413, "The body is too large"),
    "uri_too_long": Meaning(414, "The address is too long"),
    "headers_too_large": Meaning(431, "The header block is too large"),
    "length_required": Meaning(411, "The length of the body must be announced"),
    "expectation_failed": Meaning(417, "The expectation cannot be met"),
    "request_timeout": Meaning(408, "The request took too long to arrive"),
    "unsupported_media_type": Meaning(415, "The media type is not supported"),
    "method_not_allowed_here": Meaning(405, "The method is not allowed here"),
    # Who asks.
    "caller_required": Meaning(401, "The asking service must identify itself"),
    "caller_forbidden": Meaning(403, "The asking service may not ask for decisions"),
    "forbidden_for_service": Meaning(403, "Service accounts may not do this"),
    "step_up_required": Meaning(403, "Show once more that it is you"),
    "ceiling_exceeded": Meaning(403, "Nobody grants more than they hold"),
    # What it is about.
    "not_found": Meaning(404, "Not found"),
    "organization_not_found": Meaning(404, "Organization not found"),
    "organization_unknown": Meaning(422, "The organization does not exist"),
    "permission_unknown": Meaning(422, "The permission is not declared"),
    "role_unknown": Meaning(422, "The role does not exist"),
    "justification_required": Meaning(422, "A justification is required"),
    "source_not_allowed": Meaning(422, "Permissions do not come in this way here"),
    # What stands in the way.
    "duplicate_name": Meaning(409, "The name is taken"),
    "too_many_keys": Meaning(409, "The account has as many usable keys as it may"),
    "locked": Meaning(409, "This part is locked"),
    "approval_required": Meaning(409, "A second person has to approve"),
    "confirmation_required": Meaning(409, "This has to be confirmed"),
    "state_conflict": Meaning(409, "The present state does not allow this"),
    "idempotency_conflict": Meaning(422, "The idempotency key was used for another request"),
    "idempotency_used": Meaning(409, "The idempotency key was used; the answer cannot be repeated"),
    "superseded": Meaning(409, "Another process speaks for this node"),
    "node_removed": Meaning(410, "The node was removed"),
    # What is wrong with us.
    "database_unavailable": Meaning(503, "The database is not reachable"),
    "epoch_recovering": Meaning(503, "The history is in doubt; the nodes are asked what they know"),
    "internal": Meaning(500, "An error on our side"),
}

#: Every problem code with its usual status and title. Closed: a code that is not here cannot be sent.
CATALOGUE: dict[str, Meaning] = {
    **{reason.value: Meaning(reason.status, title) for reason, title in _REASONS.items()},
    **_ERRORS,
}

_SILENT = frozenset({Reason.REPLICA_STALE, Reason.RATE_LIMITED})
_SCOPED = frozenset({Reason.PERMISSION_MISSING, Reason.RESOURCE_NOT_COVERED})
_REALM_ALONE = frozenset(
    {
        Reason.TOKEN_MISSING,
        Reason.SCHEME_NOT_ACCEPTED,
        Reason.KIND_NOT_ACCEPTED,
        Reason.NETWORK_NOT_ALLOWED,
        Reason.ENDPOINT_NOT_ALLOWED,
        Reason.METHOD_NOT_ALLOWED,
        Reason.TIME_NOT_ALLOWED,
    }
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of an error answer (RFC 9457). ``field`` is a dotted path, as ``body.name``.

    ``required`` names the permissions that are missing; held ones are never listed. ``account`` is the
    name of the caller, present only when the caller presented a genuine token.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None
    field: str | None = None
    required: tuple[str, ...] = ()
    account: str | None = None
    request_id: str | None = None


def problem(
    code: str,
    *,
    status: int | None = None,
    title: str | None = None,
    detail: str | None = None,
    field: str | None = None,
    required: tuple[str, ...] = (),
    account: str | None = None,
    request_id: str | None = None,
) -> Problem:
    """Make the problem ``code``. Raises ``KeyError`` for a code outside the catalogue.

    ``status`` replaces the usual status where the same mistake is another's: a gateway that asks for an
    undeclared permission is misconfigured (500), a program that does so sent a bad value (422).
    """
    meaning = CATALOGUE[code]
    return Problem(
        type=f"{PAGES}{code}",
        title=title or meaning.title,
        status=status or meaning.status,
        code=code,
        detail=detail,
        field=field,
        required=required,
        account=account,
        request_id=request_id,
    )


class Flat(msgspec.Struct, frozen=True):
    """The other body of an error answer (``responses.errors: flat``)."""

    status_code: int
    message: str
    request_id: str | None


def body_for(found: Problem, terms: Terms = NATIVE_TERMS) -> tuple[str, bytes]:
    """Return media type and body of an error answer, in the form that the organization wants."""
    if not terms.flat:
        return MEDIA_TYPE, _encode(found)
    message = found.title if found.detail is None else f"{found.title}: {found.detail}"
    return "application/json", _encode(Flat(found.status, message, found.request_id))


_encode = msgspec.json.Encoder().encode


def problem_for(denied: Denied, request_id: str | None = None) -> Problem:
    """Make the problem for a denial; it names the missing permission, and the account if it is known."""
    required = (denied.permission,) if denied.permission and denied.reason in _SCOPED else ()
    title = None
    if denied.reason is Reason.PERMISSION_MISSING and required:
        title = f"Missing permission {required[0]}"
    return problem(
        denied.reason.value,
        status=denied.terms.status(denied.reason),
        title=title,
        required=required,
        account=denied.caller.name if denied.caller is not None else None,
        request_id=request_id,
    )


def challenge(reason: Reason, permission: str | None = None, schemes: tuple[str, ...] = ("Bearer",)) -> str:
    """Return the value of ``WWW-Authenticate`` for a denial (RFC 6750 section 3); empty where none belongs.

    A caller that sent no usable token learns only the realm; a bad token is ``invalid_token``; a missing
    permission is ``insufficient_scope`` and named. ``schemes`` are the accepted schemes of HTTP.
    """
    if reason in _SILENT:
        return ""
    usual = _bearer(reason, permission)
    return ", ".join(usual if each == "Bearer" else f'{each} realm="{REALM}"' for each in schemes)


def _bearer(reason: Reason, permission: str | None) -> str:
    if reason in _REALM_ALONE:
        return f'Bearer realm="{REALM}"'
    if reason in _SCOPED:
        scope = f', scope="{permission}"' if permission else ""
        return f'Bearer realm="{REALM}", error="insufficient_scope"{scope}'
    return f'Bearer realm="{REALM}", error="invalid_token"'


def headers_for(denied: Denied) -> dict[str, str]:
    """Return the header fields that go with a denial: ``Retinue-Error``, and challenge or ``Retry-After``."""
    fields = {"Retinue-Error": denied.reason.value}
    told = challenge(denied.reason, denied.permission, denied.terms.challenges)
    if told:
        fields["WWW-Authenticate"] = told
    if denied.reason in _SILENT:
        fields["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if denied.quota is not None:
        fields |= {**quota_fields(denied.quota), "Retry-After": str(denied.quota.retry_after)}
    return fields


def quota_fields(quota: Quota) -> dict[str, str]:
    """Return what is left of a limit: the fields that are in use, and those of the IETF's draft."""
    return {
        "X-RateLimit-Limit": str(quota.limit),
        "X-RateLimit-Remaining": str(quota.remaining),
        "X-RateLimit-Reset": str(quota.reset),
        "RateLimit": f'"account";r={quota.remaining};t={quota.reset}',
        "RateLimit-Policy": f'"account";q={quota.limit};w={quota.window}',
    }
