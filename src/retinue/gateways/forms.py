"""The five forms, by name."""

from __future__ import annotations

from collections.abc import Callable

from retinue.gateways import caddy, envoy, haproxy, nginx, traefik
from retinue.gateways.parameters import Parameters

#: A form gives the files of a gateway's configuration by their names.
FORMS: dict[str, Callable[[Parameters], dict[str, str]]] = {
    "nginx": nginx.render,
    "caddy": caddy.render,
    "traefik": traefik.render,
    "envoy": envoy.render,
    "haproxy": haproxy.render,
}


def render(name: str, parameters: Parameters) -> dict[str, str]:
    """Return the files of one form, by their names. Raises ``KeyError`` for a form that there is not, and
    ``ParametersError`` for what that gateway cannot do.
    """
    return FORMS[name](parameters)
