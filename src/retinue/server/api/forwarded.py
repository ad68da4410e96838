"""Who really asks, where proxies stand in front: decided once, before anything looks at the request.

``REMOTE_ADDR`` and the scheme are what events, limits and sessions see; afterwards they are the client's.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from retinue.network import Gateways

#: No header can have this name.
_GUESSER = "retinue.guesser"


def guesser(request: HttpRequest) -> str | None:
    """Return the network whose failed attempts these are; ``None`` where only a proxy is known."""
    network: str | None = request.META[_GUESSER]
    return network


class Forwarded:
    """Django middleware; the outermost. Believes a trusted proxy, and nobody else, about its client."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = answer
        self._gateways = Gateways(settings.INSTALLATION.trusted_proxies)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as if the client had connected itself.

        Of an ``X-Forwarded-For`` that ends in no address only the proxy itself is known.
        """
        meta = request.META
        peer: str = meta.get("REMOTE_ADDR") or ""
        if self._gateways.trusts(peer):
            forwarded = meta.get("HTTP_X_FORWARDED_FOR", "").encode("latin-1", "replace")
            meta["REMOTE_ADDR"] = self._gateways.client(peer, forwarded) or peer
            if meta.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() == "https":
                meta["wsgi.url_scheme"] = "https"
        meta[_GUESSER] = self._gateways.guesser(meta.get("REMOTE_ADDR"))
        return self._answer(request)
