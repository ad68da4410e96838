"""The hot path: token + question + replica + now -> decision.

The order of the checks is the policy; the first that fails gives the one reason. Strangers learn
nothing: everything after ``token_unknown`` is reached only with a genuine token. Each verification
opens a new snapshot, because an acknowledged change must be true for every verification that begins later.
What is kept from one to the next belongs to one committed state, and goes with it (:mod:`retinue.kept`).
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest

import msgspec

from retinue import access_token, authority, standing
from retinue import kept as keeping
from retinue.decision import NATIVE_TERMS, Allowed, Caller, Decision, Denied, Quota, Reason
from retinue.foreign import Unseal
from retinue.formats import Other, Reader
from retinue.genuine import NO_DIGEST, Digests
from retinue.kept import Garbage, Kept, Known
from retinue.pepper import Peppers
from retinue.question import API_KINDS as API_KINDS
from retinue.question import CALLER_KINDS as CALLER_KINDS
from retinue.question import Question as Question
from retinue.question import UnknownOrganization as UnknownOrganization
from retinue.question import UnknownPermission as UnknownPermission
from retinue.replica import lease
from retinue.replica.lease import UNKNOWN_LEASE_MS, boot_clock_ns, wall_clock_ms
from retinue.replica.narrowing import Rate
from retinue.replica.reading import Replica, Snapshot, States
from retinue.replica.records import (
    SCHEMA,
    Credential,
    Meta,
    Organization,
    Principal,
)
from retinue.standing import INGEST_PLACES
from retinue.token import DEFAULT_BRAND, Grammar, Kind, Read

#: The permission by which users have personal access tokens.
PAT_ISSUE = "pat:issue"
_INGEST = Kind.INGEST.value
_ACCESS = Kind.ACCESS.value
_STALE = Denied(Reason.REPLICA_STALE)
_MS = 1_000_000

#: Counts a call against the limits of its account: account, rate, now in ms, live nodes.
Take = Callable[[str, Rate, int, int], Quota | None]


class Verifier:
    """Decides about tokens from a replica. One object a process; safe to use from several threads."""

    def __init__(
        self,
        replica: Replica,
        peppers: Peppers,
        *,
        brands: tuple[str, ...] = (DEFAULT_BRAND,),
        clock_ms: Callable[[], int] = wall_clock_ms,
        boot_clock_ns: Callable[[], int] = boot_clock_ns,
        boot_id: str | None = None,
        unseal: Unseal | None = None,
        take: Take | None = None,
    ) -> None:
        self._replica = replica
        self._states = replica if isinstance(replica, States) else None
        self._kept = Kept()
        self._peppers = peppers
        self._digests = Digests(peppers, unseal)
        self._digest = peppers.active.digest
        grammar = Grammar(brands)
        self._read = grammar.read
        #: What :meth:`look` wants of a token, from its bytes; ``None`` for what is no native one.
        self.read_bytes = grammar.read_bytes
        self._read_other = Reader(brands).read
        self._take = take
        self._clock_ms = clock_ms
        self._boot_clock_ns = boot_clock_ns
        self._boot_id = lease.boot_id() if boot_id is None else boot_id

    def verify(self, question: Question) -> Decision:
        """Decide ``question``.

        Raises :class:`UnknownPermission` or :class:`UnknownOrganization` if the question itself names what
        does not exist; that is known only with a loaded replica, before it the answer is a denial.
        """
        found = self.find(question)
        return found.decision if isinstance(found, Known) else found

    def find(self, question: Question) -> Decision | Known:
        """Decide as :meth:`verify`; an answer may be one that is kept."""
        text = question.token
        return self.look(question, self._read(text) if text else None)

    def look(self, question: Question, token: Read | None) -> Decision | Known:
        """Decide as :meth:`find`, about a token that was read.

        With ``token`` the one in the question means nothing.
        """
        states = self._states
        if states is None:
            with self._replica.snapshot() as snapshot:
                return self._judge(snapshot, question, token, b"", None)
        transaction, state = states.committed()
        try:
            kept = self._kept
            if kept.state is not state:
                kept = self._kept = Kept(state)
            if token is None:
                return self._judge(states.reading(transaction, state), question, None, b"", kept)
            # Whatever is known of the key id: one digest, and then a comparison.
            presented = self._digest(token[0])
            known = kept.known.get(token[2])
            is_same = compare_digest(presented, NO_DIGEST if known is None else known.digest)
            known = known.about(question) if known is not None and is_same else None
            if known is not None:
                # After the snapshot was opened, as below.
                boot_ns, wall_ms = self._boot_clock_ns(), self._clock_ms()
                is_running = known.began_ns <= boot_ns < known.ends_ns
                if is_running and wall_ms * _MS - boot_ns <= known.ahead_ns:
                    now = _now_ms(state.meta, boot_ns, wall_ms) if known.is_timed else 0
                    if not known.is_timed or known.since_ms <= now < known.until_ms:
                        return known
            return self._judge(states.reading(transaction, state), question, token, presented, kept)
        finally:
            transaction.abort()

    def garbage(self, question: Question, text: str) -> Garbage | None:
        """Return how a text that is no token was refused before in this state, to the same question."""
        states = self._states
        if states is None or self._read_other(text) is not None:
            return None
        transaction, state = states.committed()
        transaction.abort()
        kept, asked = self._kept, (question.organization, question.need, question.scheme)
        return kept.garbage.get(asked) if kept.state is state else None

    def _judge(
        self,
        snapshot: Snapshot,
        question: Question,
        token: Read | None,
        presented: bytes,
        kept: Kept | None,
    ) -> Decision:
        """Decide from the records. ``presented`` is the token's digest, if it was made already.

        The clocks are read after the snapshot was opened: what is fresh now was fresh when it was.
        """
        meta = snapshot.meta()
        loaded = meta.complete and meta.schema == SCHEMA
        protected = _check_named(snapshot, question) if loaded else None
        terms = NATIVE_TERMS if protected is None else protected.terms
        if token is None and not question.token:
            return Denied(Reason.TOKEN_MISSING, None, None, terms)
        scheme = question.scheme
        accepted = snapshot.schemes() if protected is None else protected.schemes
        if scheme not in accepted and scheme is not None and not _may_stand_so(protected, scheme):
            return Denied(Reason.SCHEME_NOT_ACCEPTED, None, None, terms)
        other = None if token is not None or question.token is None else self._read_other(question.token)
        if token is None and not _may_be_foreign(snapshot, other, loaded):
            return keeping.malformed(question, terms, kept if other is None else None)
        if not loaded:
            return _STALE
        boot_ns, wall_ms = self._boot_clock_ns(), self._clock_ms()
        now = _now_ms(meta, boot_ns, wall_ms)
        if token is None or token[1] == _ACCESS:
            credential, genuine, access_ms, claim = self._found(snapshot, token or other, protected, now)
        else:
            credential, access_ms, claim = snapshot.credential(token[2]), 0, ""
            if credential is not None and credential.kind != token[1]:
                credential = None
            genuine = self._digests.is_genuine(snapshot, token[0], credential, now, presented)
        organization = protected
        if genuine and credential is not None:
            organization = snapshot.organization(credential.organization)
        bounds = self._bounds(meta, kept, UNKNOWN_LEASE_MS if organization is None else organization.lease_ms)
        if not (bounds[0] <= boot_ns < bounds[1] and wall_ms * _MS - boot_ns <= bounds[2]):
            return _STALE
        if not genuine or protected not in (None, organization) or credential is None or organization is None:
            return Denied(Reason.TOKEN_UNKNOWN, None, None, terms, claim=claim)
        principal = snapshot.principal(credential.principal) if credential.principal else None
        caller = standing.caller(meta, organization, principal, credential, now, access_ms)
        decision = self._decide(snapshot, question, organization, principal, credential, caller, now)
        if kept is not None and token is not None and type(decision) is Allowed and kept.has_seen(token[2]):
            lasts = keeping.span(snapshot, organization, principal, credential, now)
            if lasts is not None and self._digests.is_own(credential, presented):
                kept.put(token[2], keeping.known(question, presented, decision, bounds, lasts))
        return decision

    def _bounds(self, meta: Meta, kept: Kept | None, lease_ms: int) -> lease.Bounds:
        """Return the bounds of a lease, from what is kept of the state if they are there."""
        known = None if kept is None else kept.bounds.get(lease_ms)
        if known is None:
            known = lease.bounds(meta, lease_ms, self._boot_id)
            if kept is not None:
                kept.bounds[lease_ms] = known
        return known

    def schemes(self, organization: str | None = None) -> tuple[str, ...]:
        """Return how tokens may be presented to an organization (id or handle), or to any."""
        with self._replica.snapshot() as snapshot:
            if organization is None:
                return snapshot.schemes()
            found = snapshot.organization(organization) or snapshot.organization_by_handle(organization)
            return () if found is None else found.schemes

    def _decide(
        self,
        snapshot: Snapshot,
        question: Question,
        organization: Organization,
        principal: Principal | None,
        credential: Credential,
        caller: Caller,
        now: int,
    ) -> Decision:
        """What is decided of a genuine token, and said to its holder."""
        terms = organization.terms
        reason = standing.ended(organization, principal, credential, now)
        follows = credential.self_issued and organization.pat_follows_permission
        if follows and reason is None:
            lost = authority.refusal(snapshot, organization, principal, PAT_ISSUE, now)
            reason = None if lost is None else Reason.CREDENTIAL_SUSPENDED
        reason = reason or standing.misplaced(question, organization, credential, caller.access_until_ms, now)
        narrows = credential.restrictions is not None or organization.rules is not None
        if reason is None and (narrows or organization.environments):
            reason = standing.narrowed(question, organization, principal, credential, now)
        if reason is not None:
            return Denied(reason, caller, None, terms)
        # An ingest token holds no permissions: the endpoints that it is bound to are what it may write to.
        for name in question.need if credential.kind != _INGEST else ():
            reason = authority.refusal(snapshot, organization, principal, name, now, question)
            if reason is not None:
                return Denied(reason, caller, name, terms)
        allowed = Allowed(caller, question.need[0] if question.need else None, terms)
        if self._take is None or (organization.rules is None and not organization.environments):
            return allowed
        rules = standing.rules_for(organization, principal)
        if rules is None or rules.rate is None or not question.counts:
            return allowed
        account = credential.principal or credential.id
        quota = self._take(account, rules.rate, now, snapshot.meta().nodes)
        if quota is not None and quota.retry_after:
            return Denied(Reason.RATE_LIMITED, caller, None, terms, quota)
        return msgspec.structs.replace(allowed, quota=quota)

    def _found(
        self, snapshot: Snapshot, read: Read | Other | None, protected: Organization | None, now: int
    ) -> tuple[Credential | None, bool, int, str]:
        """Find what is no native key: credential, is it its own, the end of an access token, a claim."""
        if read is None:
            return None, False, 0, ""
        if isinstance(read, Other):
            if read.kind != _ACCESS:
                credential, genuine, claim = self._digests.finder.find(snapshot, read, protected, now)
                return credential, genuine, 0, claim
            read = read.whole, read.kind, read.kid
        credential = snapshot.credential(read[2])
        digests = () if credential is None else credential.digests
        access_ms = access_token.end_ms(read[0], digests, self._peppers, now)
        return credential, access_ms > 0, access_ms, ""


def _may_stand_so(protected: Organization | None, scheme: str) -> bool:
    """Tell whether an ingest or access token may stand so; that of any organization is a scheme here."""
    if protected is None:
        return False
    return INGEST_PLACES.get(scheme) in protected.ingest or (scheme == "bearer" and protected.exchange_ms > 0)


def _may_be_foreign(snapshot: Snapshot, other: Other | None, loaded: bool) -> bool:
    """Tell whether a text that is no native token of ours may be one all the same."""
    return other is not None and (other.ours or (loaded and bool(snapshot.import_schemes())))


def _now_ms(meta: Meta, boot_ns: int, wall_ms: int) -> int:
    """The later of this clock and the control plane's, as last heard plus the time since then."""
    heard = meta.control_time_ms
    if not heard:
        return wall_ms
    return max(wall_ms, heard + max(boot_ns - meta.heard_ns, 0) // 1_000_000)


def _check_named(snapshot: Snapshot, question: Question) -> Organization | None:
    """Return the organization that the question protects, if it names one; what it names must exist."""
    for name in question.need:
        if snapshot.permission_index(name) is None:
            raise UnknownPermission(name)
    named = question.organization
    if named is None:
        return None
    organization = snapshot.organization(named) or snapshot.organization_by_handle(named)
    if organization is None:
        raise UnknownOrganization(named)
    return organization
