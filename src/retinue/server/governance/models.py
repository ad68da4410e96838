"""Tables of governance: findings as they were last seen, exceptions to them, leaks, and access reviews."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class AcceptedFinding(models.Model):
    """Somebody answers for a finding until a date; it is listed apart until then."""

    id = IdField(primary_key=True)
    organization = IdField()
    kind = models.CharField(max_length=32)
    subject = IdField()
    reason = models.TextField()
    until = models.DateTimeField()
    accepted_by = IdField()
    accepted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "subject"], name="finding_accepted_once")
        ]


class Leak(models.Model):
    """A report that the token of a credential was found: by whom, and where."""

    id = IdField(primary_key=True)
    organization = IdField()
    credential = IdField()
    source = models.CharField(max_length=64, blank=True)
    url = models.CharField(max_length=2048, blank=True)
    reported_at = models.DateTimeField()
    #: Who reported it, if they said who they are.
    reported_by = IdField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "credential", "reported_at"], name="leak_of_credential")
        ]


class Review(models.Model):
    """An access review: a frozen list of service accounts, each with a reviewer and a decision."""

    id = IdField(primary_key=True)
    organization = IdField()
    name = models.CharField(max_length=255)
    template = models.CharField(max_length=16)
    scope = models.JSONField(default=dict)
    state = models.CharField(max_length=16, default="open")
    #: Who is asked where neither owner nor backup answers; may be empty.
    fallback = IdField(blank=True)
    no_answer = models.CharField(max_length=16)
    opened_at = models.DateTimeField()
    opened_by = IdField()
    due_at = models.DateTimeField()
    #: Whoever has not answered by then is counted as silent.
    ends_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    applied_by = IdField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["open", "applied", "cancelled"]), name="review_state"
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-opened_at", "-id"], name="review_by_age"),
            models.Index(fields=["ends_at"], condition=models.Q(state="open"), name="review_open"),
        ]


class ReviewItem(models.Model):
    """One account of a review: what was known when it was opened, who is asked, and what was decided."""

    id = IdField(primary_key=True)
    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="items", db_index=False)
    account = IdField()
    reviewer = IdField(blank=True)
    #: Who is asked next if the reviewer is silent.
    backup = IdField(blank=True)
    evidence = models.JSONField(default=dict)
    #: Of a review of many accounts, evidence is gathered after it was opened, or with the decision.
    gathered_at = models.DateTimeField(null=True)
    needs_reason = models.BooleanField(default=False)
    decision = models.CharField(max_length=16, blank=True)
    note = models.TextField(blank=True)
    #: The new owner of an account that is reassigned.
    assignee = IdField(blank=True)
    decided_by = IdField(blank=True)
    decided_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=1024, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "account"], name="review_item_once")]
        indexes = [
            models.Index(fields=["review", "id"], name="review_item_in_order"),
            models.Index(fields=["review"], condition=models.Q(gathered_at=None), name="review_item_bare"),
        ]


class KeptFinding(models.Model):
    """A finding as it was when it was last looked for: lists and counts read these, whatever is in there."""

    id = models.BigAutoField(primary_key=True)
    organization = IdField()
    kind = models.CharField(max_length=32)
    #: The place of the kind in the list of kinds, by which findings are listed.
    place = models.PositiveSmallIntegerField()
    subject = IdField()
    #: The principal that the subject is or belongs to; the organization for an ingest token.
    holder = IdField()
    since = models.DateTimeField(null=True)
    evidence = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "kind", "subject"], name="finding_kept_once")
        ]
        indexes = [
            models.Index(fields=["organization", "place", "subject"], name="finding_kept_in_order"),
            models.Index(fields=["organization", "holder"], name="finding_kept_of_holder"),
        ]


class FindingsLook(models.Model):
    """When everything of an organization was last looked at, and when it is next."""

    organization = IdField(primary_key=True)
    as_of = models.DateTimeField()
    due_at = models.DateTimeField()
    #: How long it took, in milliseconds: what takes long is done less often.
    took_ms = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="findings_look_due")]


class FindingsProgress(models.Model):
    """The one row that says how far the ledger has been read for findings, and whose turn it is to look."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    revision = models.PositiveBigIntegerField()
    held_by = models.CharField(max_length=32, default="", blank=True)
    held_until = models.DateTimeField()
