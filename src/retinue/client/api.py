"""Calls: an operation, its parameters, and the typed answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from retinue.client.errors import UnreadableAnswer
from retinue.client.models import Page, Secret
from retinue.client.operations import Operation
from retinue.client.transport import Exchange, Transport

T = TypeVar("T")
#: The header with which a change is tried only.
DRY_RUN = "Retinue-Dry-Run"
#: The largest page that the API gives.
PAGE_ITEMS_MAX = 200


class Client:
    """The control plane at ``url``, called with ``token`` and, for an operator, for ``organization``.

    Not for several threads at once: it keeps one connection. Raises what
    :meth:`~retinue.client.transport.Transport.send` raises, and ``UnreadableAnswer``.
    """

    def __init__(
        self,
        url: str,
        token: str,
        organization: str | None = None,
        timeout: float = 30.0,
        ca_file: str | None = None,
        watch: Callable[[Exchange], None] | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        if organization is not None:
            headers["Retinue-Organization"] = organization
        self._transport = Transport(url, headers, timeout, ca_file, watch)

    def call(
        self,
        operation: Operation[T],
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> T:
        """Perform ``operation`` and return its answer; body fields that are ``None`` are left out.

        ``dry_run`` lets the control plane try it only; then a token in the answer is empty.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())} if operation.creates and not dry_run else {}
        headers |= {DRY_RUN: "true"} if dry_run else {}
        answer = self._transport.send(
            operation.method, address(operation, path), query, sent_body(operation, body), headers
        )
        try:
            decoded: T = msgspec.json.decode(answer.body, type=operation.answer, dec_hook=_decode)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # The text of the error names a place and a type, never a value of the answer.
            raise UnreadableAnswer(f"{operation.method} {operation.path}: {error}") from None
        return decoded

    def pages(
        self,
        operation: Operation[Page[T]],
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> Iterator[Page[T]]:
        """Yield the pages of a list, in its order, until its end or until ``limit`` items."""
        cursor, left = None, limit
        while left is None or left > 0:
            size = PAGE_ITEMS_MAX if left is None else min(left, PAGE_ITEMS_MAX)
            page = self.call(operation, path, {**(query or {}), "limit": size, "cursor": cursor})
            yield page
            if page.next is None:
                return
            cursor = page.next
            left = None if left is None else left - len(page.items)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


def address(operation: Operation[Any], path: Mapping[str, str] | None) -> str:
    """Return the path of ``operation`` with its parameters filled in, percent-encoded."""
    return operation.path.format(**{name: quote(value, safe="") for name, value in (path or {}).items()})


def sent_body(operation: Operation[Any], body: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the body as it is sent: fields without a value left out; an empty object for a bare POST."""
    if body is None:
        return {} if operation.method == "POST" else None
    return {name: value for name, value in body.items() if value is not None}


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(kind)
