"""Where browser sessions are kept: in a table of our own, under a digest of the key that the browser holds.

Who reads the database or a backup finds no session to take over. Each row says whose it is and where it was
opened, so that people see their sessions and end one: a row that is gone is a session that is over.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from retinue.server.directory.queries import BrowserSession

OPENED_AT, SEEN_AT = "retinue_opened_at", "retinue_seen_at"
ADDRESS, AGENT = "retinue_address", "retinue_agent"
#: Of 256 bits of the digest: as long as Django's column, more than the key has.
_DIGITS = 40


def digest(key: str) -> str:
    """Return under which name the session with this key is kept."""
    return hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]


class SessionStore(DatabaseStore):
    """Django's store, with digests in place of keys."""

    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        """Return the table."""
        return BrowserSession

    def _get_session_from_db(self) -> BrowserSession | None:
        key = self.session_key
        rows = BrowserSession.objects.filter(session_key=digest(key or ""), expire_date__gt=timezone.now())
        found = rows.first() if key else None
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        """Tell whether there is a session with this key."""
        return BrowserSession.objects.filter(session_key=digest(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> BrowserSession:
        """Return the row of the present session."""
        row = cast(BrowserSession, super().create_model_instance(data))
        row.session_key = digest(row.session_key)
        row.login_id = data.get(SESSION_KEY)
        row.opened_at, row.seen_at = _instant(data.get(OPENED_AT)), _instant(data.get(SEEN_AT))
        row.address, row.agent = data.get(ADDRESS, ""), data.get(AGENT, "")
        return row

    def delete(self, session_key: str | None = None) -> None:
        """End the session with this key, or the present one."""
        key = session_key or self.session_key
        if key is not None:
            BrowserSession.objects.filter(session_key=digest(key)).delete()


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
