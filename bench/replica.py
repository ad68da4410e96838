"""A node's folder with many keys: what the measurements ask."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from retinue import pepper, permission
from retinue.replica import lease, records
from retinue.replica.records import Change, Kind, encode
from retinue.replica.store import Store
from retinue.token import BASE62, Token, mint
from retinue.token import Kind as TokenKind

NEED = "report:read"
#: So many of the keys have a token that the measurements present, drawn at random over all of them.
SAMPLE = 20_000
_BATCH = 100_000
#: The longest lease that there is: no follower renews it here.
_LEASE_MS = 3_600_000


@dataclass(frozen=True)
class Home:
    """``$RETINUE_HOME`` of a node with ``size`` accounts, each with one key, and tokens of a sample."""

    folder: Path
    size: int
    tokens: list[Token]


def make(folder: Path, size: int) -> Home:
    """Fill a replica with ``size`` accounts that hold ``report:read`` through one role."""
    folder.mkdir(parents=True)
    pepper.create(folder / "pepper")
    active = pepper.load(folder / "pepper").active
    store = Store(folder / "replica", writable=True, map_bytes=16 << 30)
    meta = records.Meta(
        1,
        1,
        complete=True,
        boot_id=lease.boot_id(),
        fresh_from_ns=lease.boot_clock_ns(),
        fresh_wall_ms=lease.wall_clock_ms(),
    )
    organization = records.Organization("org_1", "acme", "Acme", "enabled", ("bearer",), lease_ms=_LEASE_MS)
    store.apply(
        [
            _change(Kind.PERMISSION, NEED, records.Permission(NEED, 7)),
            _change(Kind.ORGANIZATION, "org_1", organization),
            _change(Kind.HOLDER, "role:reader", records.Holder("role:reader", permission.mask([1, 7, 40]))),
        ],
        meta,
    )
    tokens: list[Token] = []
    changes = _accounts(size, active, tokens)
    while batch := list(islice(changes, _BATCH)):
        store.apply(batch, meta)
    store.close()
    random.shuffle(tokens)
    return Home(folder, size, tokens)


def _accounts(size: int, active: pepper.Pepper, tokens: list[Token]) -> Iterator[Change]:
    """Yield the records of all accounts; those that are in the sample get a real token."""
    every = max(size // SAMPLE, 1)
    for number in range(size):
        if number % every == 0:
            token = mint(TokenKind.API_KEY)
            tokens.append(token)
            kid, digest = token.kid, active.digest(token.as_bytes())
        else:  # nobody asks for these: they only make the replica large
            kid, digest = "".join(random.choices(BASE62, k=12)), secrets.token_bytes(32)
        account = f"sa_{number:016d}"
        name = f"account-{number}"
        yield _change(
            Kind.PRINCIPAL,
            account,
            records.Principal(
                account, "service_account", "org_1", name, name, "enabled", b"", ("role:reader",)
            ),
        )
        known = records.Digest(digest, active.id)
        yield _change(
            Kind.CREDENTIAL,
            kid,
            records.Credential(f"key_{kid}", "sa", "org_1", account, "active", (known,)),
        )


def _change(kind: Kind, key: str, record: records.Record) -> Change:
    return Change(1, kind, key, encode(record))
