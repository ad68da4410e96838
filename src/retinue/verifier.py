"""The hot path: token + question + replica + now -> decision.

The order of the checks is the policy; the first that fails gives the one reason. Strangers learn
nothing: everything after ``token_unknown`` is reached only with a genuine token. Each verification
opens a new snapshot and remembers nothing of the last one, because an acknowledged change must be true
for every verification that begins later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from hmac import compare_digest

import msgspec

from retinue import permission as permissions
from retinue.decision import Allowed, Caller, Decision, Denied, Reason, Warning
from retinue.pepper import Peppers
from retinue.replica.records import (
    SCHEMA,
    Credential,
    Digest,
    Meta,
    Organization,
    Principal,
    Replica,
    Snapshot,
)
from retinue.token import DEFAULT_BRAND, Kind, Token, parse

#: Kinds that act for a principal and may be presented to a protected API.
CALLER_KINDS = frozenset({Kind.API_KEY.value, Kind.PERSONAL.value})
_PERSONAL = Kind.PERSONAL.value
_NATIVE_SCHEMES = ("bearer",)
_ABSENT_DIGEST = Digest(bytes(32), "")
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


def wall_clock_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def boot_clock_ns() -> int:
    """Return the boot-time clock in nanoseconds: it never steps, and goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


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
    ) -> None:
        self._replica = replica
        self._peppers = peppers
        self._brands = brands
        self._clock_ms = clock_ms
        self._boot_clock_ns = boot_clock_ns

    def verify(self, question: Question) -> Decision:
        """Decide ``question``.

        Raises :class:`UnknownPermission` or :class:`UnknownOrganization` if the question itself names what
        does not exist; that is known only with a loaded replica, before it the answer is a denial.
        """
        with self._replica.snapshot() as snapshot:
            meta = snapshot.meta()
            loaded = meta.complete and meta.schema == SCHEMA
            indexes = [_index(snapshot, name) for name in question.need] if loaded else []
            protected = None
            if loaded and question.organization is not None:
                protected = _protected(snapshot, question.organization)
            if not question.token:
                return _MISSING
            if question.scheme not in (_NATIVE_SCHEMES if protected is None else protected.schemes):
                return _SCHEME_NOT_ACCEPTED
            token = parse(question.token, self._brands)
            if token is None:
                return _MALFORMED
            if not loaded:
                return _STALE
            now = self._now_ms(meta)
            credential = snapshot.credential(token.kid)
            if not self._is_genuine(token, credential, now) or credential is None:
                return _UNKNOWN
            organization = snapshot.organization(credential.organization)
            if organization is None or (protected is not None and protected.id != organization.id):
                return _UNKNOWN
            principal = snapshot.principal(credential.principal) if credential.principal else None
            caller = _caller(meta, organization, principal, credential, now)
            reason = _ended(organization, principal, credential, now) or _misplaced(
                question, organization, credential
            )
            if reason is not None:
                return Denied(reason, caller)
            for name, index in zip(question.need, indexes, strict=True):
                if principal is None or not holds(snapshot, organization, principal, index):
                    return Denied(Reason.PERMISSION_MISSING, caller, name)
            return Allowed(caller, question.need[0] if question.need else None)

    def _is_genuine(self, token: Token, credential: Credential | None, now: int) -> bool:
        """Compare the token's digest with the record's, by public key id alone.

        An unknown key id, a wrong secret, and a key with or without a previous digest cost the same: one
        digest by the active pepper, and two comparisons.
        """
        digests = credential.digests if credential is not None and credential.kind == token.kind else ()
        text = token.as_bytes()
        active = self._peppers.active
        presented = active.digest(text)
        genuine = False
        for digest in digests if len(digests) > 1 else (*digests, _ABSENT_DIGEST, _ABSENT_DIGEST)[:2]:
            computed = presented
            if digest.pepper_id not in ("", active.id):
                pepper = self._peppers.get(digest.pepper_id)
                if pepper is None:
                    continue
                computed = pepper.digest(text)
            same = compare_digest(computed, digest.value) and digest is not _ABSENT_DIGEST
            if same and (digest.valid_until_ms == 0 or now < digest.valid_until_ms):
                genuine = True
        return genuine

    def _now_ms(self, meta: Meta) -> int:
        """The later of this clock and the control plane's, as last heard plus the time since then."""
        now = self._clock_ms()
        heard = meta.control_time_ms
        if heard:
            heard += max(self._boot_clock_ns() - meta.heard_ns, 0) // 1_000_000
        return max(now, heard)


def holds(snapshot: Snapshot, organization: Organization, principal: Principal, index: int) -> bool:
    """Tell whether ``principal`` effectively holds the permission with this catalogue index, now."""
    if principal.kind == "service_account" and permissions.holds(organization.forbidden_for_service, index):
        return False
    if permissions.holds(principal.permissions, index):
        return True
    for holder_id in principal.holders:
        holder = snapshot.holder(holder_id)
        if holder is not None and permissions.holds(holder.permissions, index):
            return True
    return False


def _index(snapshot: Snapshot, name: str) -> int:
    index = snapshot.permission_index(name)
    if index is None:
        raise UnknownPermission(name)
    return index


def _protected(snapshot: Snapshot, name: str) -> Organization:
    organization = snapshot.organization(name) or snapshot.organization_by_handle(name)
    if organization is None:
        raise UnknownOrganization(name)
    return organization


def _ended(
    organization: Organization, principal: Principal | None, credential: Credential, now: int
) -> Reason | None:
    """The life of organization, account and credential, in this order."""
    if organization.state != "enabled":
        return Reason.ORGANIZATION_DISABLED
    if principal is not None and principal.state == "deleted":
        return Reason.ACCOUNT_DELETED
    if credential.principal and (principal is None or principal.state != "enabled"):
        return Reason.ACCOUNT_DISABLED
    if credential.state in ("revoked", "deleted") or 0 < credential.retires_at_ms <= now:
        return Reason.CREDENTIAL_REVOKED
    if credential.state != "active" or now < credential.not_before_ms:
        return Reason.CREDENTIAL_SUSPENDED
    if 0 < credential.expires_at_ms <= now:
        return Reason.CREDENTIAL_EXPIRED
    return None


def _misplaced(question: Question, organization: Organization, credential: Credential) -> Reason | None:
    """The scheme and the kind of credential that this organization and this endpoint accept."""
    if question.scheme not in organization.schemes:
        return Reason.SCHEME_NOT_ACCEPTED
    if credential.kind not in question.kinds or (
        credential.kind == _PERSONAL and not organization.personal_tokens
    ):
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
