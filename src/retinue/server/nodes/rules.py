"""What a node may be called and what a poll may say. Pure functions; no database."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Sequence

import msgspec

from retinue import settings
from retinue.replica.records import SCHEMA
from retinue.server.credentials.rules import NODE_CREDENTIAL_DAYS
from retinue.server.errors import Refused
from retinue.server.nodes.about import NodeReport

#: A held poll is answered after this many seconds at the latest, and after an eighth of the lease.
HOLD_SECONDS = 20.0
LEASE_SHARE = 8
#: It is answered by so much of its time early, so that those that end together share an answer.
EARLY_SHARE = 0.05
#: A node renews its credential itself when a third of this is left.
CREDENTIAL_LIFE_MS = NODE_CREDENTIAL_DAYS * 86_400_000
_BIGGEST = (1 << 63) - 1
_LATEST_MS = 253_402_300_800_000
#: Losses of a clock, and reports of probes, in one poll.
MOST_LOSSES = 16
#: Nodes behind one relay, those behind relays that follow it included.
MOST_FOLLOWERS = 1_000
MOST_PROBES = 16

_INCARNATION = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MARK = re.compile(r"[!-~]{0,16}", re.ASCII)
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_X_BYTES = 32
_PROBE = re.compile(r"prb_[0-9A-Za-z]{1,60}", re.ASCII)
_WORD = re.compile(r"[a-z_]{0,64}", re.ASCII)


class Applied(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a replica has come; ``mark`` tells the revision from its number in another history."""

    epoch: int = 0
    revision: int = 0
    mark: str = ""


class PublishedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public half of the key with which a node signs: an Ed25519 key, ``x`` as in a JWK."""

    kid: str
    x: str


class ClockLoss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Time that a node's machine lost, as the node noticed it: how much, between when (ms since 1970)."""

    lost_ms: int
    since: int
    until: int


class Follower(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node that follows a relay, as the relay tells: it has ``applied``, and was heard ``ago_ms`` ago.

    ``parent`` is the relay that it follows, if that is another than the one that tells.
    """

    node: str
    parent: str
    incarnation: str
    applied: Applied
    ago_ms: int


class Canary(msgspec.Struct, frozen=True):
    """The key of a probe, which a node verifies: its token, sealed under the id of the probe."""

    id: str
    sealed: bytes


class ProbeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a node allowed the canary of a probe first and last, and when and why it refused it.

    Instants are ms since 1970 by the control plane's clock, as far as the node knows it, and never too late.
    """

    id: str
    allowed_at: int | None = None
    last_allowed_at: int | None = None
    refused_at: int | None = None
    reason: str = ""


class PollRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a follower says and asks. ``wait`` is in seconds.

    ``clock`` and ``wall`` are the node's boot-time clock in ns and its wall clock in ms when it sent this.
    ``after`` is the ``next`` of the answer before, if that ended inside a revision. ``losses`` of its clock
    are told until a poll that tells them is answered; so are ``probes``. ``seen`` is the newest head of which
    records came, if that is beyond what is applied.

    A relay says so (``relay``), and is told of other nodes. What it has ``confirmed`` holds for all that
    follow it; ``followers`` tells of those, now and then.
    """

    node: str
    incarnation: str
    applied: Applied
    wait: float = 0.0
    retires: str | None = None
    clock: int | None = None
    schema: int = SCHEMA
    pepper_ids: tuple[str, ...] = ()
    identity_key: PublishedKey | None = None
    after: str | None = None
    wall: int | None = None
    losses: tuple[ClockLoss, ...] = ()
    relay: bool = False
    confirmed: Applied | None = None
    followers: tuple[Follower, ...] | None = None
    probes: tuple[ProbeReport, ...] = ()
    seen: Applied | None = None


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node tells the control plane itself, through the relays in between: the key with which it signs,
    what it found of probes, under its ``incarnation``, and how it is.
    """

    node: str
    identity_key: PublishedKey | None = None
    incarnation: str = ""
    probes: tuple[ProbeReport, ...] = ()
    about: NodeReport | None = None


def acknowledged(request: PollRequest) -> Applied:
    """Return what a poll acknowledges: what holds on the node itself, and on all that follow it."""
    return request.applied if request.confirmed is None else request.confirmed


def node_name(name: str) -> str:
    """Return the name of a node; refuses what is no host name in lower case."""
    try:
        return settings.node_name(name)
    except ValueError as error:
        raise Refused("invalid_value", str(error), field="name") from None


def check_poll(request: PollRequest) -> None:
    """Refuse a poll that no follower would send."""
    check_incarnation("incarnation", request.incarnation)
    if request.retires is not None:
        check_incarnation("retires", request.retires)
    check_applied("applied", request.applied)
    if request.seen is not None:
        check_applied("seen", request.seen)
    _check_relay(request)
    _check_clocks(request)
    check_probes(request.probes)
    if request.after is not None:
        cut_place(request.after, request.applied)
    if not (math.isfinite(request.wait) and request.wait >= 0):
        raise Refused("invalid_value", "seconds, from 0", field="wait")
    if request.schema != SCHEMA:
        raise Refused(
            "invalid_value", f"this control plane writes records of schema {SCHEMA}", field="schema"
        )
    if request.identity_key is not None:
        check_key(request.identity_key)


def check_incarnation(field: str, incarnation: str) -> None:
    """Refuse what is no name of a follower."""
    if not _INCARNATION.fullmatch(incarnation):
        raise Refused("invalid_value", "32 characters of 0-9 and a-f", field=field)


def check_applied(field: str, applied: Applied) -> None:
    """Refuse what no replica has applied."""
    for name in ("epoch", "revision"):
        if not 0 <= getattr(applied, name) <= _BIGGEST:
            raise Refused("invalid_value", "a whole number from 0", field=f"{field}.{name}")
    if not _MARK.fullmatch(applied.mark):
        raise Refused("invalid_value", "the `mark` of a revision, or nothing", field=f"{field}.mark")


def _check_relay(request: PollRequest) -> None:
    """Refuse what no relay says of itself and of those who follow it."""
    if request.confirmed is not None:
        check_applied("confirmed", request.confirmed)
        if (request.confirmed.epoch, request.confirmed.revision) > (
            request.applied.epoch,
            request.applied.revision,
        ):
            raise Refused("invalid_value", "not beyond what is applied", field="confirmed")
    followers = request.followers or ()
    if len(followers) > MOST_FOLLOWERS:
        raise Refused("invalid_value", f"at most {MOST_FOLLOWERS} nodes", field="followers")
    for each in followers:
        for field, name in (("followers.node", each.node), ("followers.parent", each.parent or each.node)):
            try:
                settings.node_name(name)
            except ValueError as error:
                raise Refused("invalid_value", str(error), field=field) from None
        check_incarnation("followers.incarnation", each.incarnation)
        if not 0 <= each.ago_ms <= _BIGGEST:
            raise Refused("invalid_value", "milliseconds, from 0", field="followers.ago_ms")
        check_applied("followers.applied", each.applied)


def _check_clocks(request: PollRequest) -> None:
    if request.clock is not None and not 0 <= request.clock <= _BIGGEST:
        raise Refused("invalid_value", "nanoseconds, from 0", field="clock")
    told = {"wall": request.wall}
    for number, loss in enumerate(request.losses):
        told |= {f"losses.{number}.{name}": getattr(loss, name) for name in loss.__struct_fields__}
    for field, value in told.items():
        if value is not None and not 0 <= value < _LATEST_MS:
            raise Refused("invalid_value", "milliseconds, from 0, before the year 10000", field=field)
    if len(request.losses) > MOST_LOSSES:
        raise Refused("invalid_value", f"at most {MOST_LOSSES}", field="losses")


def check_probes(probes: Sequence[ProbeReport]) -> None:
    """Refuse reports that no node makes."""
    if len(probes) > MOST_PROBES:
        raise Refused("invalid_value", f"at most {MOST_PROBES}", field="probes")
    for number, report in enumerate(probes):
        for name in ("allowed_at", "last_allowed_at", "refused_at"):
            if not 0 <= (getattr(report, name) or 0) < _LATEST_MS:
                raise Refused("invalid_value", "milliseconds since 1970", field=f"probes.{number}.{name}")
        if not (_PROBE.fullmatch(report.id) and _WORD.fullmatch(report.reason)):
            raise Refused("invalid_value", "the id of a probe, and a reason", field=f"probes.{number}")


def cut_place(after: str, applied: Applied) -> tuple[int, str, str]:
    """Return revision, kind and key of the change after which an answer goes on inside a revision."""
    revision, _, place = after.partition("/")
    kind, slash, key = place.partition("/")
    known = revision.isascii() and revision.isdigit() and len(revision) < 19 and "\0" not in place
    if not (known and slash and int(revision) > applied.revision):
        raise Refused("invalid_value", "`next` of the answer before", field="after")
    return int(revision), kind, key


def check_key(key: PublishedKey) -> None:
    """Refuse what is no public key."""
    if not _KID.fullmatch(key.kid):
        raise Refused("invalid_value", "1 to 64 characters of base64url", field="identity_key.kid")
    try:
        size = len(base64.b64decode(key.x + "=", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != _X_BYTES:
        raise Refused(
            "invalid_value", "an Ed25519 public key: 43 characters of base64url", field="identity_key.x"
        )


def is_renewal_due(expires_at_ms: int, now_ms: int) -> bool:
    """Tell whether a node should renew its credential: a third of its life is left, or less."""
    return 0 < expires_at_ms <= now_ms + CREDENTIAL_LIFE_MS // 3


def hold_seconds(wait: float, lease_seconds: float) -> float:
    """Return how long a poll may be held: the lease runs from its sending, so holding eats into it."""
    return min(wait, lease_seconds / LEASE_SHARE, HOLD_SECONDS)
