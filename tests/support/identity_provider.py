"""An OpenID Connect provider on loopback, small but real: discovery, keys, PKCE, codes that work once.

``python -m tests.support.identity_provider PORT`` serves it. Who signs in and what is wrong with the answer is
told to it by ``POST /next``, a JSON object: claims beside or instead of the right ones, and ``wrong``.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "retinue", "the secret of the client"


class Provider(ThreadingHTTPServer):
    """What it remembers."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.other = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}
        self.next: dict[str, Any] = {}
        self.asked: dict[str, str] = {}

    def description(self) -> dict[str, Any]:
        """The discovery document."""
        found: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        found.update(self.next.get("description", {}))
        return found

    def claims(self, nonce: str) -> dict[str, Any]:
        """What the ID token says."""
        now = int(time.time())
        right = {
            "iss": self.issuer,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "auth_time": now,
            "nonce": nonce,
            "email_verified": True,
        }
        told = right | self.next.get("claims", {})
        return {name: value for name, value in told.items() if value is not None}

    def id_token(self, nonce: str) -> str:
        """The ID token; signed as ``wrong`` has it."""
        wrong, claims = self.next.get("wrong"), self.claims(nonce)
        if wrong == "alg_none":
            head = _text(json.dumps({"alg": "none", "kid": "one"}).encode())
            return f"{head}.{_text(json.dumps(claims).encode())}."
        if wrong == "alg_hs256":
            key = OctKey.import_key(self.key.as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, algorithms=["HS256"])
        key_used = self.other if wrong == "key" else self.key
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key_used)


class Handler(BaseHTTPRequestHandler):
    """Its pages."""

    server: Provider

    def do_GET(self) -> None:
        """Description, keys, the page where somebody signs in (who says yes at once), and the address."""
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self._answer(self.server.description())
        elif parts.path == "/keys":
            self._answer({"keys": [self.server.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            self._authorize({name: values[0] for name, values in parse_qs(parts.query).items()})
        elif parts.path == "/userinfo":
            self._answer(self.server.next.get("userinfo", {"sub": self.server.claims("").get("sub")}))
        elif parts.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/keys")
            self.end_headers()
        elif parts.path == "/long":
            self._answer({"keys": [self.server.key.as_dict(private=False)], "more": "x" * (1 << 20)})
        elif parts.path == "/packed":  # 64 KiB that unpack to 64 MiB
            self._send(gzip.compress(b" " * (64 << 20)), packed=True)
        elif parts.path == "/asked":
            self._answer(self.server.asked)
        else:
            self._answer({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        """Give tokens for a code; or be told what comes next."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if urlsplit(self.path).path == "/next":
            self.server.next = json.loads(body)
            self._answer({})
            return
        self._tokens({name: values[0] for name, values in parse_qs(body).items()})

    def _authorize(self, asked: dict[str, str]) -> None:
        self.server.asked = asked
        code = secrets.token_urlsafe(16)
        self.server.codes[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.server.issuer}
        back |= self.server.next.get("back", {})
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        self.end_headers()

    def _tokens(self, sent: dict[str, str]) -> None:
        asked = self.server.codes.pop(sent.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".replace(" ", " ").encode()).decode()
        challenge = _text(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        is_client = self.headers.get("Authorization") == f"Basic {basic}"
        if not is_client or asked is None or challenge != asked["code_challenge"]:
            self._answer({"error": "invalid_grant"}, 400)
            return
        tokens = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 60}
        if self.server.next.get("wrong") != "no_id_token":
            tokens["id_token"] = self.server.id_token(asked["nonce"])
        self._answer(tokens)

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(body).encode(), status)

    def _send(self, text: bytes, status: int = 200, *, packed: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    with Provider(int(sys.argv[1])) as provider:
        print(provider.issuer, flush=True)
        provider.serve_forever()
