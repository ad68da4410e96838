"""What the listener and the routes hand each other: a parsed request, and how it is answered."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

#: Most bytes of a body, where an operation says nothing else.
MAX_BODY_BYTES = 64 << 10
# The header fields that mean something here, as they are usually spelled, and the usual ones that do not.
_MEANINGFUL = (
    b"authorization", b"connection", b"content-length", b"expect", b"host", b"retinue-caller",
    b"transfer-encoding", b"user-agent", b"x-forwarded-for", b"x-forwarded-method", b"x-forwarded-uri",
)  # fmt: skip
_IGNORED = (b"accept", b"accept-encoding", b"accept-language", b"content-type", b"cookie", b"x-real-ip")
FIELDS = {
    spelled: name if name in _MEANINGFUL else b""
    for name in (*_MEANINGFUL, *_IGNORED)
    for spelled in (name, name.title(), name.upper())
}
_USUAL = dict(FIELDS)


def listen_for(names: Iterable[bytes]) -> None:
    """Hand on these header fields too from now on, and no others than the usual ones. Names in lower case.

    They hold credentials: a header block with one of them is never kept.
    """
    wanted = set(names)
    if wanted == _CREDENTIALS:
        return
    _CREDENTIALS.clear()
    _CREDENTIALS.update(wanted)
    FIELDS.clear()
    FIELDS.update(_USUAL)
    FIELDS.update({spelled: name for name in wanted for spelled in (name, name.title(), name.upper())})


_CREDENTIALS: set[bytes] = set()
# A second line would leave it open which one counts.
SINGLE_FIELDS = frozenset({b"host", b"content-length", b"expect", b"x-forwarded-method", b"x-forwarded-uri"})


class Request:
    """What has been parsed. ``fields`` holds the meaningful header fields by their lower-case names.

    ``target`` is the raw request target. Several lines of one field come joined by commas.
    """

    __slots__ = ("body", "fields", "head", "method", "peer", "target")

    def __init__(self, peer: str) -> None:
        self.peer = peer
        #: The header block, if its meaning was kept.
        self.head: Head | None = None
        self.method = b""
        self.target = b""
        self.fields: dict[bytes, bytes] = {}
        self.body = b""


Handler = Callable[[Request], bytes]
Guard = Callable[[Request], bytes | None]
Again = Callable[[bytes], bytes | None]


class Operation:
    """How a request is answered. A body is read only if ``reads_body``; ``guard`` may refuse before that.

    A body of more than ``most_bytes`` is refused.
    """

    __slots__ = ("guard", "handle", "most_bytes", "reads_body")

    def __init__(
        self,
        handle: Handler,
        *,
        reads_body: bool = False,
        guard: Guard | None = None,
        most_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.handle = handle
        self.reads_body = reads_body
        self.guard = guard
        self.most_bytes = most_bytes


class Head:
    """The meaning of a header block: what the parser made of these very bytes, and how it is answered.

    Clients on kept connections send the same header block again and again. Parsing is a function of the
    bytes, so its result is kept for some blocks, by their bytes. A block that carries a credential is not
    kept, nor one that says anything about the connection or that a guard has to look at.

    What answers may leave here how a request is answered that is as the last one: ``again`` takes all bytes
    of it and returns the answer, or ``None`` if it is another.
    """

    __slots__ = ("again", "block", "fields", "length", "method", "operation", "target")

    #: Longest block that is kept, and how many are.
    MAX_BYTES = 1024
    MAX_KEPT = 256
    _NEVER = frozenset({b"authorization", b"connection", b"expect", b"retinue-caller"})

    def __init__(self, request: Request, operation: Operation, length: int, block: bytes) -> None:
        self.again: Again | None = None
        self.block = block
        self.method = request.method
        self.target = request.target
        self.fields = request.fields
        self.operation = operation
        self.length = length  # bytes of the body

    @classmethod
    def may_keep(cls, block: bytes, fields: Mapping[bytes, bytes], operation: Operation) -> bool:
        """Tell whether this block's meaning may be kept."""
        return (
            len(block) <= cls.MAX_BYTES
            and operation.guard is None
            and cls._NEVER.isdisjoint(fields)
            and _CREDENTIALS.isdisjoint(fields)
        )


#: Stands where no header block came whose meaning is kept.
NO_HEAD = Head(Request(""), Operation(lambda _: b""), 0, b"")


class Application(Protocol):
    """What the listener needs to know about what it serves."""

    def find(self, request: Request) -> Operation:
        """Return the operation for a request's method and target; there always is one."""

    def refusal(self, code: str) -> bytes:
        """Return the answer to a request that the listener refuses."""

    def failure(self) -> bytes:
        """Return the answer to a request that could not be answered because of an error of ours."""

    def connection(self, change: int) -> None:
        """Note that a connection was opened (+1) or has ended (-1)."""


def has_unread(transport: asyncio.Transport) -> bool:
    """Tell whether the peer has sent something that was not read yet, if only that it ends."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Checked(Protocol):
    """A connection, as the sweep sees it."""

    def check(self, now: float) -> None:
        """End the connection if it has taken too long."""


class Listener:
    """The state that all connections of a worker share: the time, and whether the worker is going down."""

    __slots__ = ("application", "connections", "draining", "heads", "loop", "max_connections", "now")

    def __init__(
        self, application: Application, loop: asyncio.AbstractEventLoop, max_connections: int
    ) -> None:
        self.application = application
        self.loop = loop
        self.max_connections = max_connections
        self.connections: set[Checked] = set()
        self.draining = False
        self.heads: dict[bytes, Head] = {}
        self.now = loop.time()

    def forget(self) -> None:
        """Forget what header blocks mean: it may be something else from now on."""
        for head in self.heads.values():
            head.again = None
        self.heads.clear()

    def keep(self, block: bytes, head: Head) -> None:
        """Keep the meaning of a header block. What strangers can fill is emptied when it is full."""
        if len(self.heads) >= Head.MAX_KEPT:
            self.forget()
        self.heads[block] = head

    def sweep(self) -> None:
        """Note the time and end the connections that have taken too long."""
        self.now = self.loop.time()
        for connection in tuple(self.connections):
            connection.check(self.now)
