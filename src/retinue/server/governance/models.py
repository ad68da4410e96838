"""Tables of governance: exceptions to findings, and access reviews.

Findings themselves have no table: they are read from what is the case, so none outlives its cause.
"""

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
