"""The hot path: token + question + replica + now -> decision.

The order of the checks is the policy; the first that fails gives the one reason. Strangers learn
nothing: everything after ``token_unknown`` is reached only with a genuine token. Each verification
opens a new snapshot and remembers nothing of the last one, because an acknowledged change must be true
for every verification that begins later.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest

import msgspec

from retinue.decision import Allowed, Caller, Decision, Denied, Reason, Warning
from retinue.pepper import Peppers
from retinue.replica import lease
from retinue.replica.lease import UNKNOWN_LEASE_MS, boot_clock_ns, wall_clock_ms
from retinue.replica.reading import Replica, Snapshot
from retinue.replica.records import (
    SCHEMA,
    Credential,
    Meta,
    Organization,
    Principal,
)
from retinue.token import DEFAULT_BRAND, Grammar, Kind

#: Kinds that act for a principal and may be presented to a protected API.
CALLER_KINDS = frozenset({Kind.API_KEY.value, Kind.PERSONAL.value})
_PERSONAL = Kind.PERSONAL.value
_NATIVE_SCHEMES = ("bearer",)
_ENDED_STATES = {"revoked": Reason.CREDENTIAL_REVOKED, "deleted": Reason.CREDENTIAL_REVOKED}
#: Stands where a credential has no second digest, or there is no credential: two are always compared.
_NO_DIGEST = bytes(32)
_MISSING = Denied(Reason.TOKEN_MISSING)
_SCHEME_NOT_ACCEPTED = Denied(Reason.SCHEME_NOT_ACCEPTED)
_MALFORMED = Denied(Reason.TOKEN_MALFORMED)
_STALE = Denied(Reason.REPLICA_STALE)
_UNKNOWN = Denied(Reason.TOKEN_UNKNOWN)


class Question(msgspec.Struct, frozen=True):
    """What is asked about a token.

    ``token`` is the presented secret; ``scheme`` how it was presented. ``need`` are the permissions that
    are all needed; empty skips the permission step. ``organization`` (id or handle) is the organization
    that is protected: tokens of others are unknown there. ``kinds`` are the kinds of credentials that the
    endpoint accepts.
    """

    token: str | None
    need: tuple[str, ...] = ()
    organization: str | None = None
    resource: str | None = None
    address: str | None = None
    method: str | None = None
    path: str | None = None
    scheme: str = "bearer"
    kinds: frozenset[str] = CALLER_KINDS


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
    ) -> None:
        self._replica = replica
        self._peppers = peppers
        self._active_id = peppers.active.id
        self._active_digest = peppers.active.digest
        self._read = Grammar(brands).read
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
            if not question.token:
                return _MISSING
            if question.scheme not in (_NATIVE_SCHEMES if protected is None else protected.schemes):
                return _SCHEME_NOT_ACCEPTED
            token = self._read(question.token)
            if token is None:
                return _MALFORMED
            if not loaded:
                return _STALE
            whole, kind, kid = token
            credential = snapshot.credential(kid)
            if credential is not None and credential.kind != kind:
                credential = None
            # The clocks are read after the snapshot was opened: what is fresh now was fresh when it was.
            boot_ns, wall_ms = self._boot_clock_ns(), self._clock_ms()
            now = _now_ms(meta, boot_ns, wall_ms)
            genuine = self._is_genuine(whole, credential, now)
            organization = protected
            if genuine and credential is not None:
                organization = snapshot.organization(credential.organization)
            lease_ms = UNKNOWN_LEASE_MS if organization is None else organization.lease_ms
            if not lease.is_running(meta, lease_ms, self._boot_id, boot_ns, wall_ms):
                return _STALE
            if not genuine or credential is None or organization is None:
                return _UNKNOWN
            if protected is not None and protected.id != organization.id:
                return _UNKNOWN
            principal = snapshot.principal(credential.principal) if credential.principal else None
            caller = _caller(meta, organization, principal, credential, now)
            reason = _refusal(question, organization, principal, credential, now)
            if reason is not None:
                return Denied(reason, caller)
            for name in question.need:
                if principal is None or not holds(snapshot, organization, principal, name):
                    return Denied(Reason.PERMISSION_MISSING, caller, name)
            return Allowed(caller, question.need[0] if question.need else None)

    def _is_genuine(self, whole: bytes, credential: Credential | None, now: int) -> bool:
        """Compare the token's digest with the record's.

        An unknown key id, a wrong secret, and a key with or without a previous digest cost the same: one
        digest by the active pepper, and two comparisons.
        """
        presented = self._active_digest(whole)
        genuine = False
        digests = () if credential is None else credential.digests
        for digest in digests:
            pepper_id = digest.pepper_id
            computed = presented if pepper_id == self._active_id else self._digest(pepper_id, whole)
            if compare_digest(computed, digest.value) and (
                digest.valid_until_ms == 0 or now < digest.valid_until_ms
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


def _now_ms(meta: Meta, boot_ns: int, wall_ms: int) -> int:
    """The later of this clock and the control plane's, as last heard plus the time since then."""
    heard = meta.control_time_ms
    if not heard:
        return wall_ms
    return max(wall_ms, heard + max(boot_ns - meta.heard_ns, 0) // 1_000_000)


def holds(snapshot: Snapshot, organization: Organization, principal: Principal, name: str) -> bool:
    """Tell whether ``principal`` effectively holds the permission ``name``, now.

    Sets of permissions are bit masks over the catalogue (see :mod:`retinue.permission`), so a check costs
    the same at any size of the set.
    """
    index = snapshot.permission_index(name)
    if index is None:
        return False
    place, bit = index >> 3, 1 << (index & 7)
    forbidden = organization.forbidden_for_service
    if place < len(forbidden) and forbidden[place] & bit and principal.kind == "service_account":
        return False
    held = principal.permissions
    if place < len(held) and held[place] & bit:
        return True
    for holder_id in principal.holders:
        holder = snapshot.holder(holder_id)
        if holder is not None and place < len(held := holder.permissions) and held[place] & bit:
            return True
    return False


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


def _refusal(
    question: Question,
    organization: Organization,
    principal: Principal | None,
    credential: Credential,
    now: int,
) -> Reason | None:
    """The life of organization, account and credential, then the scheme and kind accepted here."""
    if organization.state != "enabled":
        return Reason.ORGANIZATION_DISABLED
    if principal is None:
        if credential.principal:
            return Reason.ACCOUNT_DISABLED
    elif principal.state != "enabled":
        return Reason.ACCOUNT_DELETED if principal.state == "deleted" else Reason.ACCOUNT_DISABLED
    if 0 < credential.retires_at_ms <= now:
        return Reason.CREDENTIAL_REVOKED
    if credential.state != "active":
        return _ENDED_STATES.get(credential.state, Reason.CREDENTIAL_SUSPENDED)
    if now < credential.not_before_ms:
        return Reason.CREDENTIAL_SUSPENDED
    if 0 < credential.expires_at_ms <= now:
        return Reason.CREDENTIAL_EXPIRED
    if question.scheme not in organization.schemes:
        return Reason.SCHEME_NOT_ACCEPTED
    kind = credential.kind
    if kind not in question.kinds or (kind == _PERSONAL and not organization.personal_tokens):
        return Reason.KIND_NOT_ACCEPTED
    return None


def _caller(
    meta: Meta, organization: Organization, principal: Principal | None, credential: Credential, now: int
) -> Caller:
    if principal is None:
        kind, ident, name = "organization", organization.id, organization.name
    else:
        kind, ident, name = principal.kind, principal.id, principal.name
    dated = credential.expires_at_ms or credential.retires_at_ms or credential.rotate_by_ms
    return Caller(
        kind,
        ident,
        name,
        organization.id,
        credential.id,
        meta.revision,
        credential.expires_at_ms,
        credential.retires_at_ms,
        credential.rotate_by_ms,
        _warnings(organization, credential, now) if dated else (),
    )


def _warnings(organization: Organization, credential: Credential, now: int) -> tuple[Warning, ...]:
    warnings = []
    if credential.expires_at_ms and credential.expires_at_ms - now <= organization.warn_ms:
        warnings.append(Warning.EXPIRES_SOON)
    if credential.retires_at_ms:
        warnings.append(Warning.RETIRING)
    if 0 < credential.rotate_by_ms <= now:
        warnings.append(Warning.ROTATION_DUE)
    return tuple(warnings)
