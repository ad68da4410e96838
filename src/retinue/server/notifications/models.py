"""Tables of notifications. Webhooks are changed like everything else; messages are kept beside the ledger.

What is on its way names an event; it is put into words, or signed, when it is sent.
"""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField

PENDING, DONE, FAILED = "pending", "done", "failed"
_STATES = models.Q(state__in=[PENDING, DONE, FAILED])


class Webhook(models.Model):
    """An address that events of an organization are sent to, signed; its secrets are sealed by the pepper."""

    id = IdField(primary_key=True)
    organization = IdField()
    name = models.CharField(max_length=255)
    url = models.CharField(max_length=2048)
    #: Patterns of event names: `*`, `key.*`, `key.leaked`.
    events = models.JSONField(default=list)
    state = models.CharField(max_length=16, default="enabled")
    sealed = models.BinaryField(max_length=256)
    pepper_id = models.CharField(max_length=16)
    #: The secret before the last rotation signs as well until then.
    previous_sealed = models.BinaryField(max_length=256, default=b"")
    previous_pepper_id = models.CharField(max_length=16, blank=True)
    previous_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    created_by = IdField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="webhook_name_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["enabled", "disabled"]), name="webhook_state"
            ),
        ]


class Delivery(models.Model):
    """An event on its way to a webhook. Its id is what the receiver tells repetitions by."""

    id = IdField(primary_key=True)
    webhook = IdField()
    organization = IdField()
    event = models.CharField(max_length=40)
    type = models.CharField(max_length=64)
    state = models.CharField(max_length=16, default=PENDING)
    attempts = models.PositiveIntegerField(default=0)
    #: Not tried again before; while it is being tried, the time after which another process may.
    next_at = models.DateTimeField()
    last_status = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event"], name="delivery_once_an_event"),
            models.CheckConstraint(condition=_STATES, name="delivery_state"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state=PENDING), name="delivery_due"),
            models.Index(fields=["webhook", "-created_at", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["webhook", "state", "-created_at", "-id"], name="delivery_by_state"),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]


class Mail(models.Model):
    """One message to one person: a digest of everything that they are to be told."""

    id = IdField(primary_key=True)
    organization = IdField()
    recipient = IdField()
    state = models.CharField(max_length=16, default=PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField()
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=_STATES, name="mail_state")]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state=PENDING), name="mail_due"),
            models.Index(fields=["organization", "-created_at", "-id"], name="mail_of_organization"),
            models.Index(fields=["organization", "state", "-created_at", "-id"], name="mail_by_state"),
            models.Index(fields=["created_at"], name="mail_by_age"),
        ]


class Notice(models.Model):
    """One event that one person is to be told, and the mail that tells it once there is one."""

    id = models.BigAutoField(primary_key=True)
    organization = IdField()
    recipient = IdField()
    event = models.CharField(max_length=40)
    due_at = models.DateTimeField()
    mail = IdField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "event"], name="notice_once_a_person")]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(mail=""), name="notice_waiting"),
            models.Index(fields=["mail"], name="notice_of_mail"),
        ]


class Progress(models.Model):
    """How far the ledger has been read. One row; whoever holds it reads on."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    revision = models.PositiveBigIntegerField()


class Warned(models.Model):
    """The last threshold before an expiry of a credential that was said. Written with its event."""

    credential = IdField(primary_key=True)
    expires_at = models.DateTimeField()
    days = models.PositiveIntegerField()
