"""Whether a token is genuine: its keyed digest is that of a record, compared in constant time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from hmac import compare_digest
from secrets import token_bytes
from typing import Any

from retinue.foreign import Finder, Unseal
from retinue.pepper import Peppers
from retinue.replica.reading import Snapshot
from retinue.replica.records import Credential

#: Stands where a credential has no second digest, or there is no credential: two are always compared.
NO_DIGEST = bytes(32)


class Tags:
    """Tags tokens under a key of this object, which nobody else knows, and knows them again by that.

    A token that was genuine is told from any other text by an equal tag, compared in constant time, as by
    its keyed digest; but one block is hashed instead of three. Tags stay in the process.
    """

    def __init__(self) -> None:
        key = token_bytes(32)
        begun: Any
        try:
            begun = hashlib.blake2b(key, digest_size=32)
        except (AttributeError, ValueError):  # a build that has only what is approved
            begun = hashlib.sha256(key)
        #: A hash that has taken the key, and takes a token next.
        self.begin: Callable[[], Any] = begun.copy

    def tag(self, whole: bytes) -> bytes:
        """Return the tag of a text."""
        tagging = self.begin()
        tagging.update(whole)
        tag: bytes = tagging.digest()
        return tag


class Digests:
    """Digests tokens by the peppers that are held, and compares them with records."""

    def __init__(self, peppers: Peppers, unseal: Unseal | None) -> None:
        self._peppers = peppers
        self._active_id = peppers.active.id
        #: The digest of a whole token by the active pepper.
        self.active = peppers.active.digest
        self.finder = Finder(peppers, self.is_genuine, unseal)

    def is_genuine(
        self,
        snapshot: Snapshot,
        whole: bytes,
        credential: Credential | None,
        now: int,
        presented: bytes = b"",
    ) -> bool:
        """Compare the token's digest with the record's.

        An unknown key id, a wrong secret, and a key with or without a previous digest cost the same: one
        digest by the active pepper, and two comparisons.
        """
        presented = presented or self.active(whole)
        genuine = False
        digests = () if credential is None else credential.digests
        for digest in digests:
            pepper_id = digest.pepper_id
            if digest.scheme:
                computed = self.finder.digest(snapshot, digest.scheme, pepper_id, whole)
            else:
                computed = presented if pepper_id == self._active_id else self._digest(pepper_id, whole)
            # What cannot be computed is empty, and proves nothing, whatever the record holds.
            if (
                compare_digest(computed, digest.value)
                and computed
                and (digest.valid_until_ms == 0 or now < digest.valid_until_ms)
            ):
                genuine = True
        if len(digests) < 2:
            compare_digest(presented, NO_DIGEST)
            if not digests:
                compare_digest(presented, NO_DIGEST)
        return genuine

    def is_own(self, credential: Credential, presented: bytes) -> bool:
        """Tell whether a token's digest by the active pepper is one of a record, without another system's."""
        return any(
            each.pepper_id == self._active_id and not each.scheme and compare_digest(presented, each.value)
            for each in credential.digests
        )

    def _digest(self, pepper_id: str, whole: bytes) -> bytes:
        """Digest with another pepper than the active one; nothing equals the answer if it is not held."""
        pepper = self._peppers.get(pepper_id)
        return b"" if pepper is None else pepper.digest(whole)
