"""Importing the keys of another system by their digests."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.api import schemas
from retinue.server.api.answers import instant
from retinue.server.api.credential_schemas import EXPIRES, Restrictions
from retinue.server.api.operations import Call, operation
from retinue.server.credentials import importing
from retinue.server.credentials.queries import ImportScheme
from retinue.server.directory import queries as directory
from retinue.server.errors import NotFound, Refused

TAG = "keys"
#: Keys in one call; a body holds no more.
MOST = 200


class Scheme(schemas.Body):
    """How the other system digested its tokens. The name stands for it from then on."""

    name: str
    algorithm: str = Field(description="sha256, sha512, hmac-sha256, argon2 or bcrypt.")
    prefix: str = Field("", description="What all of these tokens begin with, if anything.")
    public: int = Field(0, description="Of argon2 and bcrypt: how long the public part of a token is.")
    key: str | None = Field(None, description="The other system's HMAC key in base64. It is kept encrypted.")


class ImportedKey(schemas.Body):
    """A key, known by the digest of its token."""

    account: str = Field(description="Id or handle of the service account that it becomes a key of.")
    name: str
    digest: str = Field(description="Digest of the whole token, in hexadecimal or base64; or its slow hash.")
    public: str = Field("", description="The first characters of a token with a slow hash, which find it.")
    last: str = Field("", description="Up to 5 last characters of the token that lists may show.")
    expires: str | None = Field(None, description=EXPIRES)
    restrictions: Restrictions | None = None


class ImportKeys(schemas.WithReason):
    """Keys to import, and how they were digested."""

    scheme: Scheme
    keys: list[ImportedKey] = Field(min_length=1, max_length=MOST)
    preview: bool = Field(False, description="Say what would happen, and change nothing.")


class ImportItem(schemas.Answer):
    """What became, or would become, of one key."""

    account: str
    name: str
    result: Literal["done", "unchanged", "refused"]
    id: str | None = Field(description="Of the key that was made; `null` in a preview.")
    expires_at: str | None
    code: str | None = Field(description="Why it was refused: the code of a problem.")
    field: str | None
    detail: str | None


class ImportResult(schemas.Answer):
    """What became of each key."""

    preview: bool
    done: int
    unchanged: int
    refused: int
    items: list[ImportItem]


class _TakenBack(Exception):
    """A preview is over."""


@operation("POST", "/bulk/keys/import", permission="credential:issue", response=ImportResult, tag=TAG)
def import_keys(call: Call, body: ImportKeys) -> schemas.JSON:
    """Import keys of another system by the digests of their tokens, which go on working."""
    items: list[schemas.JSON] = []
    try:
        with call.tx.attempt():
            by = importing.scheme(
                call.tx,
                call.organization,
                name=body.scheme.name,
                algorithm=body.scheme.algorithm,
                prefix=body.scheme.prefix,
                key=body.scheme.key,
                public=body.scheme.public,
            )
            items = [_one(call, by, each, preview=body.preview) for each in body.keys]
            if body.preview:
                raise _TakenBack
    except _TakenBack:
        pass
    results = [item["result"] for item in items]
    counts = {word: results.count(word) for word in ("done", "unchanged", "refused")}
    return {"preview": body.preview, **counts, "items": items}


def _one(call: Call, by: ImportScheme, asked: ImportedKey, *, preview: bool) -> schemas.JSON:
    item: schemas.JSON = {"account": asked.account, "name": asked.name, "id": None, "expires_at": None}
    refusal: schemas.JSON = {"code": None, "field": None, "detail": None}
    restrictions = None if asked.restrictions is None else asked.restrictions.given()
    wanted = importing.Imported(
        asked.name, asked.digest, asked.last, asked.expires, restrictions, asked.public
    )
    try:
        with call.tx.attempt():
            account = directory.account(call.organization, directory.id_of(call.organization, asked.account))
            made = importing.import_key(call.tx, account, by, wanted)
    except Refused as refused:
        code = "not_found" if isinstance(refused, NotFound) else refused.code
        refusal = {"code": code, "field": refused.field, "detail": refused.detail}
        return {**item, **refusal, "result": "refused"}
    if made is None:
        return {**item, **refusal, "result": "unchanged"}
    ends = instant(made.expiry.at)
    return {
        **item,
        **refusal,
        "result": "done",
        "id": None if preview else made.credential.id,
        "expires_at": ends,
    }
