"""What tests of the API need: an organization, callers with permissions, and calls that return answers."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.test import Client

from retinue.server.access import actions as access
from retinue.server.credentials import actions as credentials
from retinue.server.credentials.queries import Credential
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Organization, Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.ledger.transaction import SYSTEM, transaction
from retinue.server.nodes import actions as nodes
from retinue.token import Token

JSON = dict[str, Any]
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """An answer of the API: status, headers by name, and the body."""

    status: int
    headers: dict[str, str]
    text: str

    @cached_property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.text)

    @property
    def body(self) -> bytes:
        """The body as it came."""
        return self.text.encode("utf-8", "surrogateescape")

    @property
    def code(self) -> str:
        """The code of a problem; empty for any other answer."""
        return str(self.json.get("code", "")) if self.text else ""

    @property
    def field(self) -> str | None:
        """The field that a problem names."""
        found: str | None = self.json.get("field")
        return found


class Caller:
    """Calls the API with one token, or with none."""

    def __init__(self, token: Token | None, principal: Principal | None = None) -> None:
        self.token = token
        self.principal = principal
        self._client = Client(raise_request_exception=False)

    @property
    def id(self) -> str:
        """Id of the principal that the token acts for."""
        assert self.principal is not None
        return self.principal.id

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        address: str = HOST,
    ) -> Answer:
        """Make one call, from ``address``. ``body`` is sent as JSON, ``raw`` as it is."""
        sent = {"host": HOST} | (headers or {})
        if self.token is not None and "authorization" not in sent:
            sent["authorization"] = f"Bearer {self.token.reveal()}"
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        kind = sent.pop("content-type", "application/json" if data else "")
        answer = self._client.generic(
            method, path, data, content_type=kind, headers=sent, REMOTE_ADDR=address
        )
        return Answer(
            answer.status_code,
            {k.lower(): v for k, v in answer.items()},
            answer.content.decode("utf-8", "surrogateescape"),
        )

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """GET ``path``."""
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        """POST ``body`` to ``path``."""
        return self.call("POST", path, {} if body is None else body, headers=headers)

    def patch(self, path: str, body: object, headers: dict[str, str] | None = None) -> Answer:
        """PATCH ``path`` with ``body``."""
        return self.call("PATCH", path, body, headers=headers)

    def delete(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """DELETE ``path``."""
        return self.call("DELETE", path, headers=headers)


STRANGER = Caller(None)


@dataclass(frozen=True)
class World:
    """An organization of a test's own, with its owner's calls."""

    organization: Organization
    owner: Caller

    @classmethod
    def create(cls, *, operator: bool = False) -> World:
        """Make an organization; its owner holds the permissions of the installation only as an ``operator``."""
        handle = f"org-{secrets.token_hex(6)}"
        with transaction(SYSTEM, reason="test") as tx:
            organization = directory.create_organization(tx, handle=handle, name=handle)
            access.set_up_organization(tx, organization)
            owner = directory.create_user(
                tx, organization.id, email=f"owner@{handle}.example", name="Olga Owner", is_operator=operator
            )
            access.assign_roles(tx, owner, ["owner"], "first owner")
            issued = credentials.issue_personal_token(tx, owner, name="test", days=90)
        return cls(organization, Caller(issued.token, owner))

    def account(
        self, name: str = "etl", *, permissions: tuple[str, ...] = (), roles: tuple[str, ...] = ()
    ) -> Principal:
        """Make a service account."""
        fields = AccountFields(name=name, purpose="a test", owners=(self.owner.id,))
        with transaction(SYSTEM, reason="test") as tx:
            return access.create_account(
                tx, self.organization.id, fields, roles=roles, permissions=permissions, justification="a test"
            )

    def key(self, account: Principal, name: str = "k1") -> tuple[Credential, Token]:
        """Issue a key of an account."""
        with transaction(SYSTEM, reason="test") as tx:
            issued = credentials.issue(tx, account, name=name)
        return issued.credential, issued.token

    def calls(self, account: Principal) -> Caller:
        """Issue a key of an account, and return its calls."""
        return Caller(self.key(account, f"k-{secrets.token_hex(4)}")[1], account)

    def caller(self, *permissions: str, name: str | None = None) -> Caller:
        """Make a service account that holds exactly ``permissions``, and return its calls."""
        account = self.account(name or f"caller-{secrets.token_hex(4)}", permissions=permissions)
        return Caller(self.key(account)[1], account)

    def user(self, name: str = "Uma User", *, operator: bool = False) -> tuple[Principal, Caller]:
        """Make a user with a personal access token and no permission."""
        email = f"{secrets.token_hex(4)}@{self.organization.handle}.example"
        with transaction(SYSTEM, reason="test") as tx:
            user = directory.create_user(
                tx, self.organization.id, email=email, name=name, is_operator=operator
            )
            issued = credentials.issue_personal_token(tx, user, name="test", days=90)
        return user, Caller(issued.token, user)

    def operator(self) -> Caller:
        """Make an operator of the installation, and return their calls."""
        return self.user("Olaf", operator=True)[1]

    def node(self) -> tuple[str, Caller]:
        """Enrol a node; returns its id and its calls."""
        with transaction(SYSTEM, reason="test") as tx:
            node, token = nodes.enrol(tx, f"node-{secrets.token_hex(6)}")
        return node.id, Caller(token)
