"""What many answers share: pages, receipts, references, secrets."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType, field

T = TypeVar("T")


class Page(Struct, Generic[T]):
    """One page of a list; ``next`` is the cursor of the following page."""

    items: list[T]
    next: str | None = None


class Settled(Struct, kw_only=True):
    """A node that a change was waited for on: it confirmed, its lease ended, or it is waited for."""

    node: str
    incarnation: str = ""
    how: str
    at: str | None = None
    waited_ms: float | None = None
    behind: list[str] = []


class Receipt(Struct, kw_only=True):
    """Where a change that took access away holds; ``state`` is ``pending`` or ``complete``."""

    id: str
    epoch: int
    revision: int
    change: str = ""
    subject: str = ""
    complete: bool
    state: str
    committed_at: str | None = None
    completed_at: str | None = None
    bound: str = ""
    nodes: list[Settled] = field(default_factory=list)


class PrincipalRef(Struct, kw_only=True):
    """A principal as other objects name it."""

    id: str
    kind: str = ""
    handle: str = ""
    name: str = ""
    #: Told where the API tells it, such as for the caller itself.
    email: str | UnsetType | None = UNSET


class Secret:
    """The token of a new credential. It does not print itself; :meth:`reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the token. Call it where it is handed to its holder, and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "<Secret>"

    __str__ = __repr__
