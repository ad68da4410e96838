"""What the records of a replica say of credentials: found out once, for as long as no record changes.

A verification looks which committed state is the present one, digests the token and compares it, and reads
the clocks. Only what follows from the records alone is not worked out again while they are the same: that a
credential, presented so, may do this, and between which instants. After any commit but the renewal of a
lease all of it is forgotten. Kept by time or by key it would be a cache, and a revoke would not hold.

Denials are not kept, but that of what is no token at all; nor what depends on more of a request than is
compared: networks, endpoints, methods, times of the day, limits, resources.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from retinue import authority
from retinue.decision import Allowed, Denied, Reason, Terms
from retinue.question import Question
from retinue.replica.lease import Bounds
from retinue.replica.numbers import Words
from retinue.replica.reading import Snapshot, State
from retinue.replica.records import Credential, Meta, Organization, Principal
from retinue.token import KID_PLACE, Kind

#: So much a process keeps, about a kilobyte each; and of one credential.
MAX_KNOWN, MAX_OTHERS = 32_768, 15
MAX_GARBAGE, MAX_ASKED = 64, 256
#: Marks for key ids that were asked about; some share one, so a few are kept at once.
_MARKS = 1 << 16
Asked = tuple[str | None, tuple[str, ...], str | None]
_INGEST = Kind.INGEST.value
#: From when until when what no instant changes is so.
ALWAYS = (0, 1 << 62)


class Pack(Protocol):
    """Puts an entry of the request log together: :data:`retinue.prepared_entries.Pack`."""

    def __call__(self, start: bytes, at_ms: int, facts: bytes, took_us: int, end: bytes, /) -> bytes: ...


#: How a token was asked about: permissions, organization, scheme, kinds.
How = tuple[tuple[str, ...], str | None, str | None, frozenset[str]]


class Known(msgspec.Struct, gc=False):
    """A credential that was allowed something in this state.

    ``tag`` is that of its token (:class:`retinue.genuine.Tags`); ``how`` it was asked about is an object that
    many share. It holds while a lease of ``lease_ms`` runs, at instants from ``since_ms`` until before
    ``until_ms``, if it is timed. What else is here depends on nothing but the decision, and whoever tells it
    puts it together once.
    """

    tag: bytes
    how: How
    lease_ms: int
    since_ms: int
    until_ms: int
    is_timed: bool
    decision: Allowed
    #: An answer over HTTP, but for what changes each second.
    told: bytes = b""
    #: The wall clock when it was recalled last, in nanoseconds since 1970.
    at_ns: int = 0
    #: What makes its entry in the request log.
    noted: tuple[bytes, ...] = ()
    pack: Pack | None = None
    facts: bytes = b""
    #: What a guard says of the caller.
    fields: tuple[Any, ...] = ()
    #: The question without a token that was asked so last: a node asks by the same object again and again.
    question: Question | None = None
    #: What else the same token was allowed, and how much.
    also: Known | None = None
    others: int = 0

    def about(self, question: Question) -> Known | None:
        """Return what is known of a question that asks the same, but for what does not matter here."""
        known: Known | None = self
        how = (question.need, question.organization, question.scheme, question.kinds)
        while known is not None:
            if known.how == how:
                known.question = None if question.token else question
                return known
            known = known.also
        return None


class Garbage(msgspec.Struct, gc=False):
    """How a text that is no token of any kind is refused, whatever it is."""

    decision: Denied
    told: bytes = b""


class Facts:
    """What is known of one edition of the records: by key id, as it stands in a token."""

    __slots__ = ("asked", "before", "count", "edition", "garbage", "known", "marked", "marks")

    def __init__(self, edition: bytes = b"") -> None:
        self.edition = edition
        #: What was asked about lately, and what was so before: what is in neither is let go of.
        self.known: dict[bytes, Known] = {}
        self.before: dict[bytes, Known] = {}
        self.count = 0
        self.asked: dict[How, How] = {}
        #: By organization, permissions and scheme that were asked about.
        self.garbage: dict[Asked, Garbage] = {}
        #: Marks of key ids that were allowed something once. What is asked for once need not be kept.
        self.marks = bytearray()
        self.marked = 0

    def has_seen(self, token: bytes) -> bool:
        """Tell whether the key of a token was allowed something before, or one with its mark; and note it."""
        place = hash(token[KID_PLACE]) % _MARKS
        marks = self.marks  # once: another thread may exchange them
        if marks and marks[place]:
            return True
        if not marks or self.marked > _MARKS // 2:
            self.marks = marks = bytearray(_MARKS)
            self.marked = 0
        marks[place] = 1
        self.marked += 1
        return False

    def how(self, question: Question) -> How:
        """Return how a question asks, as one object for all that ask so."""
        how = (question.need, question.organization, question.scheme, question.kinds)
        if len(self.asked) >= MAX_ASKED:
            self.asked.clear()
        return self.asked.setdefault(how, how)

    def put(self, token: bytes, known: Known | None) -> None:
        """Keep it, if there is anything."""
        if known is None:
            return
        kid = token[KID_PLACE]
        lately = self.known.get(kid)
        before = lately or self.before.pop(kid, None)
        if before is not None and before.tag == known.tag and before.others < MAX_OTHERS:
            known.also, known.others = before, before.others + 1
        self._make_room(known.others + 1 if lately is None else 1)
        self.known[kid] = known

    def renew(self, kid: bytes, known: Known) -> None:
        """Keep on what was asked about again."""
        self.before.pop(kid, None)
        self._make_room(known.others + 1)
        self.known[kid] = known

    def _make_room(self, count: int) -> None:
        """Let go of what was not asked about for long, so that a process stays small."""
        if self.count + count > MAX_KNOWN // 2:
            self.before.clear()
            self.before.update(self.known)
            self.known.clear()
            self.count = 0
        self.count += count


class Kept:
    """What is known in one committed state. A state is known by the object that stands for it.

    It is the present one while ``word`` stands at ``place`` of ``words``.
    """

    __slots__ = ("before", "bounds", "facts", "known", "meta", "place", "state", "word", "words")

    def __init__(self, state: State | None = None, facts: Facts | None = None) -> None:
        self.state = state
        self.meta = Meta() if state is None else state.meta
        self.words: Words = _NOWHERE if state is None else state.words
        self.place = 0 if state is None else state.place
        self.word = -1 if state is None else state.word
        self.facts = facts or Facts(b"" if state is None else state.edition)
        self.known, self.before = self.facts.known, self.facts.before
        #: Of leases, by their length. They are renewed, so they go with the state.
        self.bounds: dict[int, Bounds] = {}

    def following(self, state: State) -> Kept:
        """Return what is known in another state: the same if its records are the same."""
        return Kept(state, self.facts if state.is_edition(self.facts.edition) else None)


_NOWHERE = (0,)


def malformed(question: Question, terms: Terms, kept: Kept | None) -> Denied:
    """Return the denial of what is no token, and keep it."""
    denied = Denied(Reason.TOKEN_MALFORMED, None, None, terms)
    if kept is not None:
        if len(kept.facts.garbage) >= MAX_GARBAGE:
            kept.facts.garbage.clear()
        kept.facts.garbage[question.organization, question.need, question.scheme] = Garbage(denied)
    return denied


def known(
    how: How,
    tag: bytes,
    allowed: Allowed,
    lease_ms: int,
    span: tuple[int, int],
) -> Known:
    """Return what is kept of a decision."""
    return Known(tag, how, lease_ms, *span, span != ALWAYS, allowed)


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
    if authority.are_limited(snapshot, authority.holders_of(organization, principal, now_ms)):
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
