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

    ``salt`` is random and will salt the hash of this part in a tamper-evident log.
    """

    event = models.OneToOneField(
        AuditEvent, primary_key=True, on_delete=models.CASCADE, related_name="personal"
    )
    salt = models.BinaryField(max_length=16)
    data = models.JSONField()
