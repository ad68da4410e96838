"""Who calls the control plane of these tests, and how a token is presented."""

from __future__ import annotations

import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.support.installation import Answer, http, reached

JSON = dict[str, Any]
ACCOUNTS, KEYS = "/v1/service-accounts", "/v1/keys"

#: How a token is presented where that is not as a bearer.
SCHEMES = {"precisely": "Apikey"}


@dataclass(frozen=True)
class Caller:
    """Calls the control plane with one token, as its organization wants it presented."""

    url: str
    token: str
    scheme: str = "Bearer"
    #: The node that is asked about what these calls change.
    node_url: str = ""

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Make a call and return its answer, whatever the status. ``headers`` have ``_`` for ``-``."""
        token = self.token if self.scheme == "Bearer" else b64encode(self.token.encode()).decode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"{self.scheme} {token}"
        began = time.monotonic()
        answer = http(method, f"{self.url}{path}", body=body, headers=named)
        return reached(self.node_url, answer, time.monotonic() - began) if self.node_url else answer

    def do(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Make a call that must succeed, and return what it answers."""
        answer = self.call(method, path, body, **headers)
        assert answer.status in (200, 201, 202), f"{method} {path}: {answer.status} {answer.body.decode()}"
        return answer.json()

    def get(self, path: str, **query: object) -> Any:
        """GET that must succeed."""
        text = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
        return self.do("GET", f"{path}?{text}" if text else path)

    def post(self, path: str, **body: Any) -> Any:
        """POST that must succeed."""
        return self.do("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        """PATCH that must succeed."""
        return self.do("PATCH", path, body)

    def delete(self, path: str) -> Any:
        """DELETE that must succeed."""
        return self.do("DELETE", path)

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str, str]:
        """Make a call that must be refused; return status, code, and the field that is at fault.

        Where errors are flat there is a message instead of the code, and no field.
        """
        answer = self.call(method, path, body)
        assert answer.status >= 400, answer.body.decode()
        problem = answer.json()
        if "code" not in problem:
            assert {"status_code", "message", "request_id"} == set(problem)
            return answer.status, problem["message"], ""
        return answer.status, problem["code"], problem.get("field") or ""
