"""What many reads of one call need, read once: head, policy in force, catalogue, what accounts hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from django.db import connection

from retinue.server.access.queries import facts_of
from retinue.server.directory.queries import Principal
from retinue.server.ledger import feed
from retinue.server.policies import queries as policies
from retinue.server.policies import remembering

_BESIDE = {
    "sqlite": """json_array(
        (SELECT version_id FROM policies_standing WHERE organization = %s),
        (SELECT json_group_array(json_array(name, "index")) FROM access_permission
         WHERE NOT is_withdrawn))""",
    "postgresql": """json_build_array(
        (SELECT version_id FROM policies_standing WHERE organization = %s),
        (SELECT json_agg(json_build_array(name, "index")) FROM access_permission
         WHERE NOT is_withdrawn))""",
}


def begin_read(organization_id: str) -> None:
    """Read the head, what is in force and the permissions that are declared, in one statement, for a page."""
    head, found = feed.position_beside(_BESIDE[connection.vendor], organization_id)
    version_id, catalogue = json.loads(found) if isinstance(found, str) else found
    remembering.once("head", lambda: head)
    policies.learn({organization_id: version_id})
    learn_catalogue(dict(catalogue or ()))


def learn_catalogue(known: Mapping[str, int]) -> None:
    """Remember the catalogue, as it was read with the head, for the rest of a read."""
    remembering.once("catalogue", lambda: known)


def want_depth(is_wanted: bool) -> None:
    """Say whether a page will need all that the accounts of its list hold, which then is read at once."""
    remembering.once("in depth", lambda: is_wanted)


def begin_list(found: Sequence[Principal]) -> None:
    """Read what the accounts of a list hold, if its page has said that it needs that."""
    if remembering.once("in depth", lambda: False) and found:
        facts_of({each.organization_id for each in found}, [each.id for each in found])
