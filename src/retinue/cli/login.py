"""``retinue login`` and ``retinue logout``: a sign-in that the CLI keeps for a profile."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from retinue.cli import device, output, profiles, settings, store
from retinue.cli.about import ME
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import FORM_DEFAULTS, FormOptions
from retinue.cli.report import talk
from retinue.cli.session import warn_of_clear_text
from retinue.cli.store import SignIn
from retinue.client import operations as ops
from retinue.client.api import Client
from retinue.client.credential_operations import MINE
from retinue.client.errors import ClientError
from retinue.client.models import Me

app = App(
    name="login",
    help_epilogue="The token goes to the keyring of the system, else to credentials.toml (mode 0600) in "
    "RETINUE_CONFIG_DIR, ~/.config/retinue. It is sent to the server that it was got from, and to no other.",
)
logout_app = App(
    name="logout", help_epilogue="A session that login opened is revoked; a token of yours is not."
)


@app.default
def login(
    url: Annotated[str | None, Parameter(help="The control plane. [env: RETINUE_URL]")] = None,
    /,
    *,
    device_: Annotated[
        bool,
        Parameter(name="--device", negative="", help="By a code in the browser of any device (default)."),
    ] = False,
    with_token: Annotated[
        bool, Parameter(negative="", help="Read a personal access token from standard input.")
    ] = False,
    read_only: Annotated[
        bool, Parameter(negative="", help="A session that can read, and change nothing; 12 hours at most.")
    ] = False,
    start: Annotated[
        bool, Parameter(negative="", help="Print the code and return; --finish goes on. For scripts.")
    ] = False,
    finish: Annotated[
        str | None, Parameter(help="Wait for the sign-in that --start began.", metavar="ID")
    ] = None,
    no_browser: Annotated[bool, Parameter(negative="", help="Open no browser.")] = False,
    options: FormOptions = FORM_DEFAULTS,
) -> None:
    """Sign in and keep the sign-in: by a code in a browser, or by a token on standard input."""
    if sum((device_, with_token, start, finish is not None)) > 1:
        raise CommandError(
            "several ways to sign in", "give one of --device, --with-token, --start, --finish", Exit.USAGE
        )
    if with_token and read_only:
        raise CommandError("--read-only is for a session that is opened now", "leave it out", Exit.USAGE)
    name, address = _where(url, options.profile)
    warn_of_clear_text(address)
    if start:
        output.show_object(device.start(address, name, read_only), options)
        return
    if with_token:
        token = settings.single_token(sys.stdin.buffer.read(8192), "standard input")
        made = SignIn(address, "token", token)
    elif finish is not None:
        made = device.finish(finish, options)
        name = profiles.current()
    else:
        made = device.sign_in(address, read_only, browser=not no_browser)
    _keep(name, made, options)


def _where(url: str | None, asked: str | None) -> tuple[str, str]:
    """Return profile and address. Another server than that of the profile needs another profile."""
    profiles.choose(asked)
    name = profiles.current()
    known = profiles.profile(name).get("url")
    if url is None:
        return name, settings.url()
    if known and known.rstrip("/") != url.rstrip("/"):
        raise CommandError(
            f"profile {name} is for {known}", "name another one: --profile NAME", Exit.CONFLICT
        )
    return name, url.rstrip("/")


def _keep(name: str, made: SignIn, options: FormOptions) -> None:
    client = Client(made.url, made.token, None, settings.timeout(), settings.ca_file())
    me = client.call(ops.GET_ME)
    if made.kind == "token" and me.credential.kind not in ("personal_access_token", "api_key"):
        raise CommandError(f"this is a {me.credential.kind}", "give a personal access token", Exit.USAGE)
    ends = me.credential.expires_at or ""
    before = store.names().get(name)
    kept = store.keep(name, _replaced(made, me.credential.id, ends))
    profiles.save(name, {"url": made.url}, use=False)
    _revoke_before(before, kept, client)
    _tell(name, kept, me, options)


def _replaced(made: SignIn, credential: str, ends: str) -> SignIn:
    from dataclasses import replace

    return replace(made, credential_id=credential, expires_at=ends)


def _revoke_before(before: SignIn | None, kept: SignIn, client: Client) -> None:
    """End the session that this one takes the place of, if the same person may."""
    if before is None or before.kind != "session" or before.credential_id == kept.credential_id:
        return
    try:
        client.call(MINE.revoke, {"id": before.credential_id}, body={"text": "signed in again"})
    except ClientError:
        return  # it has ended, or belongs to somebody else; it ends by itself


def _tell(name: str, kept: SignIn, me: Me, options: FormOptions) -> None:
    if kept.place == "file":
        path = f"{profiles.folder()}/{store.FILE}"
        talk(options, f"warning: no keyring was found here; the token is in {path} (mode 0600)")
    if settings.has_token_of_environment():
        talk(options, "note: a token of the environment comes before this sign-in")
    ends = f", until {kept.expires_at}" if kept.expires_at else ""
    talk(options, f"signed in at {kept.url} as {me.principal.name} of {me.organization.handle}{ends}")
    if options.output is not None:
        output.show_one(me, ME, options)
    shown = "" if name == profiles.DEFAULT else f" --profile {name}"
    talk(options, f"next: retinue whoami{shown}")


@logout_app.default
def logout(
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="Of every profile.")] = False,
    options: FormOptions = FORM_DEFAULTS,
) -> int:
    """Sign out: revoke the session, and forget the token that was kept."""
    profiles.choose(options.profile)
    known = store.names()
    names = sorted(known) if all_ else [profiles.current()]
    if not any(name in known for name in names):
        talk(options, "not signed in")
        return Exit.DONE
    left = 0
    for name in names:
        left += not _sign_out(name, options)
    return Exit.PARTLY if left else Exit.DONE


def _sign_out(name: str, options: FormOptions) -> bool:
    """Revoke and forget; return whether nothing of it is left at the server."""
    try:
        kept = store.load(name)
    except CommandError as error:  # the keyring does not give it: it can be forgotten all the same
        talk(options, f"warning: {name}: {error}")
        kept = None
    ended = True
    if kept is not None and kept.kind == "session":
        try:
            client = Client(kept.url, kept.token, None, settings.timeout(), settings.ca_file())
            client.call(MINE.revoke, {"id": kept.credential_id}, body={"text": "signed out"})
        except ClientError as error:
            ended = getattr(error, "status", 0) in (401, 404)
            if not ended:
                talk(
                    options,
                    f"warning: {name}: the session could not be revoked and ends {kept.expires_at}: {error}",
                )
    store.forget(name)
    what = "signed out" if kept is None or kept.kind == "session" else "forgot the token"
    talk(options, f"{what}: profile {name}")
    return ended
