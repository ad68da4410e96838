"""What records hold, told to people: no values of a program, instants as such, ids as names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from retinue.server.console.viewer import Viewer
from retinue.server.credentials.queries import by_ids
from retinue.server.directory.queries import Principal, principals

#: The page of an id, by how ids begin.
PLACES = {
    "sa_": "account",
    "usr_": "user",
    "rol_": "role",
    "grp_": "group",
    "tea_": "team",
    "acp_": "access_policy",
    "rev_": "review",
    "rcp_": "receipt",
}
CREDENTIALS = ("key_", "pat_", "ing_")
_ID = re.compile(r"(?:" + "|".join((*PLACES, *CREDENTIALS)) + r")[A-Za-z0-9]+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
#: What a member of a record is called; any other by its own name, with spaces.
FIELDS = {
    "name": lazy("Name"),
    "handle": lazy("Handle"),
    "email": lazy("E-mail"),
    "description": lazy("Description"),
    "purpose": lazy("Purpose"),
    "documentation": lazy("Documentation"),
    "environment": lazy("Environment"),
    "systems": lazy("Systems"),
    "owners": lazy("Owners"),
    "roles": lazy("Roles"),
    "role": lazy("Role"),
    "permissions": lazy("Permissions"),
    "permission": lazy("Permission"),
    "state": lazy("State"),
    "reason": lazy("Reason"),
    "expires_at": lazy("Expires"),
    "retires_at": lazy("Retires"),
    "last_used_at": lazy("Last used"),
    "issued_at": lazy("Issued"),
    "node": lazy("Node"),
    "account": lazy("Account"),
    "address": lazy("Address"),
    "missing": lazy("Missing"),
    "unused": lazy("Unused"),
    "unused_count": lazy("Number of unused"),
    "held": lazy("Held"),
    "used": lazy("Used"),
    "uses": lazy("Uses"),
    "networks": lazy("Networks"),
    "count": lazy("Number"),
    "first": lazy("First"),
    "last": lazy("Last"),
    "client": lazy("Client"),
    "pattern": lazy("Pattern"),
    "successor": lazy("Successor"),
    "source": lazy("Source"),
    "url": lazy("Address"),
    "reports": lazy("Reports"),
    "version": lazy("Version"),
    "label": lazy("Name"),
    "restrictions": lazy("Restrictions"),
    "methods": lazy("Methods"),
    "endpoints": lazy("Endpoints"),
    "kind": lazy("Kind"),
    "principal": lazy("Principal"),
    "attributes": lazy("Attributes"),
    "justification": lazy("Justification"),
    "assignee": lazy("New owner"),
    "due_at": lazy("Due"),
    "updated_at": lazy("Changed"),
    "accounts": lazy("Accounts"),
    "added": lazy("Added"),
    "algorithm": lazy("Algorithm"),
    "approved_by": lazy("Approved by"),
    "at": lazy("At"),
    "awaits_approval": lazy("Awaits approval"),
    "behind": lazy("Behind"),
    "bypass_scopes": lazy("Not kept to teams"),
    "cause": lazy("Cause"),
    "code": lazy("Code"),
    "columns": lazy("Columns"),
    "conditions": lazy("Conditions"),
    "credential": lazy("Credential"),
    "decision": lazy("Decision"),
    "declared": lazy("Declared"),
    "delivery": lazy("Delivery"),
    "density": lazy("Density"),
    "environments": lazy("Environments"),
    "epoch": lazy("Epoch"),
    "event": lazy("Event"),
    "events": lazy("Events"),
    "everything": lazy("Everything"),
    "factors": lazy("Second factors"),
    "field": lazy("Field"),
    "filters": lazy("Filters"),
    "group_id": lazy("Group"),
    "host": lazy("Host"),
    "how": lazy("How"),
    "incarnation": lazy("Incarnation"),
    "is_bound": lazy("For one resource"),
    "is_enabled": lazy("In force"),
    "is_locked": lazy("Locked"),
    "is_pending": lazy("Awaits approval"),
    "is_shared": lazy("Shared"),
    "kept": lazy("Kept"),
    "like": lazy("Modelled on"),
    "list": lazy("List"),
    "locked": lazy("Locked"),
    "match": lazy("Must hold"),
    "nodes": lazy("Nodes"),
    "note": lazy("Note"),
    "object": lazy("Object"),
    "operator": lazy("Operator"),
    "origin": lazy("Origin"),
    "outcomes": lazy("Outcomes"),
    "overrides": lazy("Own values"),
    "owner": lazy("Owner"),
    "password": lazy("Password"),
    "patterns": lazy("Patterns"),
    "pending_by": lazy("Asked for by"),
    "pepper": lazy("Digest key"),
    "prefix": lazy("Prefix"),
    "preset": lazy("Preset"),
    "previous_until": lazy("The old one until"),
    "principal_id": lazy("Principal"),
    "reason_code": lazy("Reason"),
    "relay": lazy("Relay"),
    "removed": lazy("Removed"),
    "resource": lazy("Resource"),
    "review": lazy("Review"),
    "revision": lazy("Revision"),
    "role_id": lazy("Role"),
    "rotated_from": lazy("Successor of"),
    "rotated_to": lazy("Successor"),
    "rule": lazy("Rule"),
    "sensitivity": lazy("Sensitivity"),
    "sessions_ended": lazy("Sessions ended"),
    "sort": lazy("Sorted by"),
    "status": lazy("Status"),
    "subject": lazy("About"),
    "subjects": lazy("Named"),
    "template": lazy("Template"),
    "until": lazy("Until"),
    "values": lazy("Values"),
    "waited_ms": lazy("Waited, ms"),
    "x": lazy("Public key"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what is told: a text, perhaps with the page that it is about, or an instant."""

    text: str
    url: str = ""
    at: datetime | None = None


def called(name: str) -> str:
    """Return what a member of a record is called."""
    return str(FIELDS.get(name) or name.replace("_", " "))


class Names:
    """Names and pages of what ids stand for, in the viewer's organization; read together, once."""

    def __init__(self, viewer: Viewer, records: Iterable[object]) -> None:
        self._viewer = viewer
        ids = {each for record in records for each in _ids(record)}
        held = by_ids(each for each in ids if each.startswith(CREDENTIALS))
        home = viewer.organization.id
        self._held = {ident: key for ident, key in held.items() if key.organization_id == home}
        wanted = {*ids, *(key.principal_id or "" for key in self._held.values())}
        self._people = {
            ident: each for ident, each in principals(wanted).items() if each.organization_id == home
        }

    def of(self, ident: str) -> str:
        """Return the name behind an id: ``etl/prod`` for a key; the id itself, if nothing is known of it."""
        if ident in self._people:
            return self._people[ident].name
        key = self._held.get(ident)
        if key is None:
            return ident
        holder = self._people.get(key.principal_id or "")
        return f"{holder.name}/{key.name or key.kid}" if holder else key.name or key.kid

    def url(self, ident: str) -> str:
        """Return the page of what an id stands for; empty where it has none."""
        key = self._held.get(ident)
        if key is not None:
            holder = self._people.get(key.principal_id or "")
            if holder is None:
                return self._viewer.url("ingest_tokens")
            is_account = holder.kind == Principal.SERVICE_ACCOUNT
            return self._viewer.url("account", holder.id, "keys") if is_account else self.url(holder.id)
        begin = f"{ident.partition('_')[0]}_"
        is_known = ident in self._people or begin not in ("sa_", "usr_")
        return self._viewer.url(PLACES[begin], ident) if is_known and begin in PLACES else ""

    def told(self, value: object) -> list[Part]:
        """Return a value in parts; nothing, and what holds nothing, is none."""
        return list(self._parts(value))

    def _parts(self, value: object) -> Iterator[Part]:
        if value is None or value in ("", [], {}):
            return
        if isinstance(value, bool):
            yield Part(_("yes") if value else _("no"))
        elif isinstance(value, Mapping):
            yield from self._joined(value, " · ")
        elif isinstance(value, list | tuple):
            yield from self._joined(value, ", ")
        elif isinstance(value, str) and _INSTANT.fullmatch(value):
            yield Part(value, at=datetime.fromisoformat(value))
        elif isinstance(value, str) and _ID.fullmatch(value):
            yield Part(self.of(value), self.url(value))
        else:
            yield Part(str(value))

    def _joined(self, value: Mapping[str, object] | Iterable[object], between: str) -> Iterator[Part]:
        is_named = isinstance(value, Mapping)
        begun = False
        for name, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            parts = list(self._parts(each))
            if parts:
                before = f"{called(str(name))}: " if is_named else ""
                yield from [Part(f"{between if begun else ''}{before}")] if begun or before else []
                yield from parts
                begun = True


def _ids(record: object) -> Iterator[str]:
    if isinstance(record, str):
        if _ID.fullmatch(record):
            yield record
    elif isinstance(record, Mapping):
        for each in record.values():
            yield from _ids(each)
    elif isinstance(record, list | tuple):
        for each in record:
            yield from _ids(each)


def as_text(parts: Iterable[Part]) -> str:
    """Return what is told as one text, to compare."""
    return "".join(part.text for part in parts)
