"""One run of a command: its options, its client, and what it says to people."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import UNSET

from retinue.cli import output, profiles, settings
from retinue.cli.cells import Shape, clean
from retinue.cli.exits import CommandError, Exit, Shown
from retinue.cli.handover import Handover, TokenFormat
from retinue.cli.options import Options
from retinue.cli.progress import Progress, tell_interrupted
from retinue.cli.report import tell
from retinue.client.api import DRY_RUN, Client, address, sent_body
from retinue.client.errors import ClientError
from retinue.client.models import Page, Receipt, Settled
from retinue.client.operations import Operation
from retinue.client.transport import Exchange

if TYPE_CHECKING:
    from retinue.cli.store import SignIn

T = TypeVar("T")


class Session:
    """What a command works with. ``needs`` are the operations it may perform, its main one first.

    With ``--print-permission`` making a session prints their permissions and ends the command. With
    ``--print-curl`` the first :meth:`perform` or :meth:`pages` prints its call and ends it; lookups of names
    still happen, because the call needs the ids.
    """

    def __init__(self, options: Options, *needs: Operation[Any]) -> None:
        self.options = options
        self._client: Client | None = None
        self._receipts: list[str] = []
        self._has_tried = False
        profiles.choose(options.profile)
        self._organization = options.organization or settings.organization()
        if options.print_permission:
            for permission in dict.fromkeys(need.permission for need in needs if need.permission):
                print(permission)
            raise Shown

    @property
    def client(self) -> Client:
        """The client of the control plane, made on first use."""
        if self._client is None:
            url = settings.url()
            warn_of_clear_text(url)
            kept = None if settings.has_token_of_environment() else settings.sign_in()
            self._client = Client(
                url,
                settings.required_token(kept),
                self._organization,
                settings.timeout(),
                settings.ca_file(),
                self._watch if self.options.verbose else None,
            )
            self._look_after(kept)
        return self._client

    def _look_after(self, kept: SignIn | None) -> None:
        """Do what a sign-in that is kept needs; a run without one loads nothing for it."""
        if kept is None and not profiles.keeps_sign_ins():
            return
        from retinue.cli import upkeep

        if kept is None:
            upkeep.note_override(self.options.quiet)
        elif self._client is not None:
            may_change = not self.options.print_curl
            upkeep.look_after(self._client, kept, may_change=may_change, quiet=self.options.quiet)

    @property
    def is_try(self) -> bool:
        """Whether the server is asked to change nothing and say what it would answer."""
        return bool(getattr(self.options, "dry_run", False))

    def handover(self, out: str | None, form: TokenFormat = "raw") -> Handover:
        """Return the place for a new token; a dry run has none to hand over."""
        return Handover(out, form, nothing=self.is_try)

    def look(self, operation: Operation[T], path: Mapping[str, str] | None = None, **query: Any) -> T:
        """Read something on the way to what the command does."""
        return self.client.call(operation, path, query)

    def look_all(
        self, operation: Operation[Page[T]], path: Mapping[str, str] | None = None, **query: Any
    ) -> list[T]:
        """Read a whole list on the way to what the command does."""
        return [item for page in self.client.pages(operation, path, query) for item in page.items]

    def ask(self, operation: Operation[T], body: Mapping[str, Any]) -> T:
        """Ask something that takes a body, on the way to what the command does."""
        return self.client.call(operation, None, None, body)

    def perform(
        self,
        operation: Operation[T],
        path: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> T:
        """Do what the command is for, and send the reason that was given for it."""
        reason = getattr(self.options, "reason", None)
        if reason is not None and operation.method == "DELETE":
            query = {"reason": reason, **(query or {})}
        elif reason is not None:
            body = {operation.reason: reason, **(body or {})}
        if self.is_try and operation.in_earnest:
            raise CommandError("this has no dry run", "leave --dry-run out; nothing was done", Exit.USAGE)
        if self.options.print_curl:
            self.show_curl(operation, path, query, body)
            raise Shown
        answer = self.client.call(operation, path, query, body, dry_run=self.is_try)
        if self.is_try and not self._has_tried:
            self._has_tried = True
            self.say("nothing is changed; this is what would be")
        receipt = getattr(answer, "receipt", UNSET)
        if isinstance(receipt, Receipt):
            self._receipts.append(in_words(receipt))
        return answer

    def pages(
        self,
        operation: Operation[Page[T]],
        path: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> Iterator[Page[T]]:
        """Read the list that the command is for."""
        if limit is not None and limit < 1:
            raise CommandError(f"--limit {limit}: less than 1", "leave it out for everything", Exit.USAGE)
        if self.options.print_curl:
            self.show_curl(operation, path, {**(query or {}), "limit": min(limit or 200, 200)}, None)
            raise Shown
        return self._shown(self.client.pages(operation, path, query, limit))

    def _shown(self, pages: Iterator[Page[T]]) -> Iterator[Page[T]]:
        """Say how many were read, where the data itself is not what moves on the terminal."""
        streams = output.form(self.options) not in ("json", "yaml", "table") and sys.stdout.isatty()
        with Progress("read", quiet=self.options.quiet or streams) as progress:
            for page in pages:
                progress.step(len(page.items))
                yield page

    def show_curl(
        self,
        operation: Operation[Any],
        path: Mapping[str, str] | None,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> None:
        """Print the call as a curl command; the token reaches curl by a pipe, never by an argument."""
        from retinue.client.transport import query_text

        source = '"$RETINUE_TOKEN"'
        if os.environ.get("RETINUE_TOKEN_FILE"):
            source = '"$(cat "$RETINUE_TOKEN_FILE")"'
        url = settings.url().rstrip("/") + address(operation, path) + query_text(query)
        parts = ["curl -sS -H @-", f"-X {operation.method}"]
        if self._organization:
            parts.append("-H " + shlex.quote(f"Retinue-Organization: {self._organization}"))
        if self.is_try:
            parts.append(f"-H '{DRY_RUN}: true'")
        sent = sent_body(operation, body)
        if sent is not None:
            import json

            parts.append("-H 'Content-Type: application/json' --data " + shlex.quote(json.dumps(sent)))
        parts.append(shlex.quote(url))
        print(f"printf 'Authorization: Bearer %s\\n' {source} | {' '.join(parts)}")

    def say(self, text: str) -> None:
        """Tell a person something, unless asked to be quiet; then where the change holds that it tells of."""
        if not self.options.quiet:
            for line in (f"dry run: {text}" if self.is_try else text, *self._receipts):
                print(clean(line), file=sys.stderr)
        self._receipts.clear()

    def next(self, command: str) -> None:
        """Tell a person what to do next, in one line; after a dry run there is nothing."""
        if not self.is_try:
            self.say(f"next: {command}")

    def show_change(self, items: list[T], shape: Shape[T], many: bool = False) -> None:
        """Print what a change resulted in; on a terminal the line of talk is enough unless -o is given."""
        if output.form(self.options) == "table" and self.options.output is None:
            return
        if many:
            output.show_list([Page(items)], shape, self.options)
        else:
            output.show_one(items[0], shape, self.options)

    def _watch(self, exchange: Exchange) -> None:
        outcome = str(exchange.status) if exchange.status else "no answer"
        print(
            f"{exchange.method} {exchange.url} {outcome} {exchange.seconds * 1000:.0f} ms"
            + (f" {exchange.request_id}" if exchange.request_id else ""),
            file=sys.stderr,
        )


def in_words(receipt: Receipt) -> str:
    """Say where a change holds, and which nodes were waited for until their lease ended."""
    open_ones = [_with_behind(each) for each in receipt.nodes if each.how == "waiting"]
    if not receipt.complete:
        return (
            f"committed, not yet promised for {', '.join(open_ones) or 'all nodes'} "
            f"(at most {receipt.bound}; receipt {receipt.id})"
        )
    if not receipt.nodes:
        return "holds: no node was deciding"
    waited = max(each.waited_ms or 0.0 for each in receipt.nodes)
    text = f"holds on {len(receipt.nodes)} of {len(receipt.nodes)} nodes, {waited:.0f} ms"
    ended = sorted({_with_behind(each) for each in receipt.nodes if each.how == "lease_ended"})
    return f"{text}; not reached, its lease has ended: {', '.join(ended)}" if ended else text


def _with_behind(settled: Settled) -> str:
    """Name a node, and of a relay those that follow it and were behind."""
    return f"{settled.node} (behind it: {', '.join(settled.behind)})" if settled.behind else settled.node


def each(names: Iterable[str], act: Callable[[str], T]) -> tuple[list[T], int]:
    """Do ``act`` for each name; print each failure and go on.

    Returns the results and the exit code: that of the failure for a single name, 8 among several.
    """
    given = list(names)
    done: list[T] = []
    code = Exit.DONE
    for place, name in enumerate(given):
        try:
            done.append(act(name))
        except KeyboardInterrupt:
            if len(given) > 1:
                tell_interrupted(place, len(given))
            raise
        except (CommandError, ClientError) as error:
            if len(given) == 1:
                raise
            tell(error, name)
            code = Exit.PARTLY
    return done, code


def warn_of_clear_text(url: str) -> None:
    """Warn of an address over which a token can be read on the way."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and not (host in ("localhost", "::1") or host.startswith("127.")):
        print(
            f"warning: {url} is not encrypted; the token can be read on the way (use https)", file=sys.stderr
        )
