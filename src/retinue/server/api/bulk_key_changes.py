"""Rotate many API keys at once, give them another end, or narrow them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from retinue.server.api import bulk, schemas
from retinue.server.api.bulk_keys import PATH, TAG, BulkKeys, keys, shown
from retinue.server.api.credential_schemas import EXPIRES, IssuedKey, TimeWindow
from retinue.server.api.operations import Call, operation
from retinue.server.api.secrets_told import issued, overlap
from retinue.server.credentials import actions
from retinue.server.credentials.queries import Credential


class BulkExpire(BulkKeys):
    """Keys, and the end of each."""

    expires: str = Field(description="`now`, a duration from now (`30d`), an RFC 3339 instant, `never`.")


class BulkRestrict(BulkKeys):
    """Keys, and what each is narrowed to. A kind that is left out stays as each key has it."""

    networks: list[str] | None = Field(None, description="CIDR networks; an empty list narrows nothing.")
    endpoints: list[str] | None = Field(None, description="Paths; `/reports/*` also covers what is below.")
    methods: list[str] | None = Field(None, description="HTTP methods.")
    times: list[TimeWindow] | None = None


class BulkRotate(BulkKeys):
    """Keys to rotate: for how long the old ones are accepted beside the new ones, and how these end."""

    overlap: str | None = Field(None, description="`24h`, `0s`; that of the policy if left out.")
    expires: str | None = Field(None, description=EXPIRES)


class BulkRotated(bulk.BulkResult):
    """What became of each, and the new keys with their tokens, which are shown here and never again."""

    issued: list[IssuedKey] | None = Field(
        description="In the order of `items`. Null in a preview and in a repeated answer."
    )


@operation(
    "POST",
    f"{PATH}/expire",
    permission="credential:expire",
    response=bulk.BulkResult,
    tag=TAG,
    reduces=True,
)
def expire_keys(call: Call, body: BulkExpire) -> schemas.JSON:
    """Give many API keys another end: now, earlier, or later as far as the policy allows."""

    def act(key: Credential) -> Credential | None:
        changed, _end = actions.expire(call.tx, key, body.expires)
        return None if changed.expires_at == key.expires_at else changed

    return bulk.run(call, body, keys(call, body), act, shown, "credential")


@operation(
    "POST",
    f"{PATH}/restrict",
    permission="credential:restrict",
    response=bulk.BulkResult,
    tag=TAG,
    reduces=True,
)
def restrict_keys(call: Call, body: BulkRestrict) -> schemas.JSON:
    """Narrow many API keys to other networks, endpoints, methods or times."""
    given: dict[str, Any] = body.model_dump(include={"networks", "endpoints", "methods", "times"})
    wanted = {name: value for name, value in given.items() if value is not None}

    def act(key: Credential) -> Credential | None:
        changed = actions.restrict(call.tx, key, wanted, others_stay=True)
        return None if changed.restrictions == key.restrictions else changed

    return bulk.run(call, body, keys(call, body), act, shown, "credential")


@operation(
    "POST",
    f"{PATH}/rotate",
    permission="credential:rotate",
    response=BulkRotated,
    tag=TAG,
    reduces=True,
)
def rotate_keys(call: Call, body: BulkRotate) -> schemas.JSON:
    """Issue a successor of each of many API keys; the old ones are accepted beside them for the overlap."""
    made: list[schemas.JSON] = []
    seconds = overlap(body.overlap)

    def act(key: Credential) -> Credential | None:
        successor = actions.rotate(call.tx, key, overlap_seconds=seconds, expires=body.expires)
        made.append(issued(call, successor))
        key.refresh_from_db()
        return key

    result = bulk.run(call, body, keys(call, body), act, shown, "credential")
    # The record of this call must name no single credential of the many: a repetition tells no token.
    call.credential = ""
    return {**result, "issued": None if body.preview else made}
