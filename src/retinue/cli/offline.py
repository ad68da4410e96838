"""``retinue verify --offline``: the decision of the replica of this host, without a network.

What is asked here is not a call of the API: it is neither logged nor counted.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmdb

from retinue import pepper
from retinue import settings as rules
from retinue.cli import settings
from retinue.cli.exits import CommandError, Exit
from retinue.decision import Decision, Denied
from retinue.replica.store import Store
from retinue.token import DEFAULT_BRAND
from retinue.verifier import Question, UnknownOrganization, UnknownPermission, Verifier

if TYPE_CHECKING:
    from retinue.cli.verification import Question as Asked


def ask(token: str, asked: Asked) -> dict[str, Any]:
    """Return the decision, as a node would answer it."""
    replica = Path(settings.replica() or settings.home() / "replica")
    beside = settings.home() if os.environ.get("RETINUE_HOME") else replica.parent
    try:
        peppers = pepper.load(Path(os.environ.get("RETINUE_PEPPER_FILE") or beside / "pepper"))
    except pepper.PepperError as error:
        raise CommandError(str(error), "run this as the user of the node, on its host") from None
    try:
        store = Store(replica)
    except (lmdb.Error, OSError):
        raise CommandError(
            f"{replica}: no replica that can be read", "set RETINUE_REPLICA, or ask a node without --offline"
        ) from None
    brands: tuple[str, ...] = (DEFAULT_BRAND,)
    brands = rules.variable(os.environ, "RETINUE_BRANDS", _brands, brands)
    question = Question(
        token,
        asked.need,
        organization=asked.organization,
        address=asked.address,
        method=asked.method,
        path=asked.path,
        scheme=None,
        counts=False,
    )
    try:
        return _told(Verifier(store, peppers, brands=brands, unseal=_unseal()).verify(question), asked.need)
    except (UnknownOrganization, UnknownPermission) as error:
        raise CommandError(str(error), "see: retinue permission list", Exit.USAGE) from None
    finally:
        store.close()


def _told(decision: Decision, need: tuple[str, ...]) -> dict[str, Any]:
    """Return a decision in the words of a node's answer."""
    caller = decision.caller
    answer: dict[str, Any] = {
        "allowed": not isinstance(decision, Denied),
        "reason": decision.reason.value if isinstance(decision, Denied) else None,
        "account": None,
        "organization": None,
        "credential_id": None,
        "permission": decision.permission or (need[0] if need else None),
        "revision": None,
        "expires_at": None,
        "rotate_by": None,
        "warnings": [],
    }
    if caller is not None:
        answer |= {
            "account": {"id": caller.id, "kind": caller.kind, "name": caller.name},
            "organization": caller.organization,
            "credential_id": caller.credential_id,
            "revision": caller.revision,
            "expires_at": _instant(caller.expires_at_ms),
            "rotate_by": _instant(caller.rotate_by_ms),
            "warnings": [each.value for each in caller.warnings],
        }
    return answer


def _instant(at_ms: int) -> str | None:
    if not at_ms:
        return None
    return datetime.fromtimestamp(at_ms / 1e3, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _brands(text: str) -> tuple[str, ...]:
    return tuple(rules.brand(each.strip()) for each in text.split(","))


def _unseal() -> Any:
    """Return what opens the keys of tokens that another system digested; it needs ``retinue[node]``."""
    try:
        from retinue.sealing import unseal
    except ImportError:
        return None
    return unseal
