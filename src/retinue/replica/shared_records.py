"""What the verifications of one committed state of a replica in LMDB share."""

from __future__ import annotations

import msgspec

from retinue.replica import records
from retinue.replica.holding import Gives
from retinue.replica.numbers import Watched
from retinue.replica.records import Meta

#: Most organizations, holders and permissions that a process keeps decoded, each.
MAX_COMMON = 4096
#: Most ids in the lists of holders that it keeps together.
MAX_LISTED = 32_768

decode_meta = msgspec.msgpack.Decoder(Meta).decode


class Common:
    """What many verifications of one snapshot read: decoded once for this snapshot, and for no other.

    ``number`` is LMDB's transaction number, the name of one committed state of the whole file. Each
    verification compares it first, so nothing here outlives the state that it was read from. A commit that
    fails half way takes its number back, and the next one has it again; but a reader learns the number from
    the lock file, where it is written last, so it never saw that one. Only what exists is kept, so a
    stranger's inventions fill nothing.

    A state of the same ``edition`` as the one before differs from it by a renewal of the lease alone: meta is
    read anew, and the records are the same. ``words`` tells whether this is still the present state: if so,
    ``word`` stands at ``place``.
    """

    __slots__ = (
        "edition", "given", "holders", "import_schemes", "listed", "lists", "longest_lease_ms", "meta",
        "number", "organizations", "permissions", "place", "schemes", "word", "words",
    )  # fmt: skip

    def __init__(
        self, number: int, written: bytes | None, file: str, watched: Watched, before: Common | None = None
    ) -> None:
        self.number = number
        self.words, self.place, self.word = watched
        meta = Meta() if written is None else decode_meta(written)
        # A copy has no lease: whoever acknowledges for the original does not do it for this file.
        fresh_from_ns = meta.fresh_from_ns if meta.place == file else 0
        self.edition = meta.edition
        self.meta = msgspec.structs.replace(meta, place="", edition=b"", fresh_from_ns=fresh_from_ns)
        self.longest_lease_ms: int | None = None
        self.import_schemes: tuple[records.ImportScheme, ...] | None = None
        self.schemes: tuple[str, ...] | None = None
        self.organizations: dict[str, records.Organization] = {}
        self.holders: dict[str, records.Holder] = {}
        self.permissions: dict[str, int] = {}
        #: Lists of holders by what they are in a record, what those give, and how many ids that holds.
        self.lists: dict[bytes, tuple[str, ...]] = {}
        self.given: dict[tuple[str, ...], Gives] = {}
        self.listed = 0
        if before is not None and self.is_edition(before.edition):
            self.organizations, self.holders = before.organizations, before.holders
            self.permissions = before.permissions
            self.lists, self.given, self.listed = before.lists, before.given, before.listed

    def is_edition(self, edition: bytes) -> bool:
        """Tell whether the records are those of ``edition``; of none nothing is known."""
        return bool(edition) and edition == self.edition

    def make_room(self, count: int) -> None:
        """Count so many more ids in lists; let go of all of them when it is too much."""
        self.listed += count + 1
        if self.listed > MAX_LISTED:
            self.lists.clear()
            self.given.clear()
            self.listed = count + 1
