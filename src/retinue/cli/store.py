"""The CLI's own sign-ins: one token a profile, in the keyring of the system, else in a file of mode 0600.

``credentials.toml`` says of each profile which server its token is for; a token is never sent to another. It
holds the token itself only where there is no keyring.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

from retinue.cli import profiles
from retinue.cli.exits import CommandError, Exit

FILE = "credentials.toml"
_SERVICE = "retinue"


@dataclass(frozen=True, repr=False)
class SignIn:
    """A sign-in that is kept: for which server, by which credential, until when.

    ``kind`` is ``session`` for one that ``login`` opened and ``logout`` revokes, ``token`` for a token of the
    person's own. ``place`` is ``keyring`` or ``file``; ``scope`` is ``read`` for a session that cannot change
    anything.
    """

    url: str
    kind: str
    token: str = ""
    place: str = "file"
    credential_id: str = ""
    expires_at: str = ""
    scope: str = ""
    #: When the person was last told that it ends soon.
    warned_at: str = ""

    def __repr__(self) -> str:
        return f"<SignIn at {self.url}>"


def load(name: str) -> SignIn | None:
    """Return the sign-in of a profile, with its token; ``None`` if there is none."""
    found = _rows().get(name)
    if found is None:
        return None
    row = _sign_in(found)
    if row.place != "keyring":
        return row
    keyring = _keyring()
    token = None if keyring is None else keyring.get_password(_SERVICE, name)
    if not token:
        raise CommandError(
            f"the keyring does not give the token of profile {name}",
            f"unlock it, or sign in again: retinue login {row.url} --profile {name}",
            Exit.NOT_SIGNED_IN,
        )
    return replace(row, token=token)


def names() -> dict[str, SignIn]:
    """Return all sign-ins by profile, without the tokens that the keyring has."""
    return {name: _sign_in(row) for name, row in _rows().items()}


def keep(name: str, made: SignIn) -> SignIn:
    """Keep a sign-in; return it with the place where its token is."""
    with profiles.locked():
        rows = _rows()
        made = replace(made, place="keyring" if _into_keyring(name, made.token) else "file")
        rows[name] = _row(made)
        profiles.write(FILE, {}, rows)
    return made


def change(name: str, **fields: str) -> None:
    """Change facts of a sign-in, if it is still there; never its token."""
    with profiles.locked():
        rows = _rows()
        if name in rows:
            rows[name] = {**rows[name], **fields}
            profiles.write(FILE, {}, rows)


def forget(name: str) -> None:
    """Forget the sign-in of a profile, wherever its token is."""
    with profiles.locked():
        rows = _rows()
        row = rows.pop(name, None)
        if row is None:
            return
        if row.get("place") == "keyring":
            keyring = _keyring()
            with contextlib.suppress(Exception):  # it may be gone from there already
                if keyring is not None:
                    keyring.delete_password(_SERVICE, name)
        profiles.write(FILE, {}, rows)


def _rows() -> dict[str, dict[str, Any]]:
    place = profiles.folder()
    if place is None or not (place / FILE).is_file():
        return {}
    mode = (place / FILE).stat().st_mode
    if mode & 0o077:
        print(f"warning: others can read {place / FILE}; run: chmod 600 {place / FILE}", file=sys.stderr)
    found = profiles.read_file(place / FILE).get("profiles") or {}
    return {name: dict(row) for name, row in found.items()}


def _sign_in(row: dict[str, Any]) -> SignIn:
    known = SignIn.__dataclass_fields__
    return SignIn(**{key: str(value) for key, value in row.items() if key in known})


def _row(made: SignIn) -> dict[str, Any]:
    row = {key: value for key, value in asdict(made).items() if value}
    if made.place == "keyring":
        row.pop("token", None)
    return row


def _into_keyring(name: str, token: str) -> bool:
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(_SERVICE, name, token)
    except Exception:  # each back end raises its own; then the file takes it
        return False
    return True


def _keyring() -> Any:
    """Return the system's keyring; ``None`` where there is none that keeps anything."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        backend = keyring.get_keyring()
        return backend if float(backend.priority) > 0 else None
    except Exception:  # a back end that cannot say how good it is
        return None
