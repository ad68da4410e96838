"""The probe: a canary key is issued, verified on every node, revoked, and must then be refused everywhere.

The control plane reaches no node, so the nodes verify: with the answer that brings the canary's record each
gets its token, sealed with the installation's pepper, and decides about it over its own replica again and
again until it is refused. Its next polls say when it allowed it first and last, by the control plane's clock
as far as it knows: the time in the last answer, and what has passed since on its own clock. That is never
later than it was, so an acceptance after the receipt is one. A node that was cut off reports afterwards.

The tables here are measurements and grant nothing; the canary itself is issued and revoked like any key.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from retinue import sealing
from retinue.replica.records import Change, Kind
from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.actions import peppers
from retinue.server.credentials.compile import milliseconds
from retinue.server.credentials.queries import Credential
from retinue.server.directory import queries as directory
from retinue.server.directory.queries import Organization, Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import NotFound, Refused
from retinue.server.ids import new_id
from retinue.server.ledger.pruning import delete_some
from retinue.server.ledger.transaction import SYSTEM, Actor, Transaction, transaction
from retinue.server.nodes import barrier, measures, queries, receipts, wake
from retinue.server.nodes.models import Node, Probe, ProbeResult
from retinue.server.nodes.rules import Canary, ProbeReport

PURPOSE = "Proves, again and again, that a revoked key is refused on every node"
#: A canary that a probe has left behind (its process was killed) is revoked after this, and expires then.
LEFT_BEHIND = timedelta(minutes=10)
EXPIRES = "1h"
#: So long nodes verify the canary before it is revoked, and have for their report after its receipt.
VERIFYING_SECONDS = 0.25
REPORT_SECONDS = 5.0
_LOOK_SECONDS = 0.1
#: By so much the wall clocks of hosts of the control plane may differ.
MARGIN_MS = 20
#: Of so many followers of one node reports of one probe are kept. One behind a relay says itself which it
#: is, so a stolen node credential could name any number of them.
MOST_FOLLOWERS = 16
KEPT = timedelta(days=1)
_STARTED = """
SELECT id, sealed FROM nodes_probe WHERE state = 'started' AND started_at > %s
ORDER BY started_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class ProbeView:
    """A probe with what each node reported; ``missing`` are those that are connected and have not."""

    probe: Probe
    results: list[ProbeResult]
    missing: list[str]

    @property
    def is_good(self) -> bool:
        """Whether the promise was kept: complete, reported by all, and accepted by none after the receipt."""
        return self.probe.state == "done" and not self.missing and not any(r.is_stale for r in self.results)


def run(every: timedelta | None = None, *, actor: Actor = SYSTEM, reason: str = "") -> ProbeView | None:
    """Run one probe to its end; takes seconds, and as long as its receipt does.

    The canary is issued and revoked by ``actor``. With ``every``, nothing is done (and ``None`` returned) if
    another process has begun one so short a time ago. Call it outside a transaction. Raises :class:`Refused`
    if the canary cannot be issued.
    """
    begun = _begin(every, actor, reason or "probe")
    if begun is None:
        return None
    probe, revision = begun
    barrier.wait(revision)
    wake.release_connection()
    time.sleep(VERIFYING_SECONDS)
    _revoke(probe, actor)
    until = time.monotonic() + REPORT_SECONDS
    while view(probe).missing and time.monotonic() < until:
        wake.release_connection()
        time.sleep(_LOOK_SECONDS)
    Probe.objects.filter(id=probe.id, state="revoked").update(state="done")
    return view(get(probe.id))


def _begin(every: timedelta | None, actor: Actor, reason: str) -> tuple[Probe, int] | None:
    organization = directory.installation()
    if organization is None:
        raise Refused("state_conflict", "there is no installation yet; run init first")
    with transaction(actor, reason=reason) as tx:
        directory.Organization.objects.select_for_update(no_key=True).get(
            id=organization.id
        )  # one beginning at a time
        last = Probe.objects.order_by("started_at").last()
        if every is not None and last is not None and tx.now - last.started_at < every * 0.9:
            return None
        account = _account(tx, organization)
        left = Credential.objects.filter(
            principal=account, state="active", issued_at__lt=tx.now - LEFT_BEHIND
        )
        for key in left:
            credentials.revoke(tx, key, text="left behind by a probe")
        ident = new_id("prb")
        issued = credentials.issue(tx, account, name=ident, expires=EXPIRES)
        probe = Probe.objects.create(
            id=ident,
            credential=issued.credential,
            sealed=sealing.seal(peppers().active, issued.token.as_bytes(), ident),
            started_at=tx.now,
        )
    assert tx.revision is not None  # noqa: S101  (a key was issued)
    return probe, tx.revision


def _account(tx: Transaction, organization: Organization) -> Principal:
    """Return the canary's account, which is made at the first probe; it holds no permission."""
    found = Principal.objects.filter(organization=organization, handle=directory.CANARY_HANDLE).first()
    if found is not None:
        return found
    operators = Principal.objects.filter(
        organization=organization, kind=Principal.USER, is_operator=True, state="enabled"
    )
    owners = tuple(operators.order_by("created_at").values_list("id", flat=True)[:1])
    if not owners:
        raise Refused("state_conflict", "there is no operator yet who answers for the canary's account")
    fields = AccountFields(name=directory.CANARY_HANDLE, purpose=PURPOSE, owners=owners)
    return access.create_account(tx, organization.id, fields, is_own=True)


def _revoke(probe: Probe, actor: Actor) -> None:
    """Revoke the canary, of which nobody is told any more, and wait for its receipt."""
    with transaction(actor, reason="probe") as tx:
        credentials.revoke(tx, probe.credential)
        probe.revoked_at, probe.state, probe.sealed = tx.now, "revoked", None
        probe.save()
    receipt = receipts.of_revision(tx.revision or 0)
    if receipt is not None:
        receipt = receipts.follow(receipt, receipt.bound_seconds + 1.0)
        probe.receipt = receipt.id
        probe.completed_at = receipt.completed_at
    probe.state = "failed" if probe.completed_at is None else "revoked"
    probe.save()
    for result in ProbeResult.objects.filter(probe=probe):
        _judge(probe, result)


def canary_for(changes: Iterable[Change]) -> Canary | None:
    """Return the canary that nodes verify now, for one that gets a credential: the canary's is among them."""
    if not any(change.kind is Kind.CREDENTIAL for change in changes):
        return None
    young = connection.ops.adapt_datetimefield_value(timezone.now() - LEFT_BEHIND)
    with connection.cursor() as cursor:
        cursor.execute(_STARTED, [young])
        found = cursor.fetchone()
    return None if found is None or found[1] is None else Canary(found[0], bytes(found[1]))


def take(node: Node, incarnation: str, reports: Iterable[ProbeReport]) -> None:
    """Store what a node reports; judge it if the receipt is there. One of an unknown probe is dropped, and
    one of a follower too many.
    """
    for report in reports:
        probe = Probe.objects.filter(id=report.id).first()
        if probe is None or not _has_place(probe, node, incarnation):
            continue
        result, _ = ProbeResult.objects.update_or_create(
            probe=probe,
            node=node,
            incarnation=incarnation,
            defaults={
                "allowed_at": _instant(report.allowed_at),
                "last_allowed_at": _instant(report.last_allowed_at),
                "refused_at": _instant(report.refused_at),
                "reason": report.reason,
            },
        )
        _judge(probe, result)


def _has_place(probe: Probe, node: Node, incarnation: str) -> bool:
    others = ProbeResult.objects.filter(probe=probe, node=node).exclude(incarnation=incarnation)
    return others.count() < MOST_FOLLOWERS


def _judge(probe: Probe, result: ProbeResult) -> None:
    if probe.completed_at is None or result.last_allowed_at is None or result.is_stale:
        return
    if milliseconds(result.last_allowed_at) > milliseconds(probe.completed_at) + MARGIN_MS:
        result.is_stale = True
        result.save(update_fields=["is_stale"])
        measures.stale()
        _complain(probe, result)


def _complain(probe: Probe, result: ProbeResult) -> None:
    """The promise was broken: that comes on record."""
    late = (result.last_allowed_at or probe.started_at) - (probe.completed_at or probe.started_at)
    with transaction(SYSTEM, reason=f"probe {probe.id}") as tx:
        tx.record(
            "node.probe_stale",
            result.node_id,
            name=result.node.name,
            organization=probe.credential.organization_id,
            after={"probe": probe.id, "receipt": probe.receipt, "late_ms": round(late.total_seconds() * 1e3)},
        )


def get(ident: str) -> Probe:
    """Return a probe. Raises :class:`NotFound`."""
    found = Probe.objects.filter(id=ident).first()
    if found is None:
        raise NotFound("probe", ident)
    return found


def view(probe: Probe) -> ProbeView:
    """Return a probe with what is known of it now."""
    results = list(ProbeResult.objects.filter(probe=probe).select_related("node").order_by("node__name"))
    reported = {result.node_id for result in results}
    views = queries.views(list(queries.nodes()))
    connected = [each.node for each in views if each.connected]
    return ProbeView(probe, results, sorted(node.name for node in connected if node.id not in reported))


def prune(now: datetime, most: int) -> int:
    """Delete at most ``most`` old probes with their results; return how many went."""
    return delete_some(Probe.objects.filter(started_at__lt=now - KEPT), most)


def _instant(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1e3, UTC)
