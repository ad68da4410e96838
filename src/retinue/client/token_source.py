"""Where a program that calls a protected API finds its token: a file that may change, or the environment."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from retinue.client.errors import ClientError

#: A file above this is no token file.
MAX_BYTES = 4096
_log = logging.getLogger("retinue.client")
#: What tells a file from the one that stood there before.
_State = tuple[int, int, int]


class TokenError(ClientError):
    """There is no token to present, or what is there cannot be one; the message never repeats it."""


class TokenSource:
    """The token of a program. A file is looked at for each request, and read again when it has changed.

    Safe with threads. A file that cannot be read later on leaves the token as it was.
    """

    def __init__(self, file: Path | None, text: str | None) -> None:
        """``text`` is a token that cannot change. Raises :class:`TokenError`."""
        self._file = file
        self._lock = threading.Lock()
        self._state: _State | None = None
        if file is not None:
            self._state = _state(file)
            self._token = _read(file)
        else:
            self._token = _single(text or "", "RETINUE_TOKEN")

    @classmethod
    def from_environment(cls) -> TokenSource:
        """Return the source that ``RETINUE_TOKEN_FILE`` or ``RETINUE_TOKEN`` names; the file comes first.

        Raises :class:`TokenError`.
        """
        path = os.environ.get("RETINUE_TOKEN_FILE")
        if path:
            return cls(Path(path), None)
        text = os.environ.get("RETINUE_TOKEN")
        if not text or not text.strip():
            raise TokenError("no token: set RETINUE_TOKEN_FILE to a file that holds one, or RETINUE_TOKEN")
        return cls(None, text)

    def token(self) -> str:
        """Return the token to present now."""
        if self._file is not None and _state(self._file) != self._state:
            self._renew(self._file)
        return self._token

    def after_refusal(self, refused: str) -> str | None:
        """Return another token than the one that was refused; ``None`` if there is none."""
        if self._file is not None:
            self._renew(self._file)
        return None if self._token == refused else self._token

    def _renew(self, file: Path) -> None:
        with self._lock:
            # The state before the content: a file that changes in between is read once more.
            state = _state(file)
            try:
                token = _read(file)
            except TokenError as error:
                _log.warning("the token is kept as it was: %s", error)
                return
            self._token, self._state = token, state


def _state(file: Path) -> _State | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise TokenError(f"{file}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise TokenError(f"{file}: too large to be a token")
    return _single(data.decode("latin-1"), str(file))


def _single(text: str, place: str) -> str:
    token = text.strip()
    if not token:
        raise TokenError(f"{place}: is empty")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(f"{place}: holds more than one token, or characters that none has")
    return token
