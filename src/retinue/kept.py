"""What one committed state of a replica says of credentials: found out once for this state, and for no other.

A verification opens a read transaction, learns which committed state it reads, digests the token and compares
it, and reads the clocks. Only what follows from the state alone is not worked out again while the state is
the same: that a credential, presented so, may do this, and between which instants. After any commit, the
renewal of a lease too, all of it is forgotten. Kept by time or by key it would be a cache, and a revoke
would not hold.

Denials are not kept, but that of what is no token at all; nor what depends on more of a request than is
compared: networks, endpoints, methods, times of the day, limits, resources.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from retinue import authority
from retinue.decision import Allowed, Denied, Reason, Terms
from retinue.question import Question
from retinue.replica.lease import Bounds
from retinue.replica.reading import Snapshot, State
from retinue.replica.records import Credential, Organization, Principal
from retinue.token import Kind

#: So much a process keeps, about a kilobyte each; and of one credential.
MAX_KNOWN, MAX_OTHERS = 16_384, 15
MAX_GARBAGE = 64
Asked = tuple[str | None, tuple[str, ...], str | None]
_INGEST = Kind.INGEST.value
#: From when until when what no instant changes is so.
ALWAYS = (0, 1 << 62)


class Known(msgspec.Struct, gc=False):
    """A credential that was allowed something in this state.

    ``digest`` is that of its token by the active pepper; ``need`` to ``kinds`` are how it was asked about.
    It holds while the lease runs, at instants from ``since_ms`` until before ``until_ms``, if it is timed.
    What else is here depends on nothing but the decision, and whoever tells it puts it together once.
    """

    digest: bytes
    need: tuple[str, ...]
    organization: str | None
    scheme: str | None
    kinds: frozenset[str]
    began_ns: int
    ends_ns: int
    ahead_ns: int
    since_ms: int
    until_ms: int
    is_timed: bool
    decision: Allowed
    #: An answer over HTTP, and the parts of its entry in the request log.
    told: bytes = b""
    noted: tuple[bytes, ...] = ()
    #: What a guard says of the caller.
    fields: tuple[Any, ...] = ()
    #: The question without a token that was asked so last: a node asks by the same object again and again.
    question: Question | None = None
    #: What else the same token was allowed, and how much.
    also: Known | None = None
    others: int = 0

    def about(self, question: Question) -> Known | None:
        """Return what is known of a question that asks the same, but for what does not matter here."""
        if self.question is question:
            return self
        known: Known | None = self
        while known is not None:
            if (
                known.need == question.need
                and known.scheme == question.scheme
                and known.organization == question.organization
                and known.kinds == question.kinds
            ):
                known.question = None if question.token else question
                return known
            known = known.also
        return None


class Garbage(msgspec.Struct, gc=False):
    """How a text that is no token of any kind is refused, whatever it is."""

    decision: Denied
    told: bytes = b""


class Kept:
    """What is known of one state, by key id. A state is known by the object that stands for it."""

    __slots__ = ("bounds", "count", "garbage", "known", "seen", "state")

    def __init__(self, state: State | None = None) -> None:
        self.state = state
        self.known: dict[str, Known] = {}
        self.count = 0
        #: Of leases, by their length.
        self.bounds: dict[int, Bounds] = {}
        #: By organization, permissions and scheme that were asked about.
        self.garbage: dict[Asked, Garbage] = {}
        #: Key ids that were allowed something once. What is asked for once need not be kept.
        self.seen: set[str] = set()

    def has_seen(self, kid: str) -> bool:
        """Tell whether a key was allowed something before, and note it."""
        seen = self.seen
        if kid in seen:
            return True
        if len(seen) >= MAX_KNOWN:
            seen.clear()
        seen.add(kid)
        return False

    def put(self, kid: str, known: Known) -> None:
        """Keep it; so that a process stays small, all is let go of when it is much."""
        if self.count >= MAX_KNOWN:
            self.known.clear()
            self.count = 0
        before = self.known.get(kid)
        if before is not None and before.digest == known.digest and before.others < MAX_OTHERS:
            known.also, known.others = before, before.others + 1
        self.count += 1
        self.known[kid] = known
        self.seen.discard(kid)


def malformed(question: Question, terms: Terms, kept: Kept | None) -> Denied:
    """Return the denial of what is no token, and keep it."""
    denied = Denied(Reason.TOKEN_MALFORMED, None, None, terms)
    if kept is not None:
        if len(kept.garbage) >= MAX_GARBAGE:
            kept.garbage.clear()
        kept.garbage[question.organization, question.need, question.scheme] = Garbage(denied)
    return denied


def known(
    question: Question,
    presented: bytes,
    allowed: Allowed,
    lease: Bounds,
    span: tuple[int, int],
) -> Known:
    """Return what is kept of a decision."""
    asked = (question.need, question.organization, question.scheme, question.kinds)
    return Known(presented, *asked, *lease, *span, span != ALWAYS, allowed)


def span(
    snapshot: Snapshot,
    organization: Organization,
    principal: Principal | None,
    credential: Credential,
    now_ms: int,
) -> tuple[int, int] | None:
    """Return from when until when what is decided now stays so in this state; ``None`` if it depends on more.

    Instants are milliseconds since 1970; the first is contained, the second not.
    """
    if (
        principal is None
        or principal.scoped
        or credential.restrictions is not None
        or organization.rules is not None
        or organization.environments
        or credential.kind == _INGEST
    ):
        return None
    for holder_id in authority.holders_of(organization, principal, now_ms):
        holder = snapshot.holder(holder_id)
        if holder is not None and (holder.bound or holder.scoped):
            return None
    expires_at_ms = credential.expires_at_ms
    instants = [
        credential.not_before_ms,
        expires_at_ms,
        credential.retires_at_ms,
        credential.rotate_by_ms,
        expires_at_ms and expires_at_ms - organization.warn_ms,
        *[each.valid_until_ms for each in credential.digests],
        *[each.until_ms for each in principal.timed],
    ]
    return _around(instants, now_ms) if any(instants) else ALWAYS


def _around(instants: Iterable[int], now_ms: int) -> tuple[int, int]:
    """Return the last of these instants that has come, and the first that has not. 0 stands for none."""
    since_ms, until_ms = ALWAYS
    for each in instants:
        if each > now_ms:
            until_ms = min(until_ms, each)
        else:
            since_ms = max(since_ms, each)
    return since_ms, until_ms
