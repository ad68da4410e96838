"""Tables of the ledger. Rows are only ever added; the head row alone is updated."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class Head(models.Model):
    """The one row that orders everything: it is locked just before each commit."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.PositiveBigIntegerField(default=1)
    revision = models.PositiveBigIntegerField(default=0)
    #: Revision of the oldest change that is still kept; nodes that are further behind load a snapshot.
    compacted_revision = models.PositiveBigIntegerField(default=0)
    #: The mark of the latest revision.
    mark = models.CharField(max_length=16, default="", blank=True)
    #: The history is in doubt: no lease and no receipt until the nodes have said what they know.
    is_recovering = models.BooleanField(default=False)
    #: Which database this is, where it says so (PostgreSQL): cluster, database and timeline.
    lineage = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="ledger_head_is_one_row")]


class Change(models.Model):
    """One changed object in one revision: what the feed tells nodes to fetch anew."""

    id = models.BigAutoField(primary_key=True)
    revision = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=32)
    key = IdField(max_length=160)
    reduces = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["revision", "kind", "key"], name="ledger_change_once_a_revision")
        ]
        indexes = [models.Index(fields=["kind", "key", "revision"], name="ledger_change_of_object")]


class AuditEvent(models.Model):
    """What happened to one object: who, with which credential, before and after. No personal data."""

    id = models.CharField(max_length=40, primary_key=True)
    revision = models.PositiveBigIntegerField()
    n = models.PositiveIntegerField()
    #: Random, on the first event of each revision: tells it from the revision of the same number that another
    #: history has, after a backup was restored.
    mark = models.CharField(max_length=16, default="", blank=True)
    at = models.DateTimeField()
    organization = IdField()
    type = models.CharField(max_length=64)
    actor_kind = models.CharField(max_length=32)
    actor = IdField()
    credential = IdField(blank=True)
    request = IdField(blank=True)
    channel = models.CharField(max_length=16, blank=True, default="", db_default="")
    subject_kind = models.CharField(max_length=32)
    subject = IdField(max_length=160)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["revision", "n"], name="ledger_auditevent_order")]
        indexes = [
            models.Index(fields=["organization", "-revision", "-n"], name="ledger_event_by_organization"),
            models.Index(
                fields=["organization", "subject", "-revision", "-n"], name="ledger_event_by_subject"
            ),
            models.Index(fields=["organization", "type", "-revision", "-n"], name="ledger_event_by_type"),
            models.Index(fields=["organization", "actor", "-revision", "-n"], name="ledger_event_by_actor"),
            models.Index(fields=["organization", "at", "revision"], name="ledger_event_by_time"),
        ]


class PersonalPart(models.Model):
    """The personal data of an event, apart from it, so that erasing a person leaves the event whole.

    ``salt`` is random, and salts the hash of this part in the log's entry.
    """

    event = models.OneToOneField(
        AuditEvent, primary_key=True, on_delete=models.CASCADE, related_name="personal"
    )
    salt = models.BinaryField(max_length=16)
    data = models.JSONField()


class Log(models.Model):
    """One Merkle tree over events: under which origin, how far it is, and what was signed of it last.

    Another one begins where the history is in doubt, and with another key; the last one is added to.
    """

    id = models.PositiveIntegerField(primary_key=True)
    #: As addresses and the origin have it: the epoch, and ``3.2`` for the second log of an epoch.
    name = models.CharField(max_length=32, unique=True)
    epoch = models.PositiveBigIntegerField()
    origin = models.CharField(max_length=128)
    public_key = models.BinaryField(max_length=32)
    began_at = models.DateTimeField()
    #: The record of the first entry of a log that goes on after another one.
    link = models.TextField(blank=True, default="")
    #: The last event that is in it, or was passed when it began.
    revision = models.PositiveBigIntegerField()
    n = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(default=0)
    root = models.BinaryField(max_length=32)
    #: The signed note; empty before the first entry.
    checkpoint = models.TextField(blank=True, default="")
    signed_at = models.DateTimeField(null=True)
    #: What the last look at the rows has found: up to which size, when, and what is wrong.
    verified_size = models.PositiveBigIntegerField(default=0)
    verified_at = models.DateTimeField(null=True)
    trouble = models.JSONField(default=list)


class Tile(models.Model):
    """Up to 256 hashes of one level of a tree, side by side. Level -1 holds the entries themselves."""

    id = models.BigAutoField(primary_key=True)
    log = models.ForeignKey(Log, on_delete=models.PROTECT)
    level = models.SmallIntegerField()
    n = models.PositiveBigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "level", "n"], name="ledger_tile_place")]


class Entry(models.Model):
    """Where an event stands in a log, and what its record takes that the event does not say."""

    event = models.CharField(max_length=40, primary_key=True)
    log = models.ForeignKey(Log, on_delete=models.PROTECT)
    index = models.PositiveBigIntegerField()
    organization = IdField()
    #: Its number among the events of its organization in this log, from 1 on.
    sequence = models.PositiveBigIntegerField()
    salt = models.BinaryField(max_length=16)
    #: The salted hash of the personal part: it stays when that part is erased.
    personal = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["log", "index"], name="ledger_entry_place"),
            models.UniqueConstraint(fields=["log", "organization", "sequence"], name="ledger_entry_number"),
        ]
