"""The address of every page that somebody who is signed in can open, from the URL configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

from retinue.server.console import groups
from retinue.server.console.acts import ACCOUNT_ACTS, KEY_ACTS, MY_ACTS
from retinue.server.console.tables import TABLES
from retinue.server.console.urls import urlpatterns
from retinue.server.console.words import TABS
from tests.console.crowd import Crowd

#: Addresses without a page to read: forms that are only sent, files, what is read before the sign-in.
NO_PAGE = re.compile(
    r"theme/|language/|static/|docs/|login|logout|confirm|setup|invitation|.*/(save|grants|grants/change|notifications/.*/do/.*|nodes/measure|keep|roles/\w+/delete|clone|delete|remove|passkeys/.*/rename|put-away)$"
)
#: What an address may ask for besides.
QUERIES = {
    "console_why": ("", "?permission=thing1:read", "?permission=thing1:read&principal=job-1"),
    "console_group": tuple(f"?tab={name}" for name in groups.TABS if name != "resources"),
    "console_team": tuple(f"?tab={name}" for name in groups.TABS),
    "console_accounts": (
        "",
        "?columns=status,owner,groups,teams,created_by,last_reviewed,unused,traffic",
        "?saved={view_id}",
        "?view=attention",
        "?search=job&role=auditor",
        "?view=mine",
    ),
    "console_credentials": ("", "?status=active", "?account=job-1"),
    "console_requests": ("", "?decision=denied", "?account=job-1"),
    "console_account_handle": ("?name=job-1",),
}


def _values(made: Crowd, route: str, name: str) -> dict[str, tuple[str, ...]]:
    """Return what stands for each part of an address."""
    acts: dict[str, Iterable[str]] = {
        "console_account_act": ACCOUNT_ACTS,
        "console_key_act": KEY_ACTS,
        "console_my_token_act": MY_ACTS,
        "console_ingest_token_act": MY_ACTS,
        "console_table": TABLES,
    }
    return {
        "handle": (made.person.principal.organization.handle,),
        "tab": tuple(TABS),
        "name": tuple(acts.get(name, ())),
        "key": ("idle.days", "roles.templates"),
        "group_id": (made.ids["team" if name.startswith("console_team") else "group"],),
        **{key: (value,) for key, value in made.ids.items() if key.endswith("_id")},
        "key_id": (made.ids[_key(route, name)],),
        **(
            {"account_id": (made.ids["account_id"], made.ids["rotated"])} if name == "console_account" else {}
        ),
    }


def _queries(made: Crowd, name: str) -> tuple[str, ...]:
    return tuple(each.replace("{view_id}", made.ids["view_id"]) for each in QUERIES.get(name, ("",)))


def _key(route: str, name: str) -> str:
    if name == "console_handover":
        return "retiring"
    return "my_token" if "me/" in route else "ingest_token" if "ingest/" in route else "key_id"


def pages(made: Crowd) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of every page that somebody who is signed in can open."""
    for pattern in urlpatterns:
        route, name = str(pattern.pattern), pattern.name or ""
        if NO_PAGE.match(route):
            continue
        parts = re.findall(r"<\w+:(\w+)>", route)
        values = _values(made, route, name)
        for chosen in product(*(values.get(part) or ("-",) for part in parts)):
            path = route
            for part, value in zip(parts, chosen, strict=True):
                path = re.sub(rf"<\w+:{part}>", value, path)
            yield from ((name, f"/{path}{query}") for query in _queries(made, name))


def names() -> set[str]:
    """Return the names of all routes that may be pages; some of them are only sent."""
    return {each.name or "" for each in urlpatterns if not NO_PAGE.match(str(each.pattern))}
