"""``retinue profile``: several servers and sign-ins side by side. ``retinue open``: the console."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter
from msgspec import Struct

from retinue.cli import output, profiles, settings, store
from retinue.cli.cells import Column, Shape
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import DEFAULTS, FORM_DEFAULTS, FormOptions, Options
from retinue.cli.report import talk
from retinue.cli.session import Session
from retinue.client import operations as ops
from retinue.client.models import Page

app = App(name="profile", help="Servers and sign-ins side by side; --profile or RETINUE_PROFILE chooses one.")
open_app = App(name="open", help="Open the console in a browser.")


class Profile(Struct, kw_only=True):
    """A profile as it is shown."""

    name: str
    in_use: bool
    url: str
    org: str
    signed_in: bool
    kind: str
    place: str
    expires_at: str


_SHAPE = Shape[Profile](
    columns=(
        Column("name", "name"),
        Column("in_use", "in_use"),
        Column("url", "url"),
        Column("org", "org"),
        Column("signed_in", "signed_in"),
        Column("kind", "kind"),
        Column("place", "place"),
        Column("expires_at", "expires_at"),
    ),
    name=lambda profile: profile.name,
    id=lambda profile: profile.name,
)


@app.command(name="list")
def list_(*, options: FormOptions = FORM_DEFAULTS) -> None:
    """List the profiles: which is in use, for which server, signed in until when."""
    profiles.choose(options.profile)
    known, kept, current = profiles.all_profiles(), store.names(), profiles.current()
    items = []
    for name in sorted({*known, *kept}):
        values, row = known.get(name, {}), kept.get(name)
        items.append(
            Profile(
                name=name,
                in_use=name == current,
                url=values.get("url") or (row.url if row else ""),
                org=values.get("org", ""),
                signed_in=row is not None,
                kind=row.kind if row else "",
                place=row.place if row else "",
                expires_at=row.expires_at if row else "",
            )
        )
    output.show_list([Page(items)], _SHAPE, options)


@app.command
def use(name: str, /, *, options: FormOptions = FORM_DEFAULTS) -> None:
    """Use this profile where nothing says otherwise."""
    _known(name)
    profiles.save(name, {}, use=True)
    talk(options, f"profile {name} is in use", "next: retinue whoami")


@app.command
def add(
    name: str,
    url: Annotated[str, Parameter(help="The control plane.")],
    /,
    *,
    org: Annotated[str | None, Parameter(name="--org", help="Organization to work in.")] = None,
    node_url: Annotated[str | None, Parameter(help="The node that `verify` asks.")] = None,
    ca_file: Annotated[str | None, Parameter(help="Certificate authorities to trust.")] = None,
    options: FormOptions = FORM_DEFAULTS,
) -> None:
    """Add a profile, or change where it leads. Its sign-in must be of the same server."""
    profiles.check_name(name)
    kept = store.names().get(name)
    if kept is not None and kept.url.rstrip("/") != url.rstrip("/"):
        raise CommandError(
            f"profile {name} is signed in at {kept.url}", f"retinue logout --profile {name}", Exit.CONFLICT
        )
    values = {"url": url.rstrip("/"), "org": org, "node_url": node_url, "ca_file": ca_file}
    profiles.save(name, {key: value for key, value in values.items() if value is not None}, use=False)
    talk(options, f"profile {name}: {url}", f"next: retinue login --profile {name}")


@app.command
def remove(name: str, /, *, options: FormOptions = FORM_DEFAULTS) -> None:
    """Remove a profile. One that is signed in is signed out first, by `retinue logout`."""
    _known(name)
    if name in store.names():
        raise CommandError(f"profile {name} is signed in", f"retinue logout --profile {name}", Exit.CONFLICT)
    profiles.remove(name)
    talk(options, f"removed profile {name}")


def _known(name: str) -> None:
    known = sorted({*profiles.all_profiles(), *store.names()})
    if profiles.check_name(name) not in known:
        raise CommandError(
            f"no profile {name}",
            f"known: {', '.join(known)}" if known else f"retinue profile add {name} URL",
            Exit.NOT_FOUND,
        )


_PAGES = {
    "home": "",
    "accounts": "accounts",
    "credentials": "credentials",
    "requests": "requests",
    "audit": "audit",
    "findings": "findings",
    "reviews": "reviews",
    "roles": "access/roles",
    "policies": "policies",
    "tokens": "me/tokens",
    "users": "settings/users",
    "nodes": "settings/nodes",
}


@open_app.default
def open_(
    page: Annotated[
        Literal[
            "home", "accounts", "credentials", "requests", "audit", "findings",
            "reviews", "roles", "policies", "tokens", "users", "nodes",
        ],
        Parameter(help="Which page."),
    ] = "home",
    /,
    *,
    options: Options = DEFAULTS,
) -> None:  # fmt: skip
    """Print the address of a page of the console, and open it in a browser where there is one."""
    session = Session(options, ops.GET_ME)
    me = session.perform(ops.GET_ME)
    address = f"{settings.url().rstrip('/')}/o/{me.organization.handle}/{_PAGES[page]}"
    if output.form(options) in ("json", "jsonl", "yaml"):
        output.show_object({"url": address}, options)
    else:
        print(address)
    if sys.stdout.isatty():
        import webbrowser

        webbrowser.open(address)
