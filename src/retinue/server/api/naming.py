"""Names of service accounts, before there are accounts of these names."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.operations import Call, operation
from retinue.server.directory import trying

TAG = "service accounts"
#: A query is asked for each.
MOST = 100


class CheckNames(schemas.Body):
    """Names to check."""

    MOST_ITEMS: ClassVar[int] = MOST

    names: list[Annotated[str, Field(max_length=1024)]] = Field(min_length=1, max_length=MOST)


class NameProblem(schemas.Answer):
    """What would refuse a name, as creating the account would tell it."""

    code: str
    detail: str
    field: str | None


class CheckedName(schemas.Answer):
    """A name, and whether an account could be created with it now."""

    name: str
    handle: str | None = Field(description="The handle that would be made of it, if one can be made.")
    ok: bool
    problems: list[NameProblem]


class CheckedNames(schemas.Answer):
    """Names, in the order in which they were asked about."""

    items: list[CheckedName]


@operation(
    "POST",
    "/service-accounts/names/check",
    permission="service_account:read",
    response=CheckedNames,
    tag=TAG,
    changes=False,
)
def check_names(call: Call, body: CheckNames) -> schemas.JSON:
    """Tell whether service accounts could have these names: the convention, the handle, who has them."""
    return {"items": [_checked(each) for each in trying.names(call.organization, body.names)]}


def _checked(tried: trying.Tried) -> schemas.JSON:
    return {
        "name": tried.name,
        "handle": tried.handle or None,
        "ok": not tried.problems,
        "problems": [
            {"code": each.code, "detail": each.detail, "field": each.field} for each in tried.problems
        ],
    }
