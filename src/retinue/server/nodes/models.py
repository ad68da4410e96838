"""Tables of nodes. Lease rows are written by every poll and need not survive a power cut."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField
from retinue.server.nodes.about import MOST_VERSION


class Node(models.Model):
    """A process on some host that decides from a replica. Its credential is bound to its name."""

    id = IdField(primary_key=True)
    name = models.CharField(max_length=63)
    state = models.CharField(max_length=16, default="enrolled")
    credential = models.OneToOneField("credentials.Credential", on_delete=models.PROTECT, related_name="node")
    #: The one before, after a renewal: accepted too, until the node has polled with the present one.
    previous_credential = models.OneToOneField(
        "credentials.Credential", null=True, on_delete=models.PROTECT, related_name="+"
    )
    #: Other nodes may follow it instead of the control plane. Decided when it is enrolled.
    is_relay = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(state="enrolled"), name="node_name_once_while_enrolled"
            ),
            models.CheckConstraint(condition=models.Q(state__in=["enrolled", "removed"]), name="node_state"),
        ]


class NodeAbout(models.Model):
    """What a node last said of itself; see ``about``. A node whose version says nothing has none."""

    node = models.OneToOneField(Node, primary_key=True, on_delete=models.PROTECT, related_name="about")
    told_at = models.DateTimeField()
    version = models.CharField(max_length=MOST_VERSION)
    credentials = models.PositiveBigIntegerField()
    decisions = models.PositiveBigIntegerField()
    window_seconds = models.PositiveIntegerField()
    p50_ns = models.PositiveBigIntegerField(null=True)
    p99_ns = models.PositiveBigIntegerField(null=True)


class IdentityKey(models.Model):
    """The public half of the key with which a node signs ``Retinue-Identity``."""

    kid = IdField(primary_key=True)
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="identity_keys")
    x = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    #: Set when a newer key of the node arrives; the key stays listed until then.
    not_after = models.DateTimeField(null=True)


class Lease(models.Model):
    """What one incarnation of a node has acknowledged, and when it was last heard (boot-time clock).

    A relay acknowledges for all who follow it. What it last told of them is in ``followed_by``.
    """

    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="leases")
    incarnation = models.CharField(max_length=32)
    retires = models.CharField(max_length=32, blank=True)
    epoch = models.PositiveBigIntegerField(default=0)
    revision = models.PositiveBigIntegerField(default=0)
    granted_at_ns = models.BigIntegerField()
    clock_id = models.CharField(max_length=80)
    last_contact_at = models.DateTimeField()
    is_superseded = models.BooleanField(default=False)
    #: What is known of the node's clock, as ``clocks`` writes it.
    clock = models.TextField(blank=True)
    #: How many changes had to wait for the node, and when the last one did.
    waits = models.PositiveBigIntegerField(default=0)
    waited_at = models.DateTimeField(null=True)
    followed_by = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "incarnation"], name="lease_once_an_incarnation")
        ]


class Receipt(models.Model):
    """Where a change that took access away holds, and since when. ``nodes`` is final once it is complete."""

    id = IdField(primary_key=True)
    epoch = models.PositiveBigIntegerField()
    revision = models.PositiveBigIntegerField(unique=True)
    organization = IdField()
    change = models.CharField(max_length=64)
    subject = models.CharField(max_length=128)
    actor = IdField()
    state = models.CharField(max_length=16, default="pending")
    committed_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    bound_seconds = models.FloatField()
    #: The lease that this change waits for, and the longer one that it shortened, if it did.
    lease_seconds = models.PositiveIntegerField(default=10)
    lease_before_seconds = models.PositiveIntegerField(null=True)
    nodes = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "complete"]), name="receipt_state"
            ),
        ]
        indexes = [
            models.Index(
                fields=["committed_at"], condition=models.Q(state="pending"), name="receipt_pending"
            ),
            models.Index(fields=["organization", "subject", "-revision"], name="receipt_of_object"),
        ]


class Epoch(models.Model):
    """A history of revisions. One begins when the one before is in doubt: it recovers, and is open then."""

    epoch = models.PositiveBigIntegerField(primary_key=True)
    state = models.CharField(max_length=16, default="recovering")
    cause = models.CharField(max_length=32)
    detail = models.JSONField(default=dict)
    began_at = models.DateTimeField()
    #: The same on the boot-time clock of the host that raised it, which is the clock named.
    began_ns = models.BigIntegerField(default=0)
    clock_id = models.CharField(max_length=80, blank=True)
    opened_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["recovering", "open", "ended"]), name="epoch_state"
            )
        ]


class Journal(models.Model):
    """What became of one node's journal in one epoch: awaited, reported, or skipped by an operator."""

    epoch = models.PositiveBigIntegerField()
    node = IdField()
    name = models.CharField(max_length=63)
    state = models.CharField(max_length=16, default="awaited")
    #: Who reported, how far it had applied, and the longest lease in its replica.
    incarnation = models.CharField(max_length=32, blank=True)
    applied_epoch = models.PositiveBigIntegerField(default=0)
    applied_revision = models.PositiveBigIntegerField(default=0)
    lease_ms = models.PositiveBigIntegerField(default=0)
    lines = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["epoch", "node"], name="journal_once_an_epoch"),
            models.CheckConstraint(
                condition=models.Q(state__in=["awaited", "reported", "skipped"]), name="journal_state"
            ),
        ]


class Lost(models.Model):
    """A change that a node knows and the database lost; ``outcome`` is empty until it was looked after."""

    epoch = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=32)
    key = IdField(max_length=160)
    mark = models.CharField(max_length=16)
    #: Where it stood in the history that was lost, and when.
    old_epoch = models.PositiveBigIntegerField()
    old_revision = models.PositiveBigIntegerField()
    old_at = models.DateTimeField()
    reduces = models.BooleanField()
    #: The record as the node has it, which had applied so much; ``None`` if it is gone there.
    value = models.BinaryField(null=True)
    node = models.CharField(max_length=63)
    applied_epoch = models.PositiveBigIntegerField()
    applied_revision = models.PositiveBigIntegerField()
    outcome = models.CharField(max_length=16, blank=True)
    #: What the record was about, and what was taken away for it.
    organization = IdField(blank=True)
    subject = IdField(max_length=160, blank=True)
    told = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["epoch", "kind", "key", "mark"], name="lost_once_an_epoch")
        ]
        indexes = [models.Index(fields=["id"], condition=models.Q(outcome=""), name="lost_to_do")]


class Probe(models.Model):
    """A canary key that is verified on every node and revoked: a measurement, kept for a day."""

    id = IdField(primary_key=True)
    credential = models.ForeignKey("credentials.Credential", on_delete=models.PROTECT, related_name="+")
    #: The canary's token for the nodes, under a key that is derived from the pepper; gone with its revoke.
    sealed = models.BinaryField(null=True)
    state = models.CharField(max_length=16, default="started")
    started_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    receipt = IdField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["started", "revoked", "done", "failed"]), name="probe_state"
            ),
        ]


class ProbeResult(models.Model):
    """What one incarnation of a node found when it verified the canary, by the control plane's clock."""

    probe = models.ForeignKey(Probe, on_delete=models.CASCADE, related_name="results")
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="+")
    incarnation = models.CharField(max_length=32)
    allowed_at = models.DateTimeField(null=True)
    last_allowed_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=64, blank=True)
    is_stale = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["probe", "node", "incarnation"], name="probe_result_once_an_incarnation"
            )
        ]
