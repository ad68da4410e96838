"""Kinds of findings, and what a review may decide. Pure functions; no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from retinue.server.directory.rules import check_no_token
from retinue.server.errors import NotFound, Refused

ACCEPTED_MOST_DAYS = 365
REASON_MAX = 2048
#: A token that is used from so many networks within a day has several callers.
SHARED_NETWORKS = 3
#: A person does not call so often within the life of a token.
AUTOMATED_USES = 1_000
#: So many denials within a day are no accident.
DENIALS = 50
#: Whoever is refused for one of these tries a credential where it is not meant for.
OUT_OF_PLACE = frozenset(
    {
        "kind_not_accepted",
        "network_not_allowed",
        "endpoint_not_allowed",
        "method_not_allowed",
        "time_not_allowed",
    }
)
#: Every browser says first that it is one; programs do not.
BROWSER = "Mozilla/"
#: A successor that is unused after this share of the overlap is not deployed.
STALLED_SHARE = 0.75
RECENT = timedelta(days=7)
DAY = timedelta(days=1)
#: Where the policy counts no idle days, unused permissions are still looked for over these.
USE_WINDOW_DAYS = 90

DECISIONS = ("keep", "reduce", "disable", "delete", "reassign")
TEMPLATES = ("idle", "full", "scope")


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind: what it is called and about, how bad it is, what to do, and what it means."""

    name: str
    title: str
    subject: str
    severity: str
    act: str
    meaning: str


#: The worst first: so they are listed, and counted.
KINDS: dict[str, FindingKind] = {
    kind.name: kind
    for severity in ("high", "medium", "low")
    for kind in (
        FindingKind(
            "ownerless",
            "No owner",
            "service_account",
            "medium",
            "reassign",
            "Nobody who is still here owns the account.",
        ),
        FindingKind(
            "undocumented",
            "Not documented",
            "service_account",
            "low",
            "describe",
            "The account states no purpose, neither systems nor documentation, or lacks what is required.",
        ),
        FindingKind(
            "naming",
            "Name against the convention",
            "service_account",
            "low",
            "rename",
            "The name breaks the organization's convention.",
        ),
        FindingKind(
            "idle_account",
            "Idle account",
            "service_account",
            "medium",
            "disable",
            "The account was not used for the days that the policy allows.",
        ),
        FindingKind(
            "over_permitted",
            "Unused permissions",
            "service_account",
            "medium",
            "reduce",
            "The account holds permissions that it did not use within the window.",
        ),
        FindingKind(
            "disabled_in_use",
            "Disabled, and still called",
            "service_account",
            "medium",
            "investigate",
            "Keys of a disabled account were presented within the last seven days.",
        ),
        FindingKind(
            "elevated_unjustified",
            "Elevated without a reason",
            "service_account",
            "high",
            "justify",
            "The account holds an elevated permission and nobody wrote down why.",
        ),
        FindingKind(
            "idle_credential",
            "Idle credential",
            "credential",
            "medium",
            "revoke",
            "A usable credential was not used for the days that the policy allows.",
        ),
        FindingKind(
            "never_used",
            "Never used",
            "credential",
            "low",
            "revoke",
            "A usable credential was never used for the days that the policy allows.",
        ),
        FindingKind(
            "no_expiry",
            "No expiry",
            "credential",
            "medium",
            "expire",
            "The policy asks for an expiry; this one has none.",
        ),
        FindingKind(
            "policy_violation",
            "Lives longer than allowed",
            "credential",
            "medium",
            "expire",
            "The credential lives longer than the policy now allows.",
        ),
        FindingKind(
            "expires_soon",
            "Ends soon, without a successor",
            "credential",
            "high",
            "rotate",
            "A credential in use ends soon and has no successor.",
        ),
        FindingKind(
            "rotation_due",
            "Rotation is due",
            "credential",
            "medium",
            "rotate",
            "The credential should be rotated.",
        ),
        FindingKind(
            "rotation_stalled",
            "Rotation is stalled",
            "credential",
            "high",
            "deploy the successor",
            "The successor of a retiring credential is not used yet.",
        ),
        FindingKind(
            "expired_in_use",
            "Expired, and still presented",
            "credential",
            "high",
            "rotate",
            "An expired credential was presented within the last seven days.",
        ),
        FindingKind(
            "repeated_denials",
            "Denied again and again",
            "credential",
            "medium",
            "investigate",
            "Many calls with the credential were denied within a day.",
        ),
        FindingKind(
            "shared_token",
            "Shared by several callers",
            "credential",
            "medium",
            "issue one key for each caller",
            "One token was used from several networks within a day.",
        ),
        FindingKind(
            "new_network",
            "Used from a new network",
            "credential",
            "medium",
            "investigate",
            "The credential was used from a network for the first time within the last seven days.",
        ),
        FindingKind(
            "unexpected_use",
            "Used where it is not meant for",
            "credential",
            "high",
            "investigate",
            "Within the last seven days a browser used a key, or a credential was tried where it is refused: "
            "as another kind, from a network, at an endpoint, by a method or at a time that it is not for.",
        ),
        FindingKind(
            "leaked",
            "Leaked",
            "credential",
            "high",
            "replace and delete",
            "Somebody found the token where it does not belong and reported it; the credential was revoked.",
        ),
        FindingKind(
            "pat_in_production",
            "Personal token of a program",
            "credential",
            "medium",
            "convert",
            "A personal access token is used as often as only programs do.",
        ),
    )
    if kind.severity == severity
}

#: The place of each kind in their table.
PLACES = {name: place for place, name in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: its subject, since when, and what shows it."""

    kind: str
    subject: str
    since: datetime | None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id; the same for as long as the same thing is found about the same subject."""
        return f"fnd_{self.kind}-{self.subject}"


def parse_id(ident: str) -> tuple[str, str]:
    """Return kind and subject of a finding's id. Raises :class:`NotFound`."""
    kind, _, subject = ident.removeprefix("fnd_").partition("-")
    if not ident.startswith("fnd_") or kind not in KINDS or not subject:
        raise NotFound("finding", ident)
    return kind, subject


def check_acceptance(reason: str, until: datetime, now: datetime) -> None:
    """Refuse an exception without a reason, one that has ended, or one that is too long."""
    if not reason.strip():
        raise Refused("missing_field", "an exception needs a reason", field="reason")
    check_no_token(reason, "reason")
    if until <= now:
        raise Refused("invalid_value", "lies in the past", field="until")
    if until > now + timedelta(days=ACCEPTED_MOST_DAYS):
        raise Refused("invalid_value", f"at most {ACCEPTED_MOST_DAYS} days from now", field="until")


def check_decision(decision: str, note: str, assignee: str, *, needs_reason: bool) -> None:
    """Refuse a decision that a review does not know, or that lacks what it needs."""
    if decision not in DECISIONS:
        raise Refused("invalid_value", f"one of {', '.join(DECISIONS)}", field="decision")
    if len(note) > REASON_MAX:
        raise Refused("invalid_value", f"at most {REASON_MAX} characters", field="note")
    check_no_token(note, "note")
    if decision == "keep" and needs_reason and not note.strip():
        raise Refused("missing_field", "unused or elevated: to keep it needs a reason", field="note")
    if (decision == "reassign") != bool(assignee):
        detail = "names the new owner" if decision == "reassign" else "only with the decision `reassign`"
        raise Refused(
            "missing_field" if decision == "reassign" else "invalid_value", detail, field="assignee"
        )


def asked(reviewer: str, backup: str, fallback: str, *, due: datetime, ends: datetime, now: datetime) -> str:
    """Return who is asked now: the owner until the due date, then the backup, then the fallback.

    The grace days are shared between backup and fallback; who is missing is passed over.
    """
    line = [each for each in (reviewer, backup, fallback) if each]
    if not line:
        return ""
    if now < due or len(line) == 1:
        return line[0]
    step = (ends - due) / (len(line) - 1)
    late = 1 + int((now - due) / step) if step else len(line) - 1
    return line[min(late, len(line) - 1)]
