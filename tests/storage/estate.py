"""What the storage tests need: an organization to change, nodes that follow, threads with own connections."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from retinue.replica.memory import MemoryReplica
from retinue.replica.records import Change, Kind, Meta, Noted, Origin
from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory import queries as directory_queries
from retinue.server.directory.queries import Organization, Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.transaction import SYSTEM, Actor, Transaction, transaction
from retinue.server.nodes import actions as nodes
from retinue.server.nodes import feed, journals
from retinue.server.nodes.compile import Place
from retinue.server.nodes.feed import PollAnswer, PollRequest
from retinue.server.nodes.journals import JournalPage
from retinue.server.nodes.queries import Node
from retinue.server.nodes.rules import Applied
from retinue.token import Token
from tests.support.leases import leased

Rows = dict[Place, bytes]


@dataclass(frozen=True)
class Estate:
    """An organization of a test's own."""

    organization: Organization
    owner: Principal

    @classmethod
    def create(cls) -> Estate:
        """Make an organization with its first owner."""
        handle = f"org-{secrets.token_hex(6)}"
        with transaction(SYSTEM, reason="test") as tx:
            organization = directory.create_organization(tx, handle=handle, name=handle)
            access.set_up_organization(tx, organization)
            owner = directory.create_user(tx, organization.id, email=f"owner@{handle}.example", name="Olga")
            access.assign_roles(tx, owner, ["owner"], "first owner")
        return cls(organization, owner)

    def account(self, **given: Any) -> Principal:
        """Make a service account; ``roles`` and ``permissions`` as in the action."""
        with transaction(SYSTEM, reason="test") as tx:
            return self.account_in(tx, **given)

    def account_in(self, tx: Transaction, **given: Any) -> Principal:
        """Make a service account in an open transaction."""
        fields = AccountFields(name=f"a-{secrets.token_hex(6)}", purpose="a test", owners=(self.owner.id,))
        return access.create_account(tx, self.organization.id, fields, justification="a test", **given)

    def key(self, account: Principal) -> tuple[Credential, Token]:
        """Issue a key of an account."""
        with transaction(SYSTEM, reason="test") as tx:
            issued = credentials.issue(tx, account, name=f"k-{secrets.token_hex(6)}")
        return issued.credential, issued.token

    def revoke(self, key: Credential) -> int:
        """Revoke a key; returns the revision."""
        with transaction(SYSTEM, reason="test") as tx:
            credentials.revoke(tx, key)
        assert tx.revision is not None
        return tx.revision


def operate() -> None:
    """Make sure that the installation has an operator, who answers for the canaries of probes."""
    organization = directory_queries.installation()
    assert organization is not None
    operators = directory_queries.Principal.objects.filter(organization=organization, is_operator=True)
    if not operators.exists():
        with transaction(SYSTEM, reason="test") as tx:
            directory.create_user(
                tx, organization.id, email="op@retinue.example", name="Op", is_operator=True
            )


def enrol() -> tuple[Node, Token]:
    """Enrol a node under a name of its own."""
    with transaction(SYSTEM, reason="test") as tx:
        return nodes.enrol(tx, f"node-{secrets.token_hex(6)}")


@dataclass
class Follower:
    """A follower in memory: polls, applies, loads snapshots, as a real one does with LMDB."""

    node: Node
    incarnation: str = field(default_factory=lambda: secrets.token_hex(16))
    replica: MemoryReplica = field(default_factory=MemoryReplica)
    meta: Meta = field(default_factory=Meta)
    page_records: int = 5_000
    #: Where the last answer ended inside a revision.
    after: str | None = None
    #: Where objects changed, and in which epoch.
    journal: dict[Place, tuple[int, Origin]] = field(default_factory=dict)

    @classmethod
    def create(cls) -> Follower:
        """Enrol a node and follow for it, from nothing."""
        return cls(enrol()[0])

    @property
    def actor(self) -> Actor:
        """The node as the API hands it on."""
        return Actor("node", self.node.id, self.node.name, "", credential=self.node.credential_id)

    def request(self, *, wait: float = 0.0, **given: Any) -> PollRequest:
        """Return the poll that this follower would send now."""
        applied = Applied(self.meta.epoch, self.meta.revision, self.meta.mark)
        return PollRequest(self.node.name, self.incarnation, applied, wait, **{"after": self.after, **given})

    def poll(self, *, wait: float = 0.0, **given: Any) -> PollAnswer:
        """Poll once and apply the answer, but load no snapshot."""
        answer = feed.poll(self.node, self.request(wait=wait, **given), self.actor)
        if answer.epoch == self.meta.epoch and not answer.snapshot:
            self.after = answer.next
            reached = answer.changes[-1].revision if answer.more else answer.head
            reached = self.meta.revision if answer.next else reached
            mark = self.meta.mark if answer.next else answer.mark
            self.meta = leased(Meta(epoch=answer.epoch, revision=reached, complete=True, mark=mark))
            self.replica.apply(answer.changes, self.meta)
            self._note(answer.epoch, answer.changes)
        return answer

    def _note(self, epoch: int, changes: list[Change]) -> None:
        for change in changes:
            place = (change.kind, change.key)
            if change.origin is not None and (change.origin.reduces or place not in self.journal):
                self.journal[place] = epoch, change.origin

    def hand_over(self, epoch: int, lines: int = 1_000) -> int:
        """Hand the journal over, page by page; return how much of it was not known."""
        rows = self.rows()
        noted = [Noted(*place, old, origin, rows.get(place)) for place, (old, origin) in self.journal.items()]
        applied = Applied(self.meta.epoch, self.meta.revision, self.meta.mark)
        unknown = 0
        for start in range(0, len(noted) + 1, lines):
            page, more = noted[start : start + lines], start + lines <= len(noted)
            sent = JournalPage(self.node.name, self.incarnation, epoch, applied, page, more, 10_000)
            unknown += journals.take(self.node, sent).unknown
        return unknown

    def load(self) -> None:
        """Load a snapshot from its first page to its last."""
        for _ in self.pages():
            pass

    def pages(self) -> Iterator[None]:
        """Load a snapshot, pausing after each page."""
        after: str | None = None
        self.after = None
        first, mark = 0, ""
        noted: list[Change] = []
        while True:
            page = feed.snapshot(after, limit=self.page_records)
            first, mark = first or page.head, mark or page.mark
            self.replica.replace_range(_place(after), _place(page.next), page.changes, Meta())
            noted += page.changes
            after = page.next
            if after is None:
                if page.epoch != self.meta.epoch:
                    self.journal = {}
                self._note(page.epoch, noted)
                self.meta = leased(Meta(epoch=page.epoch, revision=first, complete=True, mark=mark))
                self.replica.apply([], self.meta)
                return
            yield

    def catch_up(self) -> None:
        """Poll, loading a snapshot where told, until the head is reached, or the control plane recovers."""
        while True:
            answer = self.poll()
            if answer.journal:
                self.hand_over(answer.epoch)
            elif answer.recovering:
                return
            elif answer.snapshot:
                self.load()
            elif not answer.more:
                return

    def rows(self) -> Rows:
        """Return everything that this replica holds."""
        with self.replica.snapshot() as snapshot:
            return {(kind, key): value for kind in Kind for key, value in snapshot.items(kind)}


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    kind, _, key = text.partition("/")
    return Kind(kind), key


def truth() -> Rows:
    """Return what a replica must hold now: a fresh snapshot in one page."""
    page = feed.snapshot(None, limit=1_000_000)
    assert page.next is None
    return {(change.kind, change.key): change.value for change in page.changes if change.value is not None}


class Task(threading.Thread):
    """A thread with a database connection of its own, closed at its end; ``result`` re-raises its error."""

    def __init__(self, run: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._run = run
        self._value: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Run what was given."""
        try:
            self._value = self._run()
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()

    def result(self, seconds: float = 30.0) -> Any:
        """Wait for the end; return what was returned."""
        self.join(seconds)
        if self.is_alive():
            raise TimeoutError(f"not done within {seconds:g} s")
        if self._error is not None:
            raise self._error
        return self._value


@contextmanager
def hooked(
    module: Any,
    name: str,
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Call ``before`` and ``after`` around each call of ``module.name`` for a while."""
    original = getattr(module, name)

    def around(*given: Any, **named: Any) -> Any:
        if before is not None:
            before()
        found = original(*given, **named)
        if after is not None:
            after()
        return found

    setattr(module, name, around)
    try:
        yield
    finally:
        setattr(module, name, original)
