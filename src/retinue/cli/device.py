"""Signing in by a code that is entered in a browser, on any device (RFC 8628).

No port is opened here and no token passes through an address: this program asks, waits, and is answered.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from typing import Any

from msgspec import Struct, convert

from retinue.cli import profiles, settings
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import FormOptions
from retinue.cli.store import SignIn
from retinue.client.errors import Problem, UnreadableAnswer
from retinue.client.transport import Transport

_CLIENT = "retinue-cli"
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_PENDING = "pending.toml"
#: RFC 8628, 3.5: what `slow_down` adds to the pause between two questions, and the pause where none is told.
_SLOWER, _PAUSE = 5, 5
_ENDS = {
    "access_denied": ("the sign-in was refused in the browser", Exit.FORBIDDEN),
    "expired_token": ("the code was not entered in time", Exit.FAILED),
    "invalid_grant": ("the code was used already, or is not known", Exit.FAILED),
}


class Started(Struct, kw_only=True):
    """What the server answers to who wants to sign in."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int = _PAUSE
    pairing_words: str = ""


class Granted(Struct, kw_only=True):
    """The session's token."""

    access_token: str
    expires_in: int = 0


def sign_in(address: str, read_only: bool, *, browser: bool) -> SignIn:
    """Ask for a code, show it, wait until it was entered, and return the session."""
    started = _ask(address, read_only)
    for line in _instructions(started):
        print(line, file=sys.stderr, flush=True)
    if browser and sys.stderr.isatty() and os.environ.get("SSH_CONNECTION") is None:
        import webbrowser

        webbrowser.open(started.verification_uri)
    token = _wait(address, started.device_code, started.interval, started.expires_in)
    return SignIn(address, "session", token, scope="read" if read_only else "")


def start(address: str, profile: str, read_only: bool) -> dict[str, Any]:
    """Ask for a code and remember what :func:`finish` needs; return what a person needs."""
    started = _ask(address, read_only)
    ident = secrets.token_hex(4)
    kept = {
        "url": address,
        "device_code": started.device_code,
        "interval": started.interval,
        "ends": int(time.time()) + started.expires_in,
        "scope": "read" if read_only else "",
        "profile": profile,
    }
    with profiles.locked():
        profiles.write(_PENDING, {}, {**_pending(), ident: kept})
    return {
        "id": ident,
        "user_code": started.user_code,
        "verification_uri": started.verification_uri,
        "pairing_words": started.pairing_words,
        "expires_in": started.expires_in,
    }


def finish(ident: str, options: FormOptions) -> SignIn:
    """Wait for a sign-in that :func:`start` began, and return the session."""
    kept = _pending().get(ident)
    if kept is None:
        raise CommandError(f"no sign-in {ident} was begun here", "retinue login --start", Exit.NOT_FOUND)
    profiles.choose(options.profile or str(kept["profile"]))
    try:
        left = int(kept["ends"]) - int(time.time())
        token = _wait(str(kept["url"]), str(kept["device_code"]), int(kept["interval"]), left)
    finally:
        with profiles.locked():
            others = {name: each for name, each in _pending().items() if name != ident}
            profiles.write(_PENDING, {}, others)
    return SignIn(str(kept["url"]), "session", token, scope=str(kept.get("scope") or ""))


def _pending() -> dict[str, dict[str, Any]]:
    place = profiles.folder()
    found = {} if place is None else profiles.read_file(place / _PENDING).get("profiles") or {}
    return {ident: row for ident, row in found.items() if int(row["ends"]) > time.time()}


def _ask(address: str, read_only: bool) -> Started:
    form = {"client_id": _CLIENT, "client_name": socket.gethostname()[:64]}
    form |= {"scope": "read"} if read_only else {}
    answer = _send(address, "/v1/oauth/device", form)
    try:
        return convert(answer, Started)
    except ValueError:
        raise UnreadableAnswer(f"{address} gives no code") from None


def _instructions(started: Started) -> list[str]:
    return [
        f"To sign in, open   {started.verification_uri}",
        f"and enter the code {started.user_code}",
        f"The page must show {started.pairing_words}",
        "Enter a code only if you have just asked for it yourself.",
    ]


def _wait(address: str, device_code: str, interval: int, seconds: int) -> str:
    """Ask until the code was entered; return the token."""
    form = {"grant_type": _GRANT, "device_code": device_code, "client_id": _CLIENT}
    pause, ends = max(interval, 1), time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(pause)
        try:
            answer = _send(address, "/v1/oauth/token", form)
            return convert(answer, Granted).access_token
        except ValueError:
            raise UnreadableAnswer(f"{address} gives no token") from None
        except Problem as problem:
            if problem.code == "slow_down":
                pause += _SLOWER
            elif problem.code != "authorization_pending":
                what, code = _ENDS.get(problem.code, (problem.detail or problem.code, Exit.FAILED))
                detail = problem.detail if problem.code == "access_denied" else ""
                raise CommandError(f"{what}{': ' if detail else ''}{detail}", "retinue login", code) from None
    raise CommandError("the code was not entered in time", "retinue login")


def _send(address: str, path: str, form: dict[str, str]) -> Any:
    transport = Transport(address, None, settings.timeout(), settings.ca_file())
    try:
        return json.loads(transport.send("POST", path, form=form).body)
    except (ValueError, RecursionError):
        raise UnreadableAnswer(f"POST {path}: not JSON") from None
    finally:
        transport.close()
