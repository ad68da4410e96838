"""Finds the credential of a token that is no native one of this deployment's brands.

A token names its key id, or it is found by its keyed digest: our own, or the digest that another system made,
wrapped with the pepper, if tokens were imported. Which digests are tried depends on what is imported here,
never on the token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from retinue.formats import Other
from retinue.pepper import Pepper, Peppers, lookup_key
from retinue.replica.reading import Snapshot
from retinue.replica.records import Credential, ImportScheme, Organization

#: Algorithms of digests without a key; they are their own name in :attr:`Digest.scheme`.
KEYLESS: dict[str, Callable[[bytes], bytes]] = {
    "sha256": lambda whole: hashlib.sha256(whole).digest(),
    "sha512": lambda whole: hashlib.sha512(whole).digest(),
}
HMAC = "hmac-sha256"
#: Opens a sealed secret: pepper, secret, context (:func:`retinue.sealing.unseal`).
Unseal = Callable[[Pepper, bytes, str], bytes | None]
IsGenuine = Callable[[Snapshot, bytes, Credential | None, int], bool]


def public_key(pepper: Pepper, scheme: str, public: bytes) -> str:
    """Return the key of the lookup record for the public part of a token whose slow hash was imported."""
    return lookup_key(pepper.wrap(f"public {scheme}", public))


class Found(NamedTuple):
    """A credential and whether the presented token is its own."""

    credential: Credential | None
    genuine: bool
    #: The key id whose token it may be: only a slow hash of that is known, by the control plane.
    claim: str = ""


class Finder:
    """Finds credentials. ``is_genuine`` compares a whole token with a credential's digests.

    Without ``unseal`` no token is found that another system digested with a key.
    """

    def __init__(self, peppers: Peppers, is_genuine: IsGenuine, unseal: Unseal | None) -> None:
        self._peppers = [pepper for each in peppers.ids if (pepper := peppers.get(each)) is not None]
        self._held = peppers
        self._is_genuine = is_genuine
        self._unseal = unseal
        self._key = lru_cache(maxsize=64)(self._opened)

    def find(self, snapshot: Snapshot, other: Other, protected: Organization | None, now: int) -> Found:
        """Return the credential of a token. Without one, one digest is computed all the same."""
        if other.kid:
            credential = snapshot.credential(other.kid)
            if credential is not None and other.kind and credential.kind != other.kind:
                credential = None
            genuine = self._is_genuine(snapshot, other.whole, credential, now)
            if genuine:
                return Found(credential, genuine)
        for key in self._keys(snapshot, other, protected):
            kid = snapshot.lookup(key)
            credential = None if kid is None else snapshot.credential(kid)
            if credential is not None and self._is_genuine(snapshot, other.whole, credential, now):
                return Found(credential, True)
        return Found(None, False, self._claim(snapshot, other, protected))

    def _may_be_proven(self, snapshot: Snapshot, other: Other) -> bool:
        """Tell whether our own digest may have taken the place of a slow hash of the token."""
        schemes = snapshot.import_schemes()
        return any(each.public and other.whole.startswith(each.prefix.encode()) for each in schemes)

    def _claim(self, snapshot: Snapshot, other: Other, protected: Organization | None) -> str:
        """Return the key id of a key without a digest that the public part of the token finds."""
        for scheme in snapshot.import_schemes():
            if not 0 < scheme.public < len(other.whole):
                continue
            if protected is not None and scheme.organization != protected.id:
                continue
            if not other.whole.startswith(scheme.prefix.encode()):
                continue
            for pepper in self._peppers:
                kid = snapshot.lookup(public_key(pepper, scheme.id, other.whole[: scheme.public]))
                credential = None if kid is None else snapshot.credential(kid)
                if kid is not None and credential is not None and not credential.digests:
                    return kid if credential.state == "active" else ""
        return ""

    def digest(self, snapshot: Snapshot, scheme: str, pepper_id: str, whole: bytes) -> bytes:
        """Return a whole token's digest by another system's scheme, wrapped; nothing equals ``b""``."""
        pepper = self._held.get(pepper_id)
        made = None if pepper is None else self._made(snapshot, scheme, whole)
        return b"" if pepper is None or made is None else pepper.wrap(scheme, made)

    def _keys(self, snapshot: Snapshot, other: Other, protected: Organization | None) -> Iterator[str]:
        """Yield the keys under which the token may be found, in an order that does not depend on it."""
        if other.ours or self._may_be_proven(snapshot, other):
            for pepper in self._peppers:
                yield lookup_key(pepper.digest(other.whole))
        tried = set()
        for scheme in snapshot.import_schemes():
            if protected is not None and scheme.organization != protected.id:
                continue
            name = scheme.algorithm if scheme.algorithm in KEYLESS else scheme.id
            if name in tried or not other.whole.startswith(scheme.prefix.encode()):
                continue
            tried.add(name)
            made = self._made(snapshot, name, other.whole)
            if made is not None:
                for pepper in self._peppers:
                    yield lookup_key(pepper.wrap(name, made))

    def _made(self, snapshot: Snapshot, scheme: str, whole: bytes) -> bytes | None:
        """Digest as another system did."""
        keyless = KEYLESS.get(scheme)
        if keyless is not None:
            return keyless(whole)
        for each in snapshot.import_schemes():
            if each.id == scheme and each.algorithm == HMAC:
                key = self._key(each)
                return None if key is None else hmac.digest(key, whole, "sha256")
        return None

    def _opened(self, scheme: ImportScheme) -> bytes | None:
        """Open the key of another system; ``None`` if the pepper that it is sealed under is not held."""
        pepper = self._held.get(scheme.pepper_id)
        if pepper is None or self._unseal is None:
            return None
        return self._unseal(pepper, scheme.sealed, scheme.id)


def may_be_foreign(snapshot: Snapshot, other: Other | None, loaded: bool) -> bool:
    """Tell whether a text that is no native token of ours may be one all the same."""
    return other is not None and (other.ours or (loaded and bool(snapshot.import_schemes())))
