"""Headers that a node has signed, and the list of its keys, for tests of applications behind a gateway."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from retinue.guard import Denied
from retinue.guard.identity import Identities
from retinue.node.identity import Claims, IdentityKey, load_or_create

NEED = "report:read"


def claims(**changed: Any) -> Claims:
    """Return what a node says of a caller."""
    now = int(time.time())
    told = {
        "iss": "retinue", "sub": "sa_etl", "name": "etl", "kind": "service_account", "org": "org_acme", "cred": "key_x",
        "perm": NEED, "rev": 7, "iat": now, "exp": now + 60,
    }  # fmt: skip
    return Claims(**{**told, **changed})


def signed(key: IdentityKey, **changed: Any) -> str:
    """Return a header with claims, signed by a node."""
    return key.sign(claims(**changed)).decode()


def jwks(*keys: IdentityKey) -> bytes:
    """Return the list of these keys, and one of another kind."""
    listed = [{"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "x": key.x, "alg": "EdDSA"} for key in keys]
    return json.dumps({"keys": [*listed, {"kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB"}]}).encode()


def refusal(identities: Identities, header: str | None, need: str | None = NEED) -> str:
    """Return why a header is refused."""
    with pytest.raises(Denied) as denied:
        identities.caller(header, need)
    return denied.value.reason


@pytest.fixture
def key(tmp_path: Path) -> IdentityKey:
    """The key of a node."""
    return load_or_create(tmp_path / "node")


@pytest.fixture
def identities(key: IdentityKey, tmp_path: Path) -> Identities:
    """An application that has the list of keys in a file."""
    (tmp_path / "keys.json").write_bytes(jwks(key))
    return Identities(tmp_path / "keys.json")
