"""Searches of the request log for what no index finds: path, status, address, node, method,
permission, client.

An index of each would cost every record that is written. Instead a search looks at so many rows at once,
in the order of an index, and says where it has come to.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields

from django.db.models import QuerySet, Value
from django.db.models.functions import StrIndex, Substr

from retinue.server.traffic.models import Request

#: So many rows are looked at by one statement.
PORTION = 10_000
#: So many portions by one call.
PORTIONS = 2


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for; ``None`` is anything."""

    #: Begins with a slash: paths that begin so. Else: paths that hold it. Letters are as they are.
    path: str | None = None
    #: ``404``, or ``4xx`` for all of its class: what the host answered.
    status: str | None = None
    #: An address, or a network as CIDR.
    address: str | None = None
    node: str | None = None
    method: str | None = None
    #: The whole name of what was asked for.
    permission: str | None = None
    #: What the name that a client gives itself holds. Letters are as they are.
    client: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def among(self, rows: QuerySet[Request]) -> QuerySet[Request]:
        """Return those of ``rows``, a portion, that are looked for."""
        if self.path is not None and self.path.startswith("/"):
            rows = rows.alias(begin=Substr("path", 1, len(self.path))).filter(begin=self.path)
        elif self.path is not None:
            rows = rows.alias(place=StrIndex("path", Value(self.path))).filter(place__gt=0)
        if self.status is not None:
            least, most = (self.status.replace("x", digit) for digit in "09")
            rows = rows.filter(status__range=(int(least), int(most)))
        if self.node is not None:
            rows = rows.filter(node=self.node)
        if self.method is not None:
            rows = rows.filter(method=self.method.upper())
        if self.permission is not None:
            rows = rows.filter(permission=self.permission)
        if self.client is not None:
            rows = rows.alias(within=StrIndex("client", Value(self.client))).filter(within__gt=0)
        # Last: a network asks what addresses there are among the rest.
        return rows if self.address is None else _from(rows, self.address)


def _from(rows: QuerySet[Request], text: str) -> QuerySet[Request]:
    network = ipaddress.ip_network(text, strict=False)
    if network.num_addresses == 1:
        return rows.filter(address=str(network.network_address))
    present = rows.exclude(address="").order_by().values_list("address", flat=True).distinct()
    return rows.filter(address__in=[each for each in present if _is_in(each, network)])


def _is_in(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(text.partition("%")[0]) in network
    except ValueError:  # a node has written what is none
        return False
