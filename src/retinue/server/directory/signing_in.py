"""What people sign in with, and what hangs on them: reads for lists of users."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import is_password_usable
from django.db.models import Count, Exists, OuterRef

from retinue.server.directory.models import Identity, Login, Ownership, Principal
from retinue.server.ledger.queries import newest_of


def methods(user_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return what each user who can sign in does it with, in one query; others are left out."""
    factors = Authenticator.objects.filter(user=OuterRef("pk"))
    rows = Login.objects.filter(principal_id__in=list(user_ids)).values_list(
        "principal_id",
        "password",
        Exists(factors.filter(type=Authenticator.Type.TOTP)),
        Exists(factors.filter(type=Authenticator.Type.WEBAUTHN)),
        Exists(factors.filter(type=Authenticator.Type.RECOVERY_CODES)),
        Exists(Identity.objects.filter(login=OuterRef("pk"))),
    )
    names = ("password", "totp", "passkey", "recovery_codes", "single_sign_on")
    return {
        ident: [name for name, has in zip(names, (is_password_usable(password), *others), strict=True) if has]
        for ident, password, *others in rows
    }


def last(user_ids: Iterable[str]) -> dict[str, datetime | None]:
    """Return when each user signed in last, as far as the audit log goes back, in one query."""
    opened = newest_of(OuterRef("organization_id"), OuterRef("id"), "session.opened")
    return dict(Principal.objects.filter(id__in=list(user_ids)).values_list("id", opened))


def owned(user_ids: Iterable[str]) -> dict[str, int]:
    """Return how many living service accounts each user answers for, in one query; no entry is none."""
    rows = Ownership.objects.filter(owner_id__in=list(user_ids)).exclude(account__state="deleted")
    counted = rows.order_by().values("owner_id").annotate(accounts=Count("id"))
    return dict(counted.values_list("owner_id", "accounts"))
