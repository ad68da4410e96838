"""What is done about tokens that were found where they do not belong: each credential ends, for good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from retinue.server.credentials import compromising, ending, writing
from retinue.server.credentials.queries import Credential
from retinue.server.directory.rules import check_no_token
from retinue.server.errors import Refused
from retinue.server.governance.models import Leak
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Actor, Transaction, transaction

SOURCE_MAX, URL_MAX = 64, 2048
#: Whoever holds a token can report it again and again: so many reports of one credential are kept.
KEPT = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Who found a token, and where, as far as they say."""

    source: str = ""
    url: str = ""

    def check(self) -> None:
        """Refuse what is too long, holds a token itself, or is no address of a page."""
        for field, text, most in (("source", self.source, SOURCE_MAX), ("url", self.url, URL_MAX)):
            if len(text) > most:
                raise Refused("invalid_value", f"at most {most} characters", field=field)
            check_no_token(text, field)
        if self.url and not is_page(self.url):
            raise Refused("invalid_value", "an address that begins with https:// or http://", field="url")


def is_page(url: str) -> bool:
    """Tell whether an address could be opened in a browser."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname) and url.isprintable()


def report(actor: Actor, found: Mapping[str, Place]) -> None:
    """End the credentials whose tokens were found, by id: those of an organization in one transaction.

    One that has ended is noted as compromised; one that was deleted, and that of a node, stays as it is.
    Places are checked by the caller.
    """
    rows = Credential.objects.filter(id__in=list(found), kind__in=compromising.KINDS).exclude(state="deleted")
    of: dict[str, list[str]] = {}
    for ident, organization in rows.order_by("organization", "id").values_list("id", "organization"):
        of.setdefault(organization, []).append(ident)
    # A receipt belongs to one organization, and none is to learn of another.
    for idents in of.values():
        with transaction(actor, reason="the token was found and reported") as tx:
            for key in Credential.objects.select_related("principal").filter(id__in=idents).order_by("id"):
                _note(tx, ending.revoke(tx, key, reason=compromising.COMPROMISED), found[key.id])


def _note(tx: Transaction, key: Credential, place: Place) -> None:
    """Keep a report, unless it says nothing new."""
    kept = Leak.objects.filter(organization=key.organization_id, credential=key.id)
    if kept.count() >= KEPT or kept.filter(source=place.source, url=place.url).exists():
        return
    Leak.objects.create(
        id=new_id("lk"),
        organization=key.organization_id,
        credential=key.id,
        source=place.source,
        url=place.url,
        reported_at=tx.now,
        reported_by=tx.actor.id,
    )
    writing.say(tx, key, "leaked", before={}, after={"source": place.source, "url": place.url})


def of(organization_id: str, credential_ids: Iterable[str]) -> dict[str, list[Leak]]:
    """Return the reports of each credential, the oldest first, in one query."""
    found: dict[str, list[Leak]] = {}
    rows = Leak.objects.filter(organization=organization_id, credential__in=list(credential_ids))
    for row in rows.order_by("credential", "reported_at", "id"):
        found.setdefault(row.credential, []).append(row)
    return found


def leaked(organization_id: str) -> list[str]:
    """Return the credentials of an organization that were reported, by id."""
    rows = Leak.objects.filter(organization=organization_id)
    return list(rows.values_list("credential", flat=True).distinct().order_by("credential"))
