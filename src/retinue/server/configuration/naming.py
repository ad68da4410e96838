"""Finds what a document names: people by address, accounts by handle, groups, teams and policies by name."""

from __future__ import annotations

from collections.abc import Iterable

from retinue.server.access import subjects
from retinue.server.access.queries import AccessPolicy
from retinue.server.configuration.queries import PREFIXES
from retinue.server.directory import queries as people
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import fold
from retinue.server.errors import Refused


def user(organization: str, email: str) -> Principal:
    """Return the user with this e-mail address. Refuses (``not_found``) any other."""
    return people.find_principal(organization, email, Principal.USER, field="user")


def account(organization: str, handle: str) -> Principal:
    """Return the service account with this handle, locked until the commit. Refuses any other."""
    found = people.find_principal(organization, handle, Principal.SERVICE_ACCOUNT, field="account")
    return people.account(organization, found.id, lock=True)


def access_policy(organization: str, name: str) -> AccessPolicy:
    """Return the access policy with this name. Refuses any other."""
    rows = AccessPolicy.objects.filter(organization_id=organization, deleted_at__isnull=True)
    found = rows.filter(name_folded=fold(name)).first()
    if found is None:
        raise Refused("not_found", f"there is no access policy {name!r}", field="access_policy")
    return found


def principal(organization: str, text: str) -> Principal:
    """Return who is written ``user:ADDRESS`` or ``account:HANDLE``."""
    for kind in (Principal.USER, Principal.SERVICE_ACCOUNT):
        prefix = PREFIXES[kind]
        if fold(text).startswith(prefix):
            return people.find_principal(organization, text[len(prefix) :], kind, field="members")
    raise Refused("invalid_value", f"{text!r}: user:ADDRESS or account:HANDLE", field="members")


def ids(organization: str, named: Iterable[str]) -> list[str]:
    """Return the ids of principals, groups and teams, each written with its kind."""
    found = []
    for text in named:
        prefix, _, name = text.partition(":")
        if prefix in ("group", "team"):
            found.append(subjects.group(organization, name, prefix, field="subjects").id)
        else:
            found.append(principal(organization, text).id)
    return found
