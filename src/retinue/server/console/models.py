"""What the console itself must remember."""

from __future__ import annotations

from django.db import models

from retinue.server.fields import IdField


class SigninFailures(models.Model):
    """Failed sign-ins from one network, or for one e-mail address from one network; see ``rules``.

    ``key`` is a keyed digest: the table tells neither addresses nor networks.
    """

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveSmallIntegerField()
    window_ends_at = models.DateTimeField()
    pauses = models.PositiveSmallIntegerField()
    paused_until = models.DateTimeField()
    forgotten_at = models.DateTimeField(db_index=True)


class Checklist(models.Model):
    """Since when the home page shows a person the seven steps, and whether they have put them away."""

    person = IdField(primary_key=True)
    began_at = models.DateTimeField()
    is_put_away = models.BooleanField(default=False)
