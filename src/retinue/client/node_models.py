"""What the API answers about nodes, as types; see ``models``."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from retinue.client.models import Receipt, Secret


class Applied(Struct, kw_only=True):
    """How far a node's replica is."""

    epoch: int = 0
    revision: int = 0


class Clock(Struct, kw_only=True):
    """The clock of a node beside the control plane's."""

    state: str = "unknown"
    ratio: float | None = None
    wall_ahead_seconds: float | None = None
    losses: int = 0


class Verification(Struct, kw_only=True):
    """How long a node's decisions took lately, in microseconds."""

    decisions: int = 0
    window_seconds: int = 0
    p50_us: float | None = None
    p99_us: float | None = None


class About(Struct, kw_only=True):
    """What a node says of itself."""

    told_at: str | None = None
    version: str = ""
    credentials: int = 0
    verification: Verification | None = None


class Node(Struct, kw_only=True):
    """A node of the installation."""

    id: str
    name: str
    state: str = ""
    created_at: str | None = None
    connected: bool = False
    incarnation: str | None = None
    applied: Applied | None = None
    lag: int | None = None
    last_contact_at: str | None = None
    lease_remaining_seconds: float = 0.0
    stale_seconds: float = 0.0
    clock: Clock | None = None
    waits: int = 0
    last_wait_at: str | None = None
    relay: bool = False
    parent: str | None = None
    requests_missing: int = 0
    about: About | None = None
    receipt: Receipt | UnsetType = UNSET


class EnrolledNode(Struct, kw_only=True):
    """A new node with its token, which is told this once."""

    node: Node
    token: Secret


class ProbedNode(Struct, kw_only=True):
    """What a node found when it verified a probe's canary."""

    node: str
    incarnation: str = ""
    allowed_ms: float | None = None
    refused_ms: float | None = None
    reason: str = ""
    stale: bool = False


class Probe(Struct, kw_only=True):
    """A self-test of all nodes: a canary key was issued, verified, revoked and verified again."""

    id: str
    state: str = ""
    good: bool = False
    started_at: str | None = None
    revoked_at: str | None = None
    completed_at: str | None = None
    receipt: str | None = None
    nodes: list[ProbedNode] = []
    missing: list[str] = []
