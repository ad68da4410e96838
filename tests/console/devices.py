"""What people sign in with beside a password: an app for codes, and a passkey, each as a device has it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

from tests.console.browser import Browser

_SECRET = re.compile(r'<textarea id="secret"[^>]*>([^<]+)<')
_CODES = re.compile(r'<textarea id="codes"[^>]*>([^<]+)<')
_OPTIONS = re.compile(r'data-options="([^"]+)"')


def code(secret: str, step: int = 0) -> str:
    """Return what an app shows now, or so many steps of 30 seconds later."""
    return str(format_hotp_value(hotp_value(secret, int(auth.time.time()) // 30 + step)))


def secret_on(page: str) -> str:
    """Return the secret that the page for a new app shows."""
    found = _SECRET.search(page)
    assert found is not None
    return found[1].replace(" ", "")


def codes_on(page: Any) -> list[str]:
    """Return the recovery codes that a page shows, or none."""
    found = _CODES.search(page.content.decode())
    return [] if found is None else found[1].splitlines()


def set_up_app(browser: Browser) -> tuple[str, list[str]]:
    """Set up an app for who is signed in; returns its secret and the recovery codes."""
    token = browser.form_token("/me/security/app/")
    secret = secret_on(browser.get("/me/security/app/").content.decode())
    answer = browser.post("/me/security/app/", {"csrfmiddlewaretoken": token, "code": code(secret)})
    assert answer.status_code == 200, answer.status_code
    return secret, codes_on(answer)


def second_step(browser: Browser, **fields: str) -> Any:
    """Send the form of the second step."""
    return browser.post(
        "/login/second/", {"csrfmiddlewaretoken": browser.form_token("/login/second/"), **fields}
    )


def options_on(page: Any) -> dict[str, Any]:
    """Return what a page asks a passkey with."""
    found = _OPTIONS.search(page.content.decode())
    assert found is not None
    asked: dict[str, Any] = json.loads(html.unescape(found[1]))["publicKey"]
    return asked


@dataclass
class Passkey:
    """A passkey in software. ``origin`` is where its browser says that the page is."""

    origin: str
    verifies: bool = True
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    user: str = ""

    def make(self, asked: dict[str, Any]) -> str:
        """Answer to ``navigator.credentials.create``."""
        self.user = asked["user"]["id"]
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))  # type: ignore[no-untyped-call]
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(asked["rp"]["id"], 0x40) + attested
        response = {
            "clientDataJSON": _text(self._said("webauthn.create", asked["challenge"])),
            "attestationObject": _text(cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._sent(response, {"credProps": {"rk": True}})

    def use(self, asked: dict[str, Any]) -> str:
        """Answer to ``navigator.credentials.get``."""
        data = self._data(asked["rpId"], 0)
        said = self._said("webauthn.get", asked["challenge"])
        signed = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": _text(said),
            "authenticatorData": _text(data),
            "signature": _text(signed),
            "userHandle": self.user,
        }
        return self._sent(response, {})

    def _data(self, name: str, flags: int) -> bytes:
        flags |= 0x01 | (0x04 if self.verifies else 0)
        return hashlib.sha256(name.encode()).digest() + bytes([flags]) + bytes(4)

    def _said(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _sent(self, response: dict[str, str], results: dict[str, Any]) -> str:
        ident = _text(self.id)
        return json.dumps(
            {
                "id": ident,
                "rawId": ident,
                "type": "public-key",
                "response": response,
                "clientExtensionResults": results,
            }
        )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
