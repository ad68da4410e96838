"""Every list of the API: its address, and how rows come into it and leave it, with ties in its order."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model

from retinue.server.access import actions as access
from retinue.server.access.models import Grant
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory.queries import Principal
from retinue.server.ids import numbered_id
from retinue.server.ledger.guard import suspended_for_schema_changes
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions as nodes
from retinue.server.nodes.queries import Node
from retinue.server.traffic.actions import Entry, ingest
from retinue.server.traffic.models import Request
from tests.api.world import World

START = datetime(2026, 1, 2, tzinfo=UTC)
PATTERNS = [f"report:{action}" for action in ("read", "write", "export", "*")] + ["*:read", "*:write", "*:export", "user:*", "team:*", "group:*", "grant:*", "pat:*", "node:*"]  # fmt: skip


def moment(tie: int) -> datetime:
    """The instant that rows with this tie share."""
    return START + timedelta(days=tie)


def put_back(model: type[Model], ident: str, **fields: Any) -> None:
    """Give a row other sort values, as if it had been made at another time."""
    with suspended_for_schema_changes():
        model._default_manager.filter(pk=ident).update(**fields)


@dataclass
class Lists:
    """The lists of one organization. An account and a user own what belongs to one principal."""

    world: World

    def __post_init__(self) -> None:
        self.account = self.world.account("subject")
        self.number = 0

    def name(self) -> str:
        """A name that is nobody's yet."""
        self.number += 1
        return f"r{self.number}-{secrets.token_hex(4)}"

    # --- rows that come ------------------------------------------------------------------------------

    def add_account(self, tie: int) -> None:
        """A service account; name and time of making are shared."""
        made = self.world.account(self.name())
        put_back(Principal, made.id, name=f"tie {tie}", created_at=moment(tie))

    def add_user(self, tie: int) -> None:
        """A user; the name is shared."""
        self.world.user(f"tie {tie}")

    def add_key(self, tie: int) -> None:
        """A key of an account of its own (a limit holds for each); the time of issue is shared."""
        made, _ = self.world.key(self.world.account(self.name()))
        put_back(Credential, made.id, issued_at=moment(tie))

    def add_grant(self, tie: int) -> None:
        """A direct grant; its time is shared."""
        held = set(Grant.objects.filter(subject=self.account.id).values_list("permission", flat=True))
        free = next((each for each in PATTERNS if each not in held), None)
        if free is None:
            return
        with transaction(SYSTEM, reason="test") as tx:
            made = access.grant(tx, self.account, free, "a test")
        put_back(Grant, made.id, granted_at=moment(tie))

    def add_token(self, tie: int) -> None:
        """A personal access token of the owner; the time of issue is shared."""
        owner = self.world.owner.principal
        assert owner is not None
        with transaction(SYSTEM, reason="test") as tx:
            made = credentials.issue_personal_token(tx, owner, name=self.name(), days=90)
        put_back(Credential, made.credential.id, issued_at=moment(tie))

    def add_node(self, tie: int) -> None:
        """A node; names are never shared, but their beginnings are."""
        with transaction(SYSTEM, reason="test") as tx:
            nodes.enrol(tx, f"tie{tie}-{self.name()}")

    def add_events(self, tie: int) -> None:
        """Several events of one revision."""
        self.world.account(self.name(), permissions=("report:read", "report:write")[:tie])

    def add_request(self, tie: int) -> None:
        """A decision; its time is shared."""
        entry = Entry(
            at_ms=int(moment(tie).timestamp() * 1000), organization=self.world.organization.id, account=self.account.id,
            account_name="subject", account_kind="service_account", credential_id="key_000000000001", allowed=True,
            reason=None, permission="report:read", method="GET", path="/reports",
        )  # fmt: skip
        ingest("local", secrets.token_hex(8), 0, [entry])

    # --- rows that go --------------------------------------------------------------------------------

    def remove_account(self, ident: str) -> None:
        """Delete a service account."""
        with transaction(SYSTEM, reason="test") as tx:
            credentials.delete_account(tx, Principal.objects.get(id=ident))

    def remove_key(self, ident: str) -> None:
        """Revoke a key and delete it."""
        with transaction(SYSTEM, reason="test") as tx:
            key = credentials.revoke(tx, Credential.objects.get(id=ident))
            credentials.delete(tx, key)

    def remove_grant(self, ident: str) -> None:
        """Take a grant back."""
        with transaction(SYSTEM, reason="test") as tx:
            access.delete_grant(tx, self.account, ident)

    def remove_node(self, ident: str) -> None:
        """Remove a node."""
        with transaction(SYSTEM, reason="test") as tx:
            nodes.remove(tx, Node.objects.get(id=ident))

    def remove_request(self, ident: str) -> None:
        """Forget a decision, as the end of its retention does."""
        rows = Request.objects.filter(organization=self.world.organization.id).values_list("id", flat=True)
        Request.objects.filter(id__in=[row for row in rows if numbered_id("log", row) == ident]).delete()

    def remove_nothing(self, ident: str) -> None:
        """Rows of this list stay."""


@dataclass(frozen=True)
class List:
    """One list: its path, and its ways in and out."""

    path: Callable[[Lists], str]
    add: Callable[[Lists, int], None]
    remove: Callable[[Lists, str], None] = Lists.remove_nothing


def _accounts(sort: str) -> List:
    path = f"/v1/service-accounts?sort={sort}"
    return List(lambda _: path, Lists.add_account, Lists.remove_account)


#: Each list of the API under each of its orders.
LISTS = {
    "accounts by name": _accounts("name"),
    "accounts by name, backwards": _accounts("-name"),
    "accounts by age": _accounts("created_at"),
    "accounts by age, backwards": _accounts("-created_at"),
    "users": List(lambda _: "/v1/users?", Lists.add_user),
    "keys": List(lambda _: "/v1/keys?", Lists.add_key, Lists.remove_key),
    "grants": List(
        lambda on: f"/v1/service-accounts/{on.account.id}/grants?", Lists.add_grant, Lists.remove_grant
    ),
    "own tokens": List(lambda _: "/v1/me/tokens?", Lists.add_token),
    "nodes": List(lambda _: "/v1/nodes?", Lists.add_node, Lists.remove_node),
    "events": List(lambda _: "/v1/audit-events?", Lists.add_events),
    "requests": List(lambda _: "/v1/requests?", Lists.add_request, Lists.remove_request),
    "requests of an account": List(
        lambda on: f"/v1/service-accounts/{on.account.id}/requests?", Lists.add_request, Lists.remove_request
    ),
}
