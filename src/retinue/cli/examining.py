"""The checks of ``retinue doctor``. Each says what is the case, and what mends it if that is wrong."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from msgspec import Struct

from retinue import __version__
from retinue.cli import profiles, settings, store
from retinue.cli.exits import CommandError
from retinue.client import epochs
from retinue.client import operations as ops
from retinue.client.api import Client
from retinue.client.errors import ClientError, Problem, Unreachable
from retinue.client.models import Me
from retinue.client.transport import Answer, Transport

#: A clock that is off by more than a token's time can bear, and one that deserves a look.
_SKEW_WRONG, _SKEW_LOOK = 60.0, 5.0
_SLOW_SECONDS = 1.0
_DISK_LOOK, _DISK_WRONG = 2 << 30, 256 << 20
#: Files of an installation that hold a secret.
_SECRETS = ("pepper", "secret-key", "node-token", "retinue.db")
_LOCAL = ("127.", "localhost", "[::1]")


class Check(Struct, kw_only=True):
    """One check: ``ok``, ``look`` or ``wrong``; what was found, and what mends it."""

    check: str
    state: Literal["ok", "look", "wrong"]
    finding: str
    fix: str = ""


def all_checks(*, fix: bool) -> Iterator[Check]:
    """Yield each check as it is done."""
    yield _guarded("configuration", lambda: _configuration(fix))
    yield _guarded("control plane", _control_plane)
    yield _guarded("clock", _clock)
    yield _guarded("version", _version)
    yield _guarded("sign-in", _sign_in)
    yield _guarded("node", _node)
    yield from _of_operators()
    if settings.home().is_dir():
        yield _guarded("secrets of this host", lambda: _secrets(fix))
        yield _guarded("disk of this host", _disk)


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except CommandError as error:
        return Check(check=name, state="wrong", finding=str(error), fix=error.todo)
    except Unreachable as error:
        fix = "start it with `retinue serve`, or set RETINUE_URL / RETINUE_NODE_URL"
        return Check(check=name, state="wrong", finding=f"{error.url}: {error.why}", fix=fix)
    except (ClientError, OSError) as error:
        return Check(check=name, state="wrong", finding=str(error), fix="see: retinue -v whoami")


def _configuration(fix: bool) -> Check:
    place = profiles.folder()
    name = profiles.current()
    setting = profiles.setting("url", "RETINUE_URL")
    profiles.system()
    if place is not None and (place / store.FILE).is_file():
        opened = _open_to_others([place / store.FILE], fix)
        if opened:
            return _modes("configuration", opened, fix)
    source = "the default" if setting is None else setting.source
    return Check(
        check="configuration", state="ok", finding=f"profile {name}, server {settings.url()} ({source})"
    )


def _get(url: str, path: str) -> Answer:
    transport = Transport(url, None, settings.timeout(), settings.ca_file())
    try:
        return transport.send("GET", path)
    finally:
        transport.close()


def _ready(check: str, url: str) -> Check:
    began = time.monotonic()
    try:
        _get(url, "/readyz")
    except Problem as problem:
        return Check(
            check=check,
            state="wrong",
            finding=f"{url} is not ready: {problem.detail or problem.code}",
            fix="wait, then look at its log",
        )
    seconds = time.monotonic() - began
    plain = url.startswith("http://") and not url.removeprefix("http://").startswith(_LOCAL)
    if plain:
        fix = "use https: tokens can be read on the way"
        return Check(check=check, state="wrong", finding=f"{url} is not encrypted", fix=fix)
    state: Literal["ok", "look"] = "look" if seconds > _SLOW_SECONDS else "ok"
    fix = "see its load and the way to it" if state == "look" else ""
    return Check(check=check, state=state, finding=f"{url} is ready, {seconds * 1000:.0f} ms", fix=fix)


def _control_plane() -> Check:
    return _ready("control plane", settings.url())


def _node() -> Check:
    return _ready("node", settings.node_url())


def _clock() -> Check:
    told = _get(settings.url(), "/healthz").headers.get("date")
    if told is None:
        return Check(check="clock", state="look", finding="the server tells no time", fix="ask it directly")
    off = abs(_now() - parsedate_to_datetime(told).timestamp())
    # The header has whole seconds.
    state: Literal["ok", "look", "wrong"] = "ok"
    state = "wrong" if off > _SKEW_WRONG else "look" if off > _SKEW_LOOK else state
    fix = "set the clock of this host or of the server (NTP)" if state != "ok" else ""
    return Check(check="clock", state=state, finding=f"{off:.0f} s apart from the control plane", fix=fix)


def _now() -> float:
    return time.time()


def _version() -> Check:
    import json

    there = json.loads(_get(settings.url(), "/v1/openapi.json").body)["info"]["version"]
    same = there == __version__
    finding = f"{__version__} here, {there} at the control plane"
    fix = "" if same else "install the same version on both sides"
    return Check(check="version", state="ok" if same else "look", finding=finding, fix=fix)


def _client() -> Client:
    token = settings.required_token()
    organization = settings.organization()
    return Client(settings.url(), token, organization, settings.timeout(), settings.ca_file())


def _sign_in() -> Check:
    me: Me = _client().call(ops.GET_ME)
    ends = f"until {me.credential.expires_at}" if me.credential.expires_at else "without end"
    source = "the environment" if settings.has_token_of_environment() else f"profile {profiles.current()}"
    finding = f"{me.principal.name} of {me.organization.handle}, by {source}, {ends}"
    if settings.has_token_of_environment() and profiles.current() in store.names():
        fix = "unset RETINUE_TOKEN_FILE and RETINUE_TOKEN, if the sign-in is meant"
        return Check(check="sign-in", state="look", finding=f"{finding}; it hides a sign-in", fix=fix)
    return Check(check="sign-in", state="ok", finding=finding)


def _of_operators() -> Iterator[Check]:
    """Nodes and epoch, where the caller may read them."""
    try:
        client = _client()
        nodes = [node for page in client.pages(ops.LIST_NODES) for node in page.items]
        epoch = client.call(epochs.GET_EPOCH, {"epoch": "current"})
    except (CommandError, ClientError):
        return
    is_open = epoch.state == "open"
    fix = "" if is_open else "see: retinue epoch get"
    yield Check(
        check="epoch", state="ok" if is_open else "wrong", finding=f"{epoch.epoch} is {epoch.state}", fix=fix
    )
    for node in nodes:
        if node.state == "removed":
            continue
        trouble = [] if node.connected else [f"last heard {node.last_contact_at or 'never'}"]
        trouble += [f"{node.lag} revisions behind"] if (node.lag or 0) > 0 and node.connected else []
        if node.clock is not None and node.clock.state == "slow":
            trouble.append(f"clock {node.clock.state}")
        yield Check(
            check=f"node {node.name}",
            state="look" if trouble else "ok",
            finding="; ".join(trouble) or f"connected, lease {node.lease_remaining_seconds:.0f} s",
            fix=f"see: retinue node get {node.name}" if trouble else "",
        )


def _secrets(fix: bool) -> Check:
    home = settings.home()
    opened = _open_to_others([home / name for name in _SECRETS], fix)
    if opened:
        return _modes("secrets of this host", opened, fix)
    return Check(check="secrets of this host", state="ok", finding=f"{home}: nobody else can read them")


def _open_to_others(paths: list[Path], fix: bool) -> list[Path]:
    found = [path for path in paths if path.is_file() and path.stat().st_mode & 0o077]
    for path in found if fix else []:
        path.chmod(0o600)
    return found


def _modes(check: str, opened: list[Path], fix: bool) -> Check:
    named = " ".join(map(str, opened))
    if fix:
        return Check(
            check=check, state="look", finding=f"others could read {named}; mended", fix="replace them"
        )
    return Check(check=check, state="wrong", finding=f"others can read {named}", fix=f"chmod 600 {named}")


def _disk() -> Check:
    free = shutil.disk_usage(settings.home()).free
    state: Literal["ok", "look", "wrong"] = "ok"
    state = "wrong" if free < _DISK_WRONG else "look" if free < _DISK_LOOK else state
    fix = "" if state == "ok" else "make room, before the log and the database stop"
    return Check(
        check="disk of this host", state=state, finding=f"{free / (1 << 30):.1f} GiB are free", fix=fix
    )
