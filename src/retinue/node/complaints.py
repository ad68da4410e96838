"""Says that something fails: once, when it has lasted, and once more when it works again.

A control plane that is being started, or a connection that a restart cut, is no news. What lasts is.
"""

from __future__ import annotations

import logging
import time

PATIENCE_SECONDS = 5.0
#: A trouble that turns into another is told anew, but not more often than this.
CHANGE_SECONDS = 60.0


class Complaint:
    """One thing that can fail, as the log hears of it. Not shared between threads."""

    def __init__(self, log: logging.Logger, what: str, patience_s: float = PATIENCE_SECONDS) -> None:
        self._log = log
        self._what = what
        self._patience = patience_s
        self._since: float | None = None
        self._said = ""
        self._said_at = 0.0

    def failed(self, why: object) -> None:
        """Note a failure; say it if it has lasted longer than the patience and was not said yet."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        lasts, text = now - self._since, str(why)
        if lasts < self._patience or text == self._said:
            return
        if self._said and now - self._said_at < CHANGE_SECONDS:
            return
        self._said, self._said_at = text, now
        since = f" for {lasts:.0f} s" if lasts >= 1 else ""
        self._log.warning("%s fails%s: %s", self._what, since, text)

    def worked(self) -> None:
        """Note that it works; say so if it was said that it does not."""
        if self._since is not None and self._said:
            self._log.info("%s works again, after %.0f s", self._what, time.monotonic() - self._since)
        self._since, self._said = None, ""
