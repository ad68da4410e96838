"""A typed client of the control plane's API.

One table (:mod:`operations`) says for each operation its method, its path and the permission it needs;
:class:`~retinue.client.api.Client` turns a line of it into a call and the answer into a
:mod:`model <retinue.client.models>`. An answer that is an error is raised as
:class:`~retinue.client.errors.Problem`, with its code, the field at fault and the request id.

:func:`auth` presents a program's own token to a protected API, by httpx, httpx2 or requests.
The package loads its parts on first use: a program that only asks a node pays for the transport alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retinue.client.api import Client
    from retinue.client.errors import ClientError, Problem, Unreachable, UnreadableAnswer
    from retinue.client.presenting import TokenAuth, auth
    from retinue.client.token_source import TokenError
    from retinue.client.transport import Transport

_HOMES = {
    "Client": "api",
    "ClientError": "errors",
    "Problem": "errors",
    "TokenAuth": "presenting",
    "TokenError": "token_source",
    "Transport": "transport",
    "Unreachable": "errors",
    "UnreadableAnswer": "errors",
    "auth": "presenting",
}

__all__ = [
    "Client",
    "ClientError",
    "Problem",
    "TokenAuth",
    "TokenError",
    "Transport",
    "Unreachable",
    "UnreadableAnswer",
    "auth",
]


def __getattr__(name: str) -> Any:
    """Load the public names on first use."""
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
