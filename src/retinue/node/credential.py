"""The node's own credential, as it stands in its file: who asks the control plane."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from retinue import pepper


class NodeToken:
    """The token in ``path``, mode 0600. Shared by the threads of the follower.

    Raises :class:`retinue.pepper.PepperError` if the file is missing or open to others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._text = pepper.read_private(path).strip()

    def reveal(self) -> str:
        """Return the token as it is sent."""
        return self._text

    def has_changed(self, used: str) -> bool:
        """Tell whether there is another token by now than the one that was ``used``; reads the file again.

        A file that cannot be read at the moment changes nothing.
        """
        with self._lock:
            with contextlib.suppress(pepper.PepperError, UnicodeDecodeError):
                self._text = pepper.read_private(self._path).strip() or self._text
            return self._text != used

    def __repr__(self) -> str:
        return f"<NodeToken in {self._path}>"
