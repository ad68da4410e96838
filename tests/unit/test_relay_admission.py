"""Who may follow a relay: decided as the control plane does, whoever guesses beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue import pepper
from retinue.attempts import MOST_OF_NETWORK
from retinue.node.children import Children
from retinue.node.relay import Relay
from retinue.node.relay_admission import Admission, Refused, RelayRequest
from retinue.node.replica_writer import ReplicaWriter
from retinue.replica import records
from retinue.replica.records import Change, Kind, Meta
from retinue.token import Kind as TokenKind
from retinue.token import Token, mint
from retinue.verifier import Verifier
from tests.support.leases import leased

NEIGHBOUR = "203.0.113.9"


class Gate:
    """A relay's admission, and the token of a node that it knows."""

    def __init__(self, folder: Path) -> None:
        pepper.create(folder / "pepper")
        peppers = pepper.load(folder / "pepper")
        self.token = mint(TokenKind.NODE)
        self.source = ReplicaWriter(folder / "replica", Children(folder))
        self.source.open()
        digest = records.Digest(peppers.active.digest(self.token.as_bytes()), peppers.active.id)
        credential = records.Credential("cred", TokenKind.NODE.value, "org", "", "active", (digest,))
        organization = records.Organization("org", "o", "O", "enabled", ("bearer",))
        self.write(Kind.ORGANIZATION, "org", organization)
        self.write(Kind.CREDENTIAL, self.token.kid, credential)
        self.write(Kind.NODE, "cred", records.Node("nod", "n1", "enrolled"))
        self.admission = Admission(
            Relay(self.source, Children(folder)), Verifier(self.source, peppers), ("rtn",)
        )

    def write(self, kind: Kind, key: str, record: records.Record) -> None:
        """Write a record into the relay's replica, which has a lease."""
        change = Change(1, kind, key, records.encode(record))
        self.source._write([change], leased(Meta(epoch=1, revision=1, complete=True)))

    def ask(self, token: Token | None, peer: str = NEIGHBOUR) -> tuple[int, str]:
        """Ask with a token; return the status and code of the refusal, or 200 with the node's name."""
        request = RelayRequest(peer)
        if token is not None:
            request.fields = {b"authorization": b"Bearer " + token.reveal().encode()}
        try:
            self.admission.admit(request)
        except Refused as refused:
            return refused.problem.status, refused.problem.code
        return 200, request.asker.name


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """See :class:`Gate`."""
    (tmp_path / "replica").mkdir()
    return Gate(tmp_path)


def test_guesses_of_neighbours_keep_no_node_out(gate: Gate) -> None:
    """
    A network that guesses is refused unheard after so many guesses; a node in it goes on.
    """
    found = [gate.ask(mint(TokenKind.API_KEY)) for _ in range(MOST_OF_NETWORK + 1)]

    assert (401, "token_unknown") == found[0]
    assert (429, "rate_limited") == found[-1]
    assert (200, "n1") == gate.ask(gate.token)


def test_a_removed_node_is_told_so(gate: Gate) -> None:
    """
    Its genuine token says that it was removed, and nobody else learns of it.
    """
    gate.write(Kind.NODE, "cred", records.Node("nod", "n1", "removed"))

    assert (410, "node_removed") == gate.ask(gate.token)
    assert (401, "token_unknown") == gate.ask(mint(TokenKind.NODE))
    assert (401, "token_missing") == gate.ask(None)
