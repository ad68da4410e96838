"""Keys of another system are brought along by the digests that it kept of them; the tokens stay in use.

A digest is wrapped with the pepper before it is written, so no plain digest is ever at rest here. The key of
the other system, where it had one, is sealed under the pepper.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retinue.formats import Format
from retinue.replica.records import Kind as RecordKind
from retinue.sealing import seal, unseal
from retinue.server.credentials import issuing, proving, slow
from retinue.server.credentials.models import Credential, ImportScheme
from retinue.server.credentials.writing import Issued, Secret, peppers
from retinue.server.directory.queries import Organization, Principal
from retinue.server.directory.rules import check_name
from retinue.server.errors import Refused
from retinue.server.ids import new_id
from retinue.server.ledger.transaction import Transaction
from retinue.token import draw_kid

#: Bytes of a digest, by how it was made.
ALGORITHMS = {"sha256": 32, "sha512": 64, "hmac-sha256": 32}
#: Each makes every refusal of an unknown text dearer, on every node.
MOST_SCHEMES, MOST_KEYED_IN_ALL = 4, 64
_KEY_BYTES = range(16, 1025)
_PUBLIC = range(4, 65)
_PREFIX = re.compile(r"[!-~]{0,64}", re.ASCII)
_LAST = re.compile(r"[!-~]{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Imported:
    """A key of another system. ``digest`` is hexadecimal or base64; ``last`` what lists may show of it."""

    name: str
    digest: str
    last: str = ""
    expires: str | None = None
    restrictions: Mapping[str, Any] | None = None
    #: Of a slow hash: the part of the token that finds it.
    public: str = ""


def scheme(
    tx: Transaction,
    organization_id: str,
    *,
    name: str,
    algorithm: str,
    prefix: str = "",
    key: str | None = None,
    public: int = 0,
) -> ImportScheme:
    """Return the scheme of this name, made if there is none yet.

    ``algorithm`` is one of :data:`ALGORITHMS`, ``key`` the other system's in base64. Refuses one that differs
    from what the name stands for, and one scheme too many.
    """
    name = check_name(name, "scheme.name", most=64)
    if algorithm not in (*ALGORITHMS, *slow.ALGORITHMS):
        known = ", ".join((*ALGORITHMS, *slow.ALGORITHMS))
        raise Refused("invalid_value", f"one of {known}", field="scheme.algorithm")
    _check_public(algorithm, prefix, public)
    if not _PREFIX.fullmatch(prefix):
        raise Refused("invalid_value", "at most 64 visible ASCII characters", field="scheme.prefix")
    secret = _key(algorithm, key)
    present = ImportScheme.objects.filter(organization_id=organization_id, name=name).first()
    if present is not None:
        _check_same(present, algorithm, prefix, secret, public)
        return present
    _check_room(organization_id)
    made = ImportScheme(
        id=new_id("ims"),
        organization_id=organization_id,
        name=name,
        algorithm=algorithm,
        prefix=prefix,
        public=public,
        created_at=tx.now,
        created_by=tx.actor.id,
    )
    if secret is not None:
        made.pepper_id, made.sealed = peppers().active.id, seal(peppers().active, secret, made.id)
    made.save(force_insert=True)
    after = {"name": name, "algorithm": algorithm, "prefix": prefix}
    tx.record("import_scheme.created", made.id, name=name, organization=organization_id, after=after)
    tx.touch(RecordKind.IMPORT_SCHEME, made.id)
    return made


def _key(algorithm: str, text: str | None) -> bytes | None:
    if algorithm != "hmac-sha256":
        if text is not None:
            raise Refused("invalid_value", f"{algorithm} has no key", field="scheme.key")
        return None
    try:
        key = b64decode(text or "", validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise Refused("invalid_value", "16 to 1024 bytes in base64", field="scheme.key")
    return key


def _check_public(algorithm: str, prefix: str, public: int) -> None:
    """A slow hash cannot be searched for: something public in the token must find the one to try."""
    if algorithm not in slow.ALGORITHMS:
        if public:
            raise Refused("invalid_value", f"{algorithm} needs no public part", field="scheme.public")
    elif public not in _PUBLIC or public <= len(prefix):
        rule = f"{_PUBLIC[0]} to {_PUBLIC[-1]} characters at the beginning of a token, more than its prefix"
        raise Refused("invalid_value", rule, field="scheme.public")


def _check_same(
    present: ImportScheme, algorithm: str, prefix: str, secret: bytes | None, public: int
) -> None:
    """A name stands for one way to digest: with another key its tokens would end without a word."""
    same = (present.algorithm, present.prefix, present.public) == (algorithm, prefix, public)
    if same and secret is not None:
        pepper = peppers().get(present.pepper_id)
        same = pepper is not None and unseal(pepper, bytes(present.sealed), present.id) == secret
    if not same:
        raise Refused(
            "state_conflict",
            f"{present.name} is another scheme already; give this one a name",
            field="scheme.name",
        )


def _check_room(organization_id: str) -> None:
    """Refuse one scheme too many, with all rows of organizations locked: one import at a time makes one."""
    list(Organization.objects.select_for_update(no_key=True).order_by("id").values_list("id", flat=True))
    own = ImportScheme.objects.filter(organization_id=organization_id).count()
    keyed = ImportScheme.objects.filter(algorithm="hmac-sha256").count()
    if own >= MOST_SCHEMES or keyed >= MOST_KEYED_IN_ALL:
        raise Refused(
            "state_conflict",
            f"at most {MOST_SCHEMES} import schemes here, {MOST_KEYED_IN_ALL} with a key in the installation",
            field="scheme.name",
        )


def import_key(tx: Transaction, account: Principal, by: ImportScheme, item: Imported) -> Issued | None:
    """Make the key of a service account whose token is known by its digest alone; ``None`` if it is there.

    Refuses what is no digest, a token that another credential has, and whatever is refused of a key that is
    issued.
    """
    if not _LAST.fullmatch(item.last):
        raise Refused("invalid_value", "at most 5 visible ASCII characters", field="last")
    if by.algorithm in slow.ALGORITHMS:
        return _import_slow(tx, account, by, item)
    if item.public:
        raise Refused("invalid_value", f"{by.algorithm} needs no public part", field="public")
    wrapped = wrap(by, item.digest)
    present = Credential.objects.filter(principal=account, digest=wrapped, scheme=label(by)).first()
    if present is not None and present.state != "deleted":
        return None
    secret = Secret(
        draw_kid(),
        by.prefix[:10],
        wrapped,
        peppers().active.id,
        scheme=label(by),
        format=Format.IMPORTED,
        last_characters=item.last,
    )
    return issuing.issue(
        tx, account, name=item.name, expires=item.expires, restrictions=item.restrictions, secret=secret
    )


def _import_slow(tx: Transaction, account: Principal, by: ImportScheme, item: Imported) -> Issued | None:
    """Make a key of which a slow hash is known. It has no digest before its token is first presented."""
    if len(item.public) != by.public or not _PREFIX.fullmatch(item.public):
        raise Refused("invalid_value", f"the first {by.public} characters of the token", field="public")
    if not item.public.startswith(by.prefix):
        raise Refused("invalid_value", f"begins with {by.prefix}", field="public")
    wrong = slow.mistake(by.algorithm, item.digest)
    if wrong is not None:
        raise Refused("invalid_value", wrong, field="digest")
    present = proving.known(by, item.public)
    if present is not None:
        if present.principal_id == account.id and present.state != "deleted":
            return None
        raise Refused("state_conflict", "another credential has this public part already", field="public")
    secret = Secret(
        draw_kid(), by.prefix[:10], b"", "", scheme=by.id, format=Format.IMPORTED, last_characters=item.last
    )
    issued = issuing.issue(
        tx, account, name=item.name, expires=item.expires, restrictions=item.restrictions, secret=secret
    )
    proving.keep(tx, issued.credential, by, item.public, item.digest)
    return issued


def label(by: ImportScheme) -> str:
    """Return what :attr:`Credential.scheme` calls this scheme: digests without a key are their own name."""
    return by.id if by.algorithm == "hmac-sha256" else by.algorithm


def wrap(by: ImportScheme, text: str) -> bytes:
    """Return a digest as it is kept. Refuses what is no digest of this length, in hexadecimal or base64."""
    size = ALGORITHMS[by.algorithm]
    try:
        made = bytes.fromhex(text) if len(text) == 2 * size else b64decode(text, validate=True)
    except ValueError:
        made = b""
    if len(made) != size:
        raise Refused("invalid_value", f"{size} bytes in hexadecimal or base64", field="digest")
    return peppers().active.wrap(label(by), made)
