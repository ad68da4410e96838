"""Operations on personal access tokens, ingest tokens, and on credentials of every kind."""

from __future__ import annotations

from dataclasses import dataclass

from retinue.client import models as m
from retinue.client.operations import Operation


@dataclass(frozen=True)
class Tokens:
    """What can be done to tokens of one kind."""

    listed: Operation[m.Page[m.Key]]
    issue: Operation[m.IssuedKey]
    rename: Operation[m.Key]
    rotate: Operation[m.IssuedKey]
    finish: Operation[m.Key]
    regenerate: Operation[m.IssuedKey]
    expire: Operation[m.ExpiringKey]
    restrict: Operation[m.Key]
    revoke: Operation[m.Key]
    restore: Operation[m.Key]
    delete: Operation[m.Key]


def _tokens(path: str, *, read: str, issue: str, rotate: str, end: str, delete: str, rename: str) -> Tokens:
    one = path + "/{id}"
    return Tokens(
        listed=Operation("GET", path, read, m.Page[m.Key]),
        issue=Operation("POST", path, issue, m.IssuedKey, True),
        rename=Operation("PATCH", one, rename, m.Key),
        rotate=Operation("POST", one + "/rotate", rotate, m.IssuedKey, True),
        finish=Operation("POST", one + "/finish-rotation", rotate if read else "", m.Key),
        regenerate=Operation("POST", one + "/regenerate", rotate, m.IssuedKey, True),
        expire=Operation("POST", one + "/expire", end or issue, m.ExpiringKey),
        restrict=Operation("POST", one + "/restrict", issue, m.Key),
        revoke=Operation("POST", one + "/revoke", end, m.Key, reason="text"),
        restore=Operation("POST", one + "/restore", end or issue, m.Key),
        delete=Operation("DELETE", one, delete, m.Key),
    )


#: The caller's own: who may hold none still sees, renames and ends them.
MINE = _tokens("/v1/me/tokens", read="", issue="pat:issue", rotate="pat:issue", end="", delete="", rename="")
INGEST = _tokens(
    "/v1/ingest-tokens",
    read="ingest_token:read",
    issue="ingest_token:issue",
    rotate="ingest_token:rotate",
    end="ingest_token:revoke",
    delete="ingest_token:delete",
    rename="ingest_token:issue",
)

_OTHERS = "/v1/personal-access-tokens"
LIST_TOKENS: Operation[m.Page[m.Key]] = Operation("GET", _OTHERS, "pat:read", m.Page[m.Key])
REVOKE_TOKEN: Operation[m.Key] = Operation(
    "POST", _OTHERS + "/{id}/revoke", "pat:revoke", m.Key, reason="text"
)
PLAN_CONVERSION: Operation[m.ConversionPlan] = Operation(
    "GET", _OTHERS + "/{id}/convert", "pat:read", m.ConversionPlan
)
CONVERT_TOKEN: Operation[m.Converted] = Operation(
    "POST", _OTHERS + "/{id}/convert", "service_account:create", m.Converted, True
)
LIST_CREDENTIALS: Operation[m.Page[m.Key]] = Operation(
    "GET", "/v1/credentials", "credential:read", m.Page[m.Key]
)
IDENTIFY: Operation[m.Identified] = Operation(
    "POST", "/v1/credentials/identify", "credential:read", m.Identified
)


@dataclass(frozen=True)
class Compromise:
    """The dry run and the act, for one kind of scope."""

    preview: Operation[m.Compromised]
    act: Operation[m.Compromised]


def _compromise(path: str, read: str, revoke: str) -> Compromise:
    return Compromise(
        Operation("GET", path + "/compromise", read, m.Compromised),
        Operation("POST", path + "/compromise", revoke, m.Compromised),
    )


COMPROMISE = {
    "key": _compromise("/v1/keys/{id}", "credential:read", "credential:revoke"),
    "account": _compromise("/v1/service-accounts/{id}", "credential:read", "credential:revoke"),
    "user": _compromise("/v1/users/{id}", "pat:read", "pat:revoke"),
    "organization": _compromise("/v1/organization", "credential:read", "credential:revoke"),
}
