"""The hot path: token + question + replica + now -> decision.

The order of the checks is the policy; the first that fails gives the one reason. Strangers learn
nothing: everything after ``token_unknown`` is reached only with a genuine token. Each verification
opens a new snapshot and remembers nothing of the last one, because an acknowledged change must be true
for every verification that begins later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hmac import compare_digest

import msgspec

from retinue import access_token, authority, standing
from retinue.decision import NATIVE_TERMS, Allowed, Caller, Decision, Denied, Quota, Reason
from retinue.foreign import Finder, Unseal
from retinue.formats import Other, Reader
from retinue.pepper import Peppers
from retinue.replica import lease
from retinue.replica.lease import UNKNOWN_LEASE_MS, boot_clock_ns, wall_clock_ms
from retinue.replica.narrowing import Rate
from retinue.replica.reading import Replica, Snapshot
from retinue.replica.records import (
    SCHEMA,
    Credential,
    Meta,
    Organization,
    Principal,
)
from retinue.standing import INGEST_PLACES
from retinue.token import DEFAULT_BRAND, Grammar, Kind

#: Kinds that act for a principal and may be presented to a protected API.
CALLER_KINDS = frozenset({Kind.API_KEY.value, Kind.PERSONAL.value})
#: Beside them an API may accept ingest tokens, on the endpoints that these are bound to.
API_KINDS = CALLER_KINDS | {Kind.INGEST.value}
#: The permission by which users have personal access tokens.
PAT_ISSUE = "pat:issue"
_INGEST = Kind.INGEST.value
_ACCESS = Kind.ACCESS.value
#: Stands where a credential has no second digest, or there is no credential: two are always compared.
_NO_DIGEST = bytes(32)
_STALE = Denied(Reason.REPLICA_STALE)


class Question(msgspec.Struct, frozen=True):
    """What is asked about a token.

    ``token`` is the presented secret; ``scheme`` how it was presented, ``None`` if the asker does not say.
    ``need`` are the permissions that
    are all needed; empty skips the permission step. ``organization`` (id or handle) is the organization
    that is protected: tokens of others are unknown there. ``kinds`` are the kinds of credentials that the
    endpoint accepts; ``counts`` says whether the call is one of those that limits are about. ``route``, the
    template of ``path``, and ``client``, what the program calls itself, are for the request log alone.
    """

    token: str | None
    need: tuple[str, ...] = ()
    organization: str | None = None
    resource: str | None = None
    address: str | None = None
    method: str | None = None
    path: str | None = None
    scheme: str | None = "bearer"
    kinds: frozenset[str] = CALLER_KINDS
    counts: bool = True
    attributes: Mapping[str, str] | None = None
    route: str | None = None
    client: str | None = None


class UnknownPermission(Exception):
    """The question names a permission that is not declared: an error of the caller, not a decision."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown permission {name!r}")
        self.name = name


class UnknownOrganization(Exception):
    """The question names an organization that does not exist: an error of the caller, not a decision."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown organization {name!r}")
        self.name = name


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
        self._peppers = peppers
        self._active_id = peppers.active.id
        self._active_digest = peppers.active.digest
        self._read = Grammar(brands).read
        self._read_other = Reader(brands).read
        self._finder = Finder(peppers, self._is_genuine, unseal)
        self._take = take
        self._clock_ms = clock_ms
        self._boot_clock_ns = boot_clock_ns
        self._boot_id = lease.boot_id() if boot_id is None else boot_id

    def verify(self, question: Question) -> Decision:
        """Decide ``question``.

        Raises :class:`UnknownPermission` or :class:`UnknownOrganization` if the question itself names what
        does not exist; that is known only with a loaded replica, before it the answer is a denial.
        """
        with self._replica.snapshot() as snapshot:
            meta = snapshot.meta()
            loaded = meta.complete and meta.schema == SCHEMA
            protected = _check_named(snapshot, question) if loaded else None
            terms = NATIVE_TERMS if protected is None else protected.terms
            if not question.token:
                return Denied(Reason.TOKEN_MISSING, None, None, terms)
            scheme = question.scheme
            accepted = snapshot.schemes() if protected is None else protected.schemes
            if scheme not in accepted and scheme is not None and not _may_stand_so(protected, scheme):
                return Denied(Reason.SCHEME_NOT_ACCEPTED, None, None, terms)
            token = self._read(question.token)
            other = None if token is not None else self._read_other(question.token)
            if token is None and not _may_be_foreign(snapshot, other, loaded):
                return Denied(Reason.TOKEN_MALFORMED, None, None, terms)
            if not loaded:
                return _STALE
            # The clocks are read after the snapshot was opened: what is fresh now was fresh when it was.
            boot_ns, wall_ms = self._boot_clock_ns(), self._clock_ms()
            now = _now_ms(meta, boot_ns, wall_ms)
            credential, genuine, access_ms, claim = self._found(snapshot, token, other, protected, now)
            organization = protected
            if genuine and credential is not None:
                organization = snapshot.organization(credential.organization)
            lease_ms = UNKNOWN_LEASE_MS if organization is None else organization.lease_ms
            if not lease.is_running(meta, lease_ms, self._boot_id, boot_ns, wall_ms):
                return _STALE
            known = genuine and protected in (None, organization)
            if not known or credential is None or organization is None:
                return Denied(Reason.TOKEN_UNKNOWN, None, None, terms, claim=claim)
            principal = snapshot.principal(credential.principal) if credential.principal else None
            caller = standing.caller(meta, organization, principal, credential, now, access_ms)
            return self._decide(snapshot, question, organization, principal, credential, caller, now)

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
        self,
        snapshot: Snapshot,
        token: tuple[bytes, str, str] | None,
        other: Other | None,
        protected: Organization | None,
        now: int,
    ) -> tuple[Credential | None, bool, int, str]:
        """Return a token's credential, whether it is its own, the end of an access token, and a claim."""
        if token is None and other is not None:
            if other.kind != _ACCESS:
                credential, genuine, claim = self._finder.find(snapshot, other, protected, now)
                return credential, genuine, 0, claim
            token = other.whole, other.kind, other.kid
        if token is None:
            return None, False, 0, ""
        whole, kind, kid = token
        credential = snapshot.credential(kid)
        if kind == _ACCESS:
            digests = () if credential is None else credential.digests
            access_ms = access_token.end_ms(whole, digests, self._peppers, now)
            return credential, access_ms > 0, access_ms, ""
        if credential is not None and credential.kind != kind:
            credential = None
        return credential, self._is_genuine(snapshot, whole, credential, now), 0, ""

    def _is_genuine(self, snapshot: Snapshot, whole: bytes, credential: Credential | None, now: int) -> bool:
        """Compare the token's digest with the record's.

        An unknown key id, a wrong secret, and a key with or without a previous digest cost the same: one
        digest by the active pepper, and two comparisons.
        """
        presented = self._active_digest(whole)
        genuine = False
        digests = () if credential is None else credential.digests
        for digest in digests:
            pepper_id = digest.pepper_id
            if digest.scheme:
                computed = self._finder.digest(snapshot, digest.scheme, pepper_id, whole)
            else:
                computed = presented if pepper_id == self._active_id else self._digest(pepper_id, whole)
            # What cannot be computed is empty, and proves nothing, whatever the record holds.
            if (
                compare_digest(computed, digest.value)
                and computed
                and (digest.valid_until_ms == 0 or now < digest.valid_until_ms)
            ):
                genuine = True
        if len(digests) < 2:
            compare_digest(presented, _NO_DIGEST)
            if not digests:
                compare_digest(presented, _NO_DIGEST)
        return genuine

    def _digest(self, pepper_id: str, whole: bytes) -> bytes:
        """Digest with another pepper than the active one; nothing equals the answer if it is not held."""
        pepper = self._peppers.get(pepper_id)
        return b"" if pepper is None else pepper.digest(whole)


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
