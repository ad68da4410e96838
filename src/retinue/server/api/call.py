"""One call of an operation: who calls, with what, and the open transaction of a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.http import HttpRequest
from django.utils import timezone

from retinue.decision import Caller, Decision, Quota
from retinue.server.access import queries as access
from retinue.server.access.rules import check_recent_sign_in
from retinue.server.directory.queries import Principal
from retinue.server.errors import Refused
from retinue.server.ledger.feed import Position
from retinue.server.ledger.transaction import Actor, Transaction
from retinue.server.nodes.queries import Node
from retinue.server.policies.queries import policy_of
from retinue.server.policies.remembering import Memory

#: The channel of browser sessions.
CONSOLE = "console"
ANONYMOUS = Actor(kind="anonymous", id="", name="", organization="")


@dataclass
class Call:
    """What a handler gets first. ``principal`` and ``node`` are the caller, whichever it is."""

    request: HttpRequest
    actor: Actor = ANONYMOUS
    caller: Caller | None = None
    principal: Principal | None = None
    node: Node | None = None
    #: The head of the read in which the caller was admitted by its token.
    admitted_at: Position | None = None
    #: The permissions that were decided then.
    admitted: frozenset[str] = frozenset()
    #: Decides once more about the token, as at the call's begin; ``None`` where there is none.
    decide: Callable[[], Decision] | None = None
    transaction: Transaction | None = None
    #: Why the change is made, as the caller says.
    reason: str = ""
    #: Set by a handler whose answer holds a token: the credential that it belongs to.
    credential: str = ""
    #: The permission that was decided, and how long that took in microseconds.
    permission: str | None = None
    decision_us: int = 0
    #: What the account may still ask of this API, if it has a limit.
    quota: Quota | None = None
    #: What was read for the decision and holds for the rest of the call, if it only reads.
    memory: Memory | None = None
    started: datetime = field(default_factory=timezone.now)

    @property
    def organization(self) -> str:
        """Id of the organization whose objects exist for this caller."""
        return self.actor.organization

    @property
    def now(self) -> datetime:
        """The instant of the call: that of its transaction, if it changes something."""
        return self.started if self.transaction is None else self.transaction.now

    @property
    def tx(self) -> Transaction:
        """The open ledger transaction. Only operations that change something have one."""
        if self.transaction is None:
            raise RuntimeError("this operation reads; it has no transaction")
        return self.transaction

    @property
    def own_principal(self) -> Principal:
        """The user or service account that calls."""
        if self.principal is None:
            raise RuntimeError("no principal may call this operation")
        return self.principal

    @property
    def own_node(self) -> Node:
        """The node that calls."""
        if self.node is None:
            raise RuntimeError("no node may call this operation")
        return self.node

    @cached_property
    def held(self) -> frozenset[str]:
        """The permissions that the caller effectively holds."""
        return frozenset() if self.principal is None else access.effective(self.principal)

    @property
    def relied(self) -> frozenset[str]:
        """The permissions that were looked for or at: what is done may rest on any of them."""
        read: frozenset[str] | None = self.__dict__.get("held")
        return self.admitted if read is None else read

    def forget(self) -> None:
        """Forget what was read and begun for the call, which begins anew."""
        self.__dict__.pop("held", None)
        self.admitted_at, self.transaction, self.credential = None, None, ""

    def need(self, *permissions: str) -> None:
        """Refuse unless the caller holds all of ``permissions``, and a person has signed in not long ago."""
        missing = tuple(name for name in permissions if name not in self.held)
        if missing:
            raise Refused("permission_missing", f"this needs {' and '.join(missing)}", required=missing)
        if self.actor.channel == CONSOLE:
            policy = policy_of(self.organization)
            check_recent_sign_in(permissions, self.actor.signed_in_at, self.now, policy)
