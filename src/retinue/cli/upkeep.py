"""What is done for a sign-in that is kept: a session is made to last, the end of a token is told in time."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from retinue.cli import profiles, store
from retinue.cli.store import SignIn
from retinue.client.api import Client
from retinue.client.credential_operations import MINE
from retinue.client.errors import ClientError

#: How long a session lasts after its last use, and how near its end a use makes it last longer.
SESSION, REFRESH_BELOW = "12h", timedelta(hours=6)
#: A person is told this long before the end of a token: now and then, and at last each time.
WARN_BELOW, WARN_EVERY, WARN_ALWAYS_BELOW = timedelta(days=14), timedelta(hours=12), timedelta(hours=24)


def look_after(client: Client, kept: SignIn | None, *, may_change: bool, quiet: bool) -> None:
    """Extend the session that is used, or tell that its token ends soon. Never fails."""
    if kept is None or not kept.expires_at:
        return
    left = datetime.fromisoformat(kept.expires_at) - _now()
    if kept.kind == "session":
        if may_change and timedelta() < left < REFRESH_BELOW and kept.scope != "read":
            _extend(client, kept)
    elif not quiet and timedelta() < left < WARN_BELOW:
        _warn(kept, left)


def note_override(quiet: bool) -> None:
    """Say that a token of the environment is used and not the sign-in of the profile, if there is one."""
    name = profiles.current()
    if not quiet and name in store.names():
        print(f"note: a token of the environment is used, not the sign-in of profile {name}", file=sys.stderr)


def _extend(client: Client, kept: SignIn) -> None:
    try:
        made = client.call(MINE.expire, {"id": kept.credential_id}, body={"expires": SESSION})
    except ClientError:
        return  # the policy may want an end; the next call says what is wrong, if something is
    if made.expiry.at:
        store.change(profiles.current(), expires_at=made.expiry.at)


def _warn(kept: SignIn, left: timedelta) -> None:
    told = datetime.fromisoformat(kept.warned_at) if kept.warned_at else None
    if left > WARN_ALWAYS_BELOW and told is not None and _now() - told < WARN_EVERY:
        return
    name, hours = profiles.current(), int(left.total_seconds() // 3600)
    when = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
    print(
        f"warning: the token of profile {name} ends in {when}; issue another one with "
        f"`retinue pat rotate {kept.credential_id} --out FILE`, then `retinue login --with-token < FILE`",
        file=sys.stderr,
    )
    store.change(name, warned_at=_now().isoformat(timespec="seconds"))


def _now() -> datetime:
    return datetime.now(UTC)
