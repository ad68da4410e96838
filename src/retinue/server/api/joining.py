"""Puts a new service account into groups, in the call that creates it."""

from __future__ import annotations

from collections.abc import Iterable

from retinue.server.access import group_actions, member_actions
from retinue.server.access.queries import Group
from retinue.server.api.operations import Call, Refused
from retinue.server.directory.queries import Principal


def join(call: Call, account: Principal, groups: Iterable[str], justification: str) -> None:
    """Put ``account`` into groups, by their ids; refuses what putting it in later would refuse."""
    for place, ident in enumerate(dict.fromkeys(groups)):
        try:
            found = group_actions.find(call.organization, ident, Group.GROUP)
            member_actions.add(call.tx, found, [account], justification)
        except Refused as refused:
            field = f"groups.{place}"
            raise Refused(refused.code, refused.detail, field=field, required=refused.required) from None
