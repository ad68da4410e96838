"""The hot path: token + question + replica + now -> decision.

The order of the checks is the policy; the first that fails gives the one reason. Strangers learn
nothing: everything after ``token_unknown`` is reached only with a genuine token. Each verification
looks at the present state, because an acknowledged change must be true for every one that begins later. What
is kept from one to the next is what the records say, and goes when one changes (:mod:`retinue.kept`).
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from time import time_ns

import msgspec

from retinue import access_token, authority, standing
from retinue import kept as keeping
from retinue.decision import NATIVE_TERMS, Allowed, Decision, Denied, Quota, Reason
from retinue.foreign import Unseal, may_be_foreign
from retinue.formats import Other, Reader
from retinue.genuine import NO_DIGEST, Digests, Tags
from retinue.kept import Garbage, Kept, Known
from retinue.pepper import Peppers
from retinue.question import API_KINDS as API_KINDS
from retinue.question import CALLER_KINDS as CALLER_KINDS
from retinue.question import Question as Question
from retinue.question import UnknownOrganization as UnknownOrganization
from retinue.question import UnknownPermission as UnknownPermission
from retinue.replica import lease
from retinue.replica.lease import UNKNOWN_LEASE_MS, boot_clock_ns
from retinue.replica.narrowing import Rate
from retinue.replica.reading import Replica, Snapshot, States
from retinue.replica.records import SCHEMA, Credential, Meta, Organization, Principal
from retinue.token import DEFAULT_BRAND, KID_PLACE, MAX_LENGTH, Grammar, Kind, Read

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
        clock_ms: Callable[[], int] | None = None,
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
        self._tags = Tags()
        self._begin_tag = self._tags.begin
        #: Whether the last text was a token: then the next is looked for at once, or else read first.
        self._trusts = False
        grammar = Grammar(brands)
        self._read = grammar.read
        #: What :meth:`look` wants of a token, from its bytes; ``None`` for what is no native one.
        self.read_bytes = grammar.read_bytes
        self._read_other = Reader(brands).read
        self._take = take
        self._clock_ns = time_ns if clock_ms is None else lambda: clock_ms() * _MS
        self._boot_clock_ns = boot_clock_ns
        self._boot_id = lease.boot_id() if boot_id is None else boot_id

    def verify(self, question: Question) -> Decision:
        """Decide ``question``.

        Raises :class:`UnknownPermission` or :class:`UnknownOrganization` if the question itself names what
        does not exist; that is known only with a loaded replica, before it the answer is a denial.
        """
        return found.decision if isinstance(found := self.find(question), Known) else found

    def find(self, question: Question) -> Decision | Known:
        """Decide as :meth:`verify`; an answer may be one that is kept."""
        text = question.token
        if not text:
            return self.look(question, None)
        if self._trusts and len(text) <= MAX_LENGTH:
            known = self.recall(text.encode("ascii", "replace"), question)
            if known is not None:
                return known
        token = self._read(text)
        if token is None:
            self._trusts = False
            garbage = self.garbage(question, text)
            return self.look(question, None) if garbage is None else garbage.decision
        known = None if self._trusts else self.recall(token[0], question)
        self._trusts = True
        return known or self.look(question, token)

    def recall(self, presented: bytes, question: Question) -> Known | None:
        """Return what the present state is known to say of a text; ``None`` if that has to be found out.

        It is a genuine token if it has the tag of one. Whatever is known of the key id, tags are compared.
        """
        kept = self._kept
        if kept.words[kept.place] != kept.word or not kept.known:
            return None
        tagging = self._begin_tag()
        tagging.update(presented)
        kid = presented[KID_PLACE]
        lately = kept.known.get(kid)
        known = lately or kept.before.get(kid)
        if not compare_digest(tagging.digest(), NO_DIGEST if known is None else known.tag) or known is None:
            return None
        if lately is None:
            kept.facts.renew(kid, known)
        if known.question is not question:
            known = known.about(question)
            if known is None:
                return None
        # After the state was looked at, as below.
        boot_ns, wall_ns = self._boot_clock_ns(), self._clock_ns()
        lasts = kept.bounds.get(known.lease_ms) or self._bounds(kept.meta, kept, known.lease_ms)
        began_ns, ends_ns, ahead_ns = lasts
        if not began_ns <= boot_ns < ends_ns or wall_ns - boot_ns > ahead_ns:
            return None
        if known.is_timed:
            now = lease.now_ms(kept.meta, boot_ns, wall_ns // _MS)
            if not known.since_ms <= now < known.until_ms:
                return None
        known.at_ns = wall_ns
        return known

    def look(self, question: Question, token: Read | None) -> Decision | Known:
        """Decide as :meth:`find`, about a token that was read, and that was not recalled.

        With ``token`` the one in the question means nothing.
        """
        states = self._states
        if states is None:
            with self._replica.snapshot() as snapshot:
                return self._judge(snapshot, question, token, None)
        transaction, state = states.committed()
        try:
            kept = self._kept
            if kept.state is not state:
                kept = self._kept = kept.following(state)
                known = None if token is None or not kept.known else self.recall(token[0], question)
                if known is not None:
                    return known
            return self._judge(states.reading(transaction, state), question, token, kept)
        finally:
            transaction.abort()

    def garbage(self, question: Question, text: str) -> Garbage | None:
        """Return how a text that is no token was refused before in this state, to the same question."""
        kept = self._kept
        if kept.words[kept.place] != kept.word:
            return None
        known = kept.facts.garbage.get((question.organization, question.need, question.scheme))
        return known if known is not None and self._read_other(text) is None else None

    def _judge(
        self,
        snapshot: Snapshot,
        question: Question,
        token: Read | None,
        kept: Kept | None,
    ) -> Decision:
        """Decide from the records.

        The clocks are read after the snapshot was opened: what is fresh now was fresh when it was.
        """
        meta = snapshot.meta()
        loaded = meta.complete and meta.schema == SCHEMA
        protected = standing.protected_by(snapshot, question) if loaded else None
        terms = NATIVE_TERMS if protected is None else protected.terms
        if token is None and not question.token:
            return Denied(Reason.TOKEN_MISSING, None, None, terms)
        scheme, accepted = question.scheme, snapshot.schemes() if protected is None else protected.schemes
        if scheme not in accepted and scheme is not None and not standing.may_stand_so(protected, scheme):
            return Denied(Reason.SCHEME_NOT_ACCEPTED, None, None, terms)
        other = None if token is not None or question.token is None else self._read_other(question.token)
        if token is None and not may_be_foreign(snapshot, other, loaded):
            return keeping.malformed(question, terms, kept if other is None else None)
        if not loaded:
            return _STALE
        boot_ns, wall_ms = self._boot_clock_ns(), self._clock_ns() // _MS
        now = lease.now_ms(meta, boot_ns, wall_ms)
        presented = b"" if token is None or token[1] == _ACCESS else self._digest(token[0])
        if token is None or not presented:
            credential, genuine, access_ms, claim = self._found(snapshot, token or other, protected, now)
        else:
            credential, access_ms, claim = snapshot.credential(token[2]), 0, ""
            if credential is not None and credential.kind != token[1]:
                credential = None
            genuine = self._digests.is_genuine(snapshot, token[0], credential, now, presented)
        own = credential if genuine else None
        organization = protected if own is None else snapshot.organization(own.organization)
        lease_ms = UNKNOWN_LEASE_MS if organization is None else organization.lease_ms
        if not self._is_leased(meta, kept, lease_ms, boot_ns, wall_ms):
            return _STALE
        if own is None or protected not in (None, organization) or organization is None:
            return Denied(Reason.TOKEN_UNKNOWN, None, None, terms, claim=claim)
        principal = snapshot.principal(own.principal) if own.principal else None
        decision = self._decide(snapshot, question, organization, principal, own, access_ms, now)
        if kept is None or token is None or type(decision) is not Allowed:
            return decision
        if presented and kept.facts.has_seen(token[0]) and self._digests.is_own(own, presented):
            lasts = keeping.span(snapshot, organization, principal, own, now)
            asked = (kept.facts.how(question), self._tags.tag(token[0]), decision, lease_ms)
            kept.facts.put(token[0], None if lasts is None else keeping.known(*asked, lasts))
        return decision

    def _is_leased(self, meta: Meta, kept: Kept | None, lease_ms: int, boot_ns: int, wall_ms: int) -> bool:
        bounds = None if kept is None else kept.bounds.get(lease_ms)
        began_ns, ends_ns, ahead_ns = bounds or self._bounds(meta, kept, lease_ms)
        return began_ns <= boot_ns < ends_ns and wall_ms * _MS - boot_ns <= ahead_ns

    def _bounds(self, meta: Meta, kept: Kept | None, lease_ms: int) -> lease.Bounds:
        """Return the bounds of a lease in a state, and keep them with it."""
        found = lease.bounds(meta, lease_ms, self._boot_id)
        if kept is not None:
            kept.bounds[lease_ms] = found
        return found

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
        access_ms: int,
        now: int,
    ) -> Decision:
        """What is decided of a genuine token, and said to its holder."""
        caller = standing.caller(snapshot.meta(), organization, principal, credential, now, access_ms)
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
