"""``Retinue-Identity`` as an application checks it, with an independent implementation of JOSE."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from retinue.decision import Caller
from retinue.node import identity
from tests.node.world import ORGANIZATION, Node

DAY = 86400


def _keys(node: Node) -> KeySet:
    return KeySet.import_key_set(node.get("/v1/identity-keys").json())


def _claims(node: Node, name: str = "reader") -> dict[str, Any]:
    header = node.forward_auth("report:read", name).fields["retinue-identity"]
    decoded = jwt.decode(header, _keys(node), algorithms=["EdDSA"])
    assert "retinue-identity+jwt" == decoded.header["typ"]
    return dict(decoded.claims)


def test_an_application_can_check_it(node: Node) -> None:
    """
    The signature verifies against the published keys, and the claims are the documented ones.
    """
    before = int(time.time())
    claims = _claims(node)
    token = node.world.tokens["reader"]

    assert {
        "iss": "retinue",
        "sub": "sa_reader",
        "name": "reader",
        "kind": "service_account",
        "org": ORGANIZATION,
        "cred": f"key_{token.kid}",
        "perm": "report:read",
    } == {name: value for name, value in claims.items() if name not in ("iat", "exp", "rev")}
    assert 0 < claims["rev"]
    assert before <= claims["iat"] <= time.time()
    assert 0 < claims["exp"] - claims["iat"] <= 60


def test_a_name_of_any_letters_stays_ascii(node: Node) -> None:
    """
    The header is ASCII whatever the account is called, and the name arrives whole.
    """
    header = node.forward_auth("report:read", "bäcker").fields["retinue-identity"]

    assert header.isascii()
    assert "bäcker" == _claims(node, "bäcker")["name"]


def test_a_changed_identity_is_refused(node: Node) -> None:
    """
    One changed character in the claims breaks the signature.
    """
    head, body, signature = node.forward_auth("report:read", "reader").fields["retinue-identity"].split(".")
    forged = f"{head}.{body[:-1]}{'A' if body[-1] != 'A' else 'B'}.{signature}"

    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(forged, _keys(node), algorithms=["EdDSA"])


def test_the_published_keys(node: Node) -> None:
    """
    The list holds our key and other nodes' current ones, not those that have ended; never a private part.
    """
    reply = node.get("/v1/identity-keys")
    keys = reply.json()["keys"]
    own = identity.load(node.world.replica)

    assert {own.kid, "other-node"} == {key["kid"] for key in keys}
    assert [{"kty", "crv", "kid", "x", "use", "alg"}] * 2 == [set(key) for key in keys]
    assert own.kid == next(key for key in _keys(node).keys if key.kid == own.kid).thumbprint()


def _caller() -> Caller:
    return Caller("service_account", "sa_x", "x", "org_x", "key_x", 1)


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    """
    The first start makes the key with mode 0600; the next one uses it.
    """
    made = identity.load_or_create(tmp_path)
    again = identity.load_or_create(tmp_path)
    mode = stat.S_IMODE((tmp_path / identity.FILE).stat().st_mode)

    assert (made.kid, 0o600) == (again.kid, mode)
    assert "PRIVATE" not in repr(made)


def test_the_key_is_replaced_after_thirty_days(tmp_path: Path) -> None:
    """
    An old key is replaced at the follower's start; its public half stays listed for one day.
    """
    old = identity.load_or_create(tmp_path)
    now = time.time()
    os.utime(tmp_path / identity.FILE, (now - 30 * DAY - 1,) * 2)
    new = identity.load_or_create(tmp_path, now)
    listed = identity.previous(tmp_path, int((now + DAY - 1) * 1000))

    assert new.kid != old.kid
    assert listed is not None
    assert (old.kid, old.x) == (listed.kid, listed.x)
    assert identity.previous(tmp_path, int((now + DAY + 1) * 1000)) is None
    assert b"PRIVATE" not in (tmp_path / identity.PREVIOUS_FILE).read_bytes()


def test_a_key_of_29_days_stays(tmp_path: Path) -> None:
    """
    The key is not replaced before its time.
    """
    old = identity.load_or_create(tmp_path)
    now = time.time()
    os.utime(tmp_path / identity.FILE, (now - 29 * DAY,) * 2)

    assert old.kid == identity.load_or_create(tmp_path, now).kid


@pytest.mark.parametrize("damage", ["open", "garbage", "other key", "missing"])
def test_an_unusable_key_is_refused(tmp_path: Path, damage: str) -> None:
    """
    A key that others can read, or that is none, is not used.
    """
    identity.load_or_create(tmp_path)
    path = tmp_path / identity.FILE
    if damage == "open":
        path.chmod(0o644)
    elif damage == "garbage":
        path.write_text("garbage")
    elif damage == "missing":
        path.unlink()
    else:
        from cryptography.hazmat.primitives import serialization as s
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        key = X25519PrivateKey.generate()
        path.write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))

    with pytest.raises(identity.IdentityError):
        identity.load(tmp_path)


def test_identities_differ_by_call(tmp_path: Path) -> None:
    """
    An identity is bound to its instant: an application can refuse an old one.
    """
    key = identity.load_or_create(tmp_path)

    assert key.identify(_caller(), None, "i", 1) != key.identify(_caller(), None, "i", 2)
    assert key.identify(_caller(), None, "i", 1) == key.identify(_caller(), None, "i", 1)
