"""The order of a decision as a plain table: MODEL.md section 7, with what INTERFACES.md settles.

This is the reference that the verifier is compared with. It was written from those pages, not from the
code: it knows permissions as sets of names, tokens as texts, and no digests, masks or replicas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.property.scenes import (
    BOOT,
    CATALOGUE,
    NOT_HELD,
    NOW,
    Account,
    Credential,
    Organization,
    Scene,
)


class Unknown(Exception):
    """The question names something that does not exist: the asker's error, no decision."""


@dataclass(frozen=True)
class Facts:
    """What the checks of one question look at."""

    scene: Scene
    loaded: bool
    protected: Organization | None
    credential: Credential | None
    organization: Organization | None
    account: Account | None

    @property
    def key(self) -> Credential:
        """The credential, where an earlier step has made sure that there is one."""
        assert self.credential is not None
        return self.credential

    @property
    def home(self) -> Organization:
        """The credential's organization, likewise."""
        assert self.organization is not None
        return self.organization

    def is_genuine(self) -> bool:
        """The presented text is one of the credential's tokens, of its kind, not ended, its pepper held."""
        text = str(self.scene.question.token).removeprefix("secret-token:")
        key = self.credential
        if key is None or not text.startswith(f"rtn{key.kind}_"):
            return False
        return any(
            secret.token == text
            and secret.pepper is not NOT_HELD
            and (secret.until == 0 or NOW < secret.until)
            for secret in key.secrets
        )

    def is_leased(self) -> bool:
        """
        The lease runs, for as long as the organization says whose token it is; else the named one's; else 10 s.
        A wall clock that is ahead of the boot-time clock by more than 2.5 % of that ends it (REVOCATION.md).
        """
        whose = self.organization if self.is_genuine() else self.protected
        length_ns = (10_000 if whose is None else whose.lease_ms) * 1_000_000
        boot, age_ns, ahead_ms = self.scene.lease
        ahead_ns = ahead_ms * 1_000_000 - age_ns % 1_000_000
        return boot == BOOT and 0 <= age_ns < length_ns and 1_000 * ahead_ns <= 25 * length_ns

    def missing(self) -> str | None:
        """The first needed permission that the account does not effectively hold."""
        return next((name for name in self.scene.question.need if name not in self.held()), None)

    def held(self) -> frozenset[str]:
        """Own permissions and those of the roles; for a service account less what is forbidden to it."""
        if self.account is None:
            return frozenset()
        roles = dict(self.scene.roles)
        held = self.account.own.union(*(roles.get(role, frozenset()) for role in self.account.roles))
        return held - self.home.forbidden if self.account.kind == "service_account" else held


Row = tuple[int, str, Callable[[Facts], bool]]
#: Step of the table, reason, and when it is the reason. The first row that holds is the decision.
TABLE: list[Row] = [
    (1, "token_missing", lambda f: not f.scene.question.token),
    (1, "scheme_not_accepted", lambda f: f.scene.question.scheme not in (f.protected.schemes if f.protected else ("bearer",))),
    (2, "token_malformed", lambda f: not f.scene.well_formed),
    (3, "replica_stale", lambda f: not f.loaded),
    (3, "replica_stale", lambda f: not f.is_leased()),
    (4, "token_unknown", lambda f: not f.is_genuine()),
    (4, "token_unknown", lambda f: f.organization is None),
    (4, "token_unknown", lambda f: f.protected not in (None, f.organization)),
    (5, "organization_disabled", lambda f: not f.home.enabled),
    (5, "account_deleted", lambda f: f.account is not None and f.account.state == "deleted"),
    (5, "account_disabled", lambda f: f.account is not None and f.account.state == "disabled"),
    (5, "account_disabled", lambda f: f.key.account != "" and f.account is None),
    (5, "credential_revoked", lambda f: f.key.state in ("revoked", "deleted")),
    (5, "credential_revoked", lambda f: f.key.retires != 0 and NOW >= f.key.retires),
    (5, "credential_suspended", lambda f: f.key.state == "suspended"),
    (5, "credential_suspended", lambda f: f.key.begins != 0 and NOW < f.key.begins),
    (5, "credential_expired", lambda f: f.key.expires != 0 and NOW >= f.key.expires),
    # INTERFACES.md: the credential's own schemes are checked once it is known.
    # An ingest token has places of its own; the organizations of these scenes take none.
    (6, "scheme_not_accepted", lambda f: f.key.kind != "ing" and f.scene.question.scheme not in f.home.schemes),
    (6, "kind_not_accepted", lambda f: f.key.kind == "ing" or f.key.kind not in f.scene.question.kinds),
    (6, "kind_not_accepted", lambda f: f.key.kind == "pat" and not f.home.personal_tokens),
    (8, "permission_missing", lambda f: f.missing() is not None),
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What the reference decides: the reason (``None``: allowed), the permission, and what is told of whom."""

    reason: str | None
    permission: str | None
    caller: tuple[object, ...] | None
    warnings: frozenset[str]


def decide(scene: Scene) -> Outcome:
    """Decide by the table. Raises :class:`Unknown` where the question itself is wrong."""
    facts = _facts(scene)
    row = next((row for row in TABLE if row[2](facts)), None)
    step, reason = (9, None) if row is None else row[:2]
    need = scene.question.need
    permission = (
        facts.missing() if reason == "permission_missing" else need[0] if need and not reason else None
    )
    if step < 5:
        return Outcome(reason, permission, None, frozenset())
    return Outcome(reason, permission, _caller(facts), frozenset(_warnings(facts)))


def _facts(scene: Scene) -> Facts:
    question, loaded = scene.question, scene.complete and scene.readable
    protected = None
    if loaded:
        named = {each.id: each for each in scene.organizations} | {
            each.handle: each for each in scene.organizations
        }
        if not set(question.need) <= set(CATALOGUE) or question.organization not in (None, *named):
            raise Unknown
        protected = named.get(question.organization or "")
    text = (question.token or "").removeprefix("secret-token:")
    credential = next((key for key in scene.credentials if f"_{key.kid}_" in text), None)
    organization = next(
        (each for each in scene.organizations if credential and each.id == credential.organization), None
    )
    account = next((each for each in scene.accounts if credential and each.id == credential.account), None)
    return Facts(scene, loaded, protected, credential, organization, account)


def _caller(facts: Facts) -> tuple[object, ...]:
    """Who it is, and the instants that a decision carries: kind, id, name, organization, credential."""
    who = facts.account
    named = (
        ("organization", facts.home.id, f"The {facts.home.handle}")
        if who is None
        else (who.kind, who.id, f"The {who.id}")
    )
    key = facts.key
    return (*named, facts.home.id, f"key_{key.kid}", key.expires, key.retires, key.rotate_by)


def _warnings(facts: Facts) -> list[str]:
    key = facts.key
    told = {
        "expires_soon": key.expires != 0 and key.expires - NOW <= facts.home.warn_ms,
        "retiring": key.retires != 0,
        "rotation_due": key.rotate_by != 0 and NOW >= key.rotate_by,
    }
    return [warning for warning, holds in told.items() if holds]
