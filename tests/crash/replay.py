"""Makes the rows anew from the audit log alone: what the events say must be what the tables hold.

Events are taken in their order. Each says what was before: that must be what the events until then made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from retinue.replica.records import Kind

Row = dict[str, Any]
Tables = Mapping[str, list[Row]]
#: A row: its table and id.
Place = tuple[str, str]

#: The table of an event's subject, by the noun of its type; events of other nouns change no row.
TABLES = {
    "organization": "directory_organization",
    "account": "directory_principal",
    "user": "directory_principal",
    "role": "access_role",
    "role_assignment": "access_roleassignment",
    "group": "access_group",
    "grant": "access_grant",
    "permission": "access_permission",
    "key": "credentials_credential",
    "pat": "credentials_credential",
    "node_credential": "credentials_credential",
    "node": "nodes_node",
    "identity_key": "nodes_identitykey",
}
_MAKES = frozenset({"created", "issued", "assigned", "enrolled", "declared", "key_published"})
_REMOVES = frozenset({"grant.deleted", "role.removed"})
#: Events whose noun is not their subject.
_NOUNS = {
    "node.key_published": "identity_key",
    "role.assigned": "role_assignment",
    "role.removed": "role_assignment",
}
#: What a new row holds beside what its event says.
_NEW: dict[str, Row] = {
    "account": {"state": "enabled", "state_reason": ""},
    "key": {"state": "active", "reason": "", "retires_at": None, "rotated_to": ""},
    "permission": {"is_withdrawn": False},
    "node": {"state": "enrolled"},
}
#: Fields of events that the tables call otherwise, before and after the change.
_BEFORE = {"account": "principal_id", "principal": "principal_id"}
_AFTER = {
    **_BEFORE,
    "operator": "is_operator",
    "credential": "credential_id",
    "reason_code": "reason",
    "reason": "reason_text",
}


def whole_events(tables: Tables) -> list[Row]:
    """Return the events in their order, each with its personal part back in its place."""
    personal = {row["event_id"]: row["data"] for row in tables["ledger_personalpart"]}
    found = []
    for row in sorted(tables["ledger_auditevent"], key=lambda row: (row["revision"], row["n"])):
        apart = personal.get(row["id"], {})
        before, after = row["before"] | apart.get("before", {}), row["after"] | apart.get("after", {})
        found.append({**row, "before": before, "after": after})
    return found


def noun_of(event: Row) -> str:
    """Return the noun of an event's type, or that of its subject where the type names another."""
    return _NOUNS.get(event["type"], str(event["type"].partition(".")[0]))


def replay(events: list[Row]) -> tuple[dict[Place, Row], list[str]]:
    """Return the rows that the events make, and which events do not follow from those before."""
    rows: dict[Place, Row] = {}
    findings: list[str] = []
    for event in events:
        noun = noun_of(event)
        if noun not in TABLES:
            continue
        place = (TABLES[noun], event["subject"])
        said = f"event {event['id']} {event['type']} of {event['subject']}"
        if event["type"].partition(".")[2] in _MAKES:
            if place in rows:
                findings.append(f"{said}: it was there already")
            rows[place] = {**_NEW.get(noun, {}), **_renamed(event["after"], _AFTER)}
        elif place not in rows:
            findings.append(f"{said}: it was never made")
        else:
            before = _renamed(event["before"], _BEFORE)
            findings += [f"{said}: {text}" for text in unlike(before, rows[place])]
            rows[place] |= _changes(event)
            if event["type"] in _REMOVES:
                del rows[place]
    return rows, findings


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> Row:
    return {names.get(name, name): value for name, value in fields.items()}


def _changes(event: Row) -> Row:
    changed = _renamed(event["after"], _AFTER)
    if event["type"] == "permission.withdrawn":
        changed["is_withdrawn"] = True
    # A rotation without overlap ends the predecessor in the same transaction.
    if event["type"] == "key.rotated" and changed["retires_at"] == event["at"]:
        changed |= {"state": "revoked", "reason": "superseded"}
    if noun_of(event) == "account" and "state" in changed:
        changed["state_reason"] = changed.pop("reason_text", "")
    return changed


def unlike(said: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that both have, with different values."""
    for name in sorted(said.keys() & there.keys()):
        if said[name] != there[name] and (said[name] or there[name]):
            yield f"{name}={said[name]!r} is said, {there[name]!r} is there"


def differences(rows: Mapping[Place, Row], tables: Tables) -> Iterator[str]:
    """Yield where the rows that the events make are not those of the tables."""
    present = {
        (table, str(row.get("id") or row.get("kid") or row.get("name"))): row
        for table in sorted(set(TABLES.values()))
        for row in tables[table]
    }
    owners: dict[str, list[str]] = {}
    for each in sorted(tables["directory_ownership"], key=lambda each: int(each["id"])):
        owners.setdefault(each["account_id"], []).append(each["owner_id"])
    for place in sorted(present.keys() - rows.keys()):
        yield f"{place}: a row without an event"
    for place in sorted(rows.keys() - present.keys()):
        yield f"{place}: an event without its row"
    for place in sorted(rows.keys() & present.keys()):
        there = {**present[place], "owners": owners.get(place[1], [])}
        yield from (f"{place}: {text}" for text in unlike(rows[place], there))


def touched(event: Row) -> set[tuple[str, str]]:
    """Return the records, kind and key, that nodes must fetch anew after an event."""
    subject, fields = event["subject"], event["after"] or event["before"]
    if event["type"] == "key.renamed":  # nodes know no name of a key
        return set()
    match noun_of(event):
        case "account" | "user":
            return {(Kind.PRINCIPAL, subject)}
        case "grant" | "role_assignment":
            return {(Kind.PRINCIPAL, fields["subject"])}
        case "role" | "group":
            return {(Kind.HOLDER, subject)}
        case "key" | "pat" | "node_credential":
            return {(Kind.CREDENTIAL, subject.partition("_")[2])}
        case "permission":
            return {(Kind.PERMISSION, subject)}
        case "identity_key":
            return {(Kind.IDENTITY_KEY, subject)}
        case "organization":
            return {(Kind.ORGANIZATION, subject), (Kind.ORGANIZATION_HANDLE, fields["handle"])}
    return set()
