"""Organizations that accept other schemes and formats, and a worker in front of them."""

from __future__ import annotations

from base64 import b64encode

import msgspec

from retinue import pepper, permission
from retinue.decision import Terms
from retinue.formats import Format, mint_as
from retinue.pepper import lookup_key
from retinue.replica import records
from retinue.replica.records import ANY, Change, Kind, Rate, Restrictions, Rules
from retinue.replica.store import Store
from retinue.token import Kind as TokenKind
from tests.node.wire import Reply
from tests.node.world import REVISION, World
from tests.support.leases import LONG_MS

PAIRS, POINTS = "org_pairs00000000000", "org_points0000000000"
LIMITED, A_MINUTE = "org_limited000000000", 12
SCHEMES = ("apikey", "basic_pair", "basic_token", "bearer", "header:x-api-key", "path")


def add(world: World) -> None:
    """Add the organizations ``pairs`` and ``points``, with tokens, to a replica."""
    active = pepper.load(world.home / "pepper").active
    changes = [_put(Kind.SCHEMES, ANY, records.Schemes(SCHEMES))]
    changes += [each for organization in _organizations() for each in _organization(organization)]
    changes += _key(world, active, "pair", PAIRS, Format.PAIR)
    changes += _key(
        world, active, "narrow", PAIRS, Format.PAIR, Restrictions(("192.0.2.0/24",), ("/v1/*",), ("GET",))
    )
    changes += _key(world, active, "token", POINTS, Format.NATIVE)
    for name in ("limited", "other-limited", "asked"):
        changes += _key(world, active, name, LIMITED, Format.NATIVE)
    changes += _key(
        world,
        active,
        "ingest",
        POINTS,
        Format.UUID,
        Restrictions(
            endpoints=("/analytics/{token}", "/analytics/bulk/{token}", "/{token}/data", "/write/*")
        ),
    )
    store = Store(world.replica, writable=True, map_bytes=64 << 20)
    try:
        with store.snapshot() as snapshot:
            meta = snapshot.meta()
        store.apply(changes, msgspec.structs.replace(meta, revision=REVISION))
    finally:
        store.close()


def _organizations() -> tuple[records.Organization, ...]:
    return (
        records.Organization(
            PAIRS,
            "pairs",
            "Pairs",
            "enabled",
            ("apikey", "basic_pair", "header:x-api-key"),
            lease_ms=LONG_MS,
            terms=Terms(403, 404, flat=True, challenges=("Apikey", "Basic")),
        ),
        records.Organization(
            POINTS,
            "points",
            "Points",
            "enabled",
            ("bearer", "basic_token"),
            lease_ms=LONG_MS,
            ingest=("basic", "path"),
            rules=Rules(deny=("203.0.113.0/24",)),
        ),
        records.Organization(
            LIMITED,
            "limited",
            "Limited",
            "enabled",
            ("bearer",),
            lease_ms=LONG_MS,
            rules=Rules(rate=Rate(per_minute=A_MINUTE)),
        ),
    )


def _organization(organization: records.Organization) -> list[Change]:
    return [
        _put(Kind.ORGANIZATION, organization.id, organization),
        _put(Kind.ORGANIZATION_HANDLE, organization.handle, records.OrganizationHandle(organization.id)),
    ]


def _key(
    world: World,
    active: pepper.Pepper,
    name: str,
    organization: str,
    form: Format,
    restrictions: Restrictions | None = None,
) -> list[Change]:
    """An account that may read reports, and its key; an ingest token has no account."""
    kind = TokenKind.INGEST if name == "ingest" else TokenKind.API_KEY
    token = world.tokens[name] = mint_as(form, kind)
    digest = records.Digest(active.digest(token.as_bytes()), active.id)
    account = "" if kind is TokenKind.INGEST else f"sa_{name}"
    changes = [
        _put(
            Kind.CREDENTIAL,
            token.kid,
            records.Credential(
                f"key_{token.kid}",
                kind.value,
                organization,
                account,
                "active",
                (digest,),
                restrictions=restrictions,
            ),
        )
    ]
    if account:
        principal = records.Principal(
            account, "service_account", organization, name, name, "enabled", permission.mask([1])
        )
        changes.append(_put(Kind.PRINCIPAL, account, principal))
    if not form.names_key:
        changes.append(_put(Kind.LOOKUP, lookup_key(digest.value), records.Lookup(token.kid)))
    return changes


def _put(kind: Kind, key: str, record: records.Record) -> Change:
    return Change(REVISION, kind, key, records.encode(record))


def encoded(text: str) -> str:
    """Base64, as Basic and Apikey carry it."""
    return b64encode(text.encode()).decode()


def fields(world: World, how: str, name: str) -> tuple[str, ...]:
    """The header fields that present a token in a way."""
    token = world.token(name)
    return {
        "bearer": (f"Authorization: Bearer {token}",),
        "lower case": (f"authorization: bearer {token}",),
        "apikey": (f"Authorization: Apikey {encoded(token)}",),
        "ApiKey": (f"Authorization: ApiKey {encoded(token)}",),
        "basic": (f"Authorization: Basic {encoded(token)}",),
        "user": (f"Authorization: Basic {encoded(token + ':')}",),
        "header": (f"X-Api-Key: {token}",),
        "x-api-key": (f"x-api-key: {token}",),
        "X_Api_Key": (f"X_Api_Key: {token}",),
    }[how]


def answer(reply: Reply) -> tuple[int, str]:
    """Status and reason."""
    return reply.status, reply.fields["retinue-error"]
