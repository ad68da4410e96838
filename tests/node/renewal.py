"""How a scripted control plane renews the credential of a node."""

from __future__ import annotations

from retinue.token import Kind as TokenKind
from retinue.token import mint


class Renewal:
    """The credential of one node, as the control plane keeps it: the present one, and the one before."""

    def __init__(self, token: str) -> None:
        self.present = token
        self.previous: str | None = None
        self.is_due = True
        self.issued = 0

    def accepts(self, token: str) -> bool:
        """Tell whether a token opens the feed."""
        return token in (self.present, self.previous)

    def polled(self, token: str) -> bool:
        """Note a poll with a token; tell whether that one should be renewed."""
        if token == self.present:
            self.previous = None
        return token == self.previous or self.is_due

    def renew(self, token: str) -> str:
        """Issue the next one; a lost one gets another secret."""
        if token == self.present:
            self.previous = token
        self.present, self.is_due = mint(TokenKind.NODE).reveal(), False
        self.issued += 1
        return self.present
