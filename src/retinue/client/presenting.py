"""Presents the token of a program to the API that it calls, by httpx, httpx2 or requests.

The token is looked for once more when it is refused, so that a rotation needs no restart. A redirect to
another host never gets it: the libraries take the field away, and nothing here puts it back.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Generator, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from retinue.client.token_source import TokenError, TokenSource

__all__ = ["TokenAuth", "TokenError", "auth"]

_FIELD = "Authorization"
#: Header fields of an answer that tell of the token, and how.
_TOLD = {
    "Retinue-Token-Expires": "the token expires at %s",
    "Retinue-Token-Retires": "the token was rotated and ends at %s: use the new one",
    "Retinue-Token-Rotate-By": "the token has to be rotated by %s",
}
#: So many different warnings are remembered as told.
_MAX_TOLD = 64
#: Libraries whose clients take an object of their own class.
_LIBRARIES = ("httpx", "httpx2")
_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger("retinue.client")


def auth(
    token_file: str | Path | None = None, *, origins: str | Iterable[str] = (), library: Any = None
) -> Any:
    """Return what ``auth=`` of httpx, httpx2 and requests takes: it presents the token as a bearer token.

    The token is in ``token_file``, or where ``RETINUE_TOKEN_FILE`` or ``RETINUE_TOKEN`` says. With
    ``origins`` (``https://api.example.com``) it goes nowhere else. ``library`` is the module ``httpx`` or
    ``httpx2``; left out, it is whichever the program has imported, so import it first. Raises
    :class:`TokenError` without a token, and ``ValueError`` for an origin that is none.
    """
    source = TokenSource.from_environment() if token_file is None else TokenSource(Path(token_file), None)
    modules: list[Any] = [library] if library else [sys.modules.get(name) for name in _LIBRARIES]
    bases = tuple(module.Auth for module in modules if hasattr(module, "Auth"))
    made = type("TokenAuth", (TokenAuth, *bases), {"__module__": __name__})
    return made(source, (origins,) if isinstance(origins, str) else tuple(origins))


class TokenAuth:
    """An auth of httpx, httpx2 and requests; made by :func:`auth`."""

    requires_request_body = False
    requires_response_body = False

    def __init__(self, source: TokenSource, origins: tuple[str, ...] = ()) -> None:
        self._source = source
        self._origins = frozenset(_stated(each) for each in origins)
        self._told: set[tuple[str, str]] = set()
        self._telling = threading.Lock()

    def __repr__(self) -> str:
        return "<retinue.client.auth>"

    def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """Send a request of httpx or httpx2, and once more if the token was refused and there is another."""
        origin = _origin(request.url)
        if not self._is_for(origin):
            yield request
            return
        token = self._source.token()
        request.headers[_FIELD] = f"Bearer {token}"
        response = yield request
        self._note(response.headers)
        if response.status_code != 401 or _origin(response.request.url) != origin:
            return
        other = self._source.after_refusal(token)
        if other is None:
            return
        if not _is_whole(request):
            _say_consumed()
            return
        request.headers[_FIELD] = f"Bearer {other}"
        response = yield request
        self._note(response.headers)

    def __call__(self, request: Any) -> Any:
        """Prepare a request of requests; its answer is seen by a hook, once."""
        if not hasattr(request, "register_hook"):
            raise TokenError(
                "import httpx before retinue.client.auth() is called, or say auth(library=httpx)"
            )
        origin = _origin(request.url)
        if not self._is_for(origin):
            return request
        token = self._source.token()
        request.headers[_FIELD] = f"Bearer {token}"
        position = _position(request.body)

        def seen(response: Any, *_: Any, **options: Any) -> Any:
            if _origin(response.request.url) != origin:
                return response
            self._note(response.headers)
            if response.status_code != 401 or response.request.headers.get(_FIELD) != f"Bearer {token}":
                return response
            other = self._source.after_refusal(token)
            return response if other is None else self._again(response, other, position, options)

        request.register_hook("response", seen)
        return request

    def _again(self, response: Any, token: str, position: int | None, options: Mapping[str, Any]) -> Any:
        """Send a request of requests once more, with another token, if its body can be sent again."""
        request = response.request.copy()
        if position is not None and hasattr(request.body, "seek"):
            request.body.seek(position)
        elif not isinstance(request.body, str | bytes | None):
            _say_consumed()
            return response
        # Only one that was read to its end gives its connection back.
        response.content  # noqa: B018
        response.close()
        request.headers[_FIELD] = f"Bearer {token}"
        answer = response.connection.send(request, **options)
        answer.history.append(response)
        answer.request = request
        self._note(answer.headers)
        return answer

    def _is_for(self, origin: tuple[str, str, int | None]) -> bool:
        return not self._origins or origin in self._origins

    def _note(self, headers: Mapping[str, str]) -> None:
        """Log what an answer tells of the token; each thing once."""
        for name, text in _TOLD.items():
            value = headers.get(name)
            if value is None or not _is_instant(value):
                continue
            with self._telling:
                if (name, value) in self._told or len(self._told) >= _MAX_TOLD:
                    continue
                self._told.add((name, value))
            _log.warning(text, value)


def _is_whole(request: Any) -> bool:
    """Tell whether the body of a request of httpx was given whole: a stream has been read to its end."""
    try:
        return request.content is not None
    except RuntimeError:  # what is raised for a stream, in both libraries
        return False


def _say_consumed() -> None:
    _log.warning("the token was refused; the body cannot be sent again, the next request has the new token")


def _position(body: Any) -> int | None:
    """Return where a body that can be wound back begins; ``None`` for any other."""
    try:
        return int(body.tell()) if hasattr(body, "seek") else None
    except (AttributeError, OSError):
        return None


def _origin(url: Any) -> tuple[str, str, int | None]:
    parts = urlsplit(str(url))
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)


def _stated(origin: str) -> tuple[str, str, int | None]:
    parts = urlsplit(origin)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"{origin!r}: an origin, such as https://api.example.com")
    return _origin(origin)


def _is_instant(text: str) -> bool:
    """Tell whether a header field holds an instant: nothing else of an answer is logged."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
