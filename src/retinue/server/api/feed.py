"""What nodes call, with their node credential: the feed that they follow, and the log that they ship."""

from __future__ import annotations

import msgspec
from ninja import Schema
from pydantic import Field

from retinue.server.api import admitted
from retinue.server.api.claiming import claim
from retinue.server.api.operations import Access, Call, operation
from retinue.server.nodes import feed, presence
from retinue.server.nodes.feed import PollAnswer, PollRequest, SnapshotPage
from retinue.server.nodes.journals import JournalPage, JournalTaken, take
from retinue.server.nodes.presence import Announcement
from retinue.server.traffic.actions import Entry, ingest

TAG = "feed"


class SnapshotPlace(Schema):
    """Where a snapshot goes on."""

    after: str | None = Field(None, description="`next` of the page before.")
    relay: bool = Field(False, description="With the nodes and their credentials: for a relay.")


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of the request log; ``first`` is the sequence number of its first record."""

    node: str
    spool: str
    first: int
    records: list[Entry]


class Shipped(msgspec.Struct, frozen=True):
    """The sequence number that is expected next from this spool."""

    next: int


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token that was presented to a node."""

    token: str


class Claimed(msgspec.Struct, frozen=True):
    """Whether it is the token of a key; the key's record is on its way then."""

    genuine: bool


class Announced(msgspec.Struct, frozen=True):
    """The node that was heard."""

    node: str


@operation("POST", "/feed/poll", permission=Access.NODE, response=PollAnswer, tag=TAG, changes=False)
def poll_feed(call: Call, body: PollRequest) -> PollAnswer:
    """Acknowledge what is applied and fetch what has changed; held while there is nothing new."""
    answer = feed.poll(call.own_node, body, call.actor)
    admitted.remember(call, body)
    return msgspec.structs.replace(answer, renew=feed.should_renew(call.own_node, call.caller))


@operation("GET", "/feed/snapshot", permission=Access.NODE, response=SnapshotPage, tag=TAG)
def get_snapshot(call: Call, query: SnapshotPlace) -> SnapshotPage:
    """Fetch a page of all records, in key order."""
    presence.check_relay(call.own_node, query.relay)
    return feed.snapshot(query.after, relay=query.relay)


@operation("POST", "/feed/announce", permission=Access.NODE, response=Announced, tag=TAG, changes=False)
def announce_node(call: Call, body: Announcement) -> Announced:
    """Tell the control plane how a node is, and if it follows a relay its key; relays pass the call on."""
    presence.announce(call.own_node, body, call.actor)
    return Announced(call.own_node.name)


@operation("POST", "/feed/claim", permission=Access.NODE, response=Claimed, tag=TAG, changes=False)
def claim_token(call: Call, body: Claim) -> Claimed:
    """Try the first token that was presented for an imported key of which only a slow hash is known."""
    return Claimed(claim(body.token, call.actor))


@operation("POST", "/feed/journal", permission=Access.NODE, response=JournalTaken, tag=TAG, changes=False)
def take_journal(call: Call, body: JournalPage) -> JournalTaken:
    """Hand over a page of a node's journal, after the history came into doubt. Any page may come twice."""
    presence.check_name(call.own_node, body.node)
    return take(call.own_node, body)


@operation("POST", "/feed/requests", permission=Access.NODE, response=Shipped, tag=TAG, changes=False)
def ship_requests(call: Call, body: Batch) -> Shipped:
    """Store a batch of decisions, exactly once."""
    presence.check_name(call.own_node, body.node)
    return Shipped(ingest(call.own_node.name, body.spool, body.first, body.records))
