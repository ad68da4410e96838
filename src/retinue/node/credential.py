"""The node's own credential, as it stands in its file: who asks the control plane.

The control plane accepts the old token until the new one has been used, and the file is replaced by a rename
when the new one is on the disk. So whenever a renewal is cut off, the token in the file is accepted.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
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

    def renew(self, ask: Callable[[], str]) -> None:
        """Put the token that ``ask`` returns in the place of the present one, durably.

        A folder that cannot be written is found before ``ask`` is called. Raises ``OSError``, and what
        ``ask`` raises; the file is then as it was.
        """
        path = self._path.resolve()  # a link to the file stays a link
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                token = ask()
                file.write(f"{token}\n")
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            draft.unlink()
            raise
        with self._lock:
            draft.rename(path)
            self._text = token
        pepper.settle(path.parent)

    def __repr__(self) -> str:
        return f"<NodeToken in {self._path}>"
