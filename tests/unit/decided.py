"""One organization with one account and one credential, decided in memory; each record can be another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from retinue import permission
from retinue.decision import Decision, Denied
from retinue.pepper import Pepper, Peppers
from retinue.replica.memory import MemoryReplica
from retinue.replica.records import (
    Change,
    Credential,
    Digest,
    Kind,
    Meta,
    Organization,
    OrganizationHandle,
    Permission,
    Principal,
    Record,
    encode,
)
from retinue.sealing import unseal
from retinue.verifier import Question, Take, Verifier

NOW = 1_796_212_800_000
BOOT, BOOT_NS = "this boot", 5_000_000_000
PEPPER = Pepper(bytes(32))
KID = "AbCdEfGhIjKl"


def own(token: bytes) -> Digest:
    """Our digest of a whole token."""
    return Digest(PEPPER.digest(token), PEPPER.id)


def decide(
    question: Question,
    *,
    more: Iterable[tuple[Kind, str, Record]] = (),
    peppers: tuple[Pepper, ...] = (PEPPER,),
    take: Take | None = None,
    **changed: dict[str, Any],
) -> Decision:
    """Decide a question. ``credential={"kind": "pat"}`` and so on change the records, ``more`` adds others."""
    rows: dict[tuple[Kind, str], Record] = {
        (Kind.ORGANIZATION, "org"): Organization("org", "acme", "Acme", "enabled", ("bearer",)),
        (Kind.ORGANIZATION_HANDLE, "acme"): OrganizationHandle("org"),
        (Kind.PRINCIPAL, "sa"): Principal(
            "sa", "service_account", "org", "bot", "Bot", "enabled", permission.mask([0])
        ),
        (Kind.CREDENTIAL, KID): Credential("key", "sa", "org", "sa", "active", ()),
        (Kind.PERMISSION, "report:read"): Permission("report:read", 0),
    }
    for (kind, key), row in rows.items():
        rows[kind, key] = msgspec.structs.replace(row, **changed.get(kind.value, {}))
    rows |= {(kind, key): record for kind, key, record in more}
    replica = MemoryReplica()
    changes = [Change(1, kind, key, encode(row)) for (kind, key), row in rows.items()]
    replica.apply(changes, Meta(1, 1, True, boot_id=BOOT, fresh_from_ns=BOOT_NS, fresh_wall_ms=NOW))
    verifier = Verifier(
        replica,
        Peppers(list(peppers)),
        clock_ms=lambda: NOW,
        boot_clock_ns=lambda: BOOT_NS,
        boot_id=BOOT,
        unseal=unseal,
        take=take,
    )
    return verifier.verify(question)


def reason(decision: Decision) -> str | None:
    """Why it was denied; ``None`` for an allowed one."""
    return decision.reason.value if isinstance(decision, Denied) else None
