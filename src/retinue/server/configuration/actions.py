"""Makes the steps of a plan, by the same actions as everything else: ceiling, bans and limits hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields as dataclass_fields
from typing import Any

from retinue.server.access import actions as access
from retinue.server.access import (
    group_actions,
    policy_actions,
    role_actions,
    subjects,
)
from retinue.server.access.queries import Group
from retinue.server.access.roles import ROLES
from retinue.server.access.subjects import Subject
from retinue.server.configuration import naming, rules
from retinue.server.configuration.linking import Linking
from retinue.server.configuration.rules import Step
from retinue.server.credentials import actions as credentials
from retinue.server.credentials import founding
from retinue.server.directory import actions as directory
from retinue.server.directory.queries import Principal
from retinue.server.directory.rules import AccountFields
from retinue.server.errors import Refused
from retinue.server.ledger.transaction import Transaction
from retinue.server.policies import actions as policies
from retinue.server.policies.queries import policy_of
from retinue.server.policies.rules import Document

_GROUP_FIELDS = ("name", "description", "match", "conditions")
_POLICY_FIELDS = ("name", "description", "match", "conditions", "enabled")
_KINDS = {"groups": Group.GROUP, "teams": Group.TEAM}


class Applying:
    """One document being applied to one organization, inside the transaction that commits it."""

    def __init__(self, tx: Transaction, organization_id: str, justification: str = "") -> None:
        self._tx = tx
        self._organization = organization_id
        self._why = justification
        self._linking = Linking(tx, organization_id, justification)

    def apply(self, steps: Iterable[Step]) -> None:
        """Make all steps: objects first, then what names them, then what goes.

        Raises :class:`Refused` that names the object whose step a rule forbids; the caller's transaction then
        commits nothing.
        """
        given = list(steps)
        made = [step for step in given if step.act != "delete"]
        for step in made:
            self._named(step, self._make)
        for step in made:
            self._named(step, self._link)
        gone = [step for step in given if step.act == "delete"]
        self._check_deleted(sum(step.section == "service_accounts" for step in gone))
        for step in gone:
            self._named(step, self._delete)

    def _check_deleted(self, accounts: int) -> None:
        """Refuse to delete more accounts than one call may."""
        if accounts > 1 and not policy_of(self._organization).accounts_delete_bulk:
            raise Refused(
                "state_conflict",
                f"{accounts} would go: the policy lets accounts be deleted one at a time",
                field="service_accounts",
            )

    def _named(self, step: Step, act: Any) -> None:
        try:
            act(step)
        except Refused as refused:
            raise Refused(
                refused.code,
                f"{step.act} {step.section} {step.key}: {refused.detail}",
                field=f"{step.section}.{step.key}" + (f".{refused.field}" if refused.field else ""),
                required=refused.required,
            ) from None

    # --- objects ---

    def _make(self, step: Step) -> None:
        match step.section:
            case "policy":
                policies.change(self._tx, self._organization, lambda _: Document(**dict(step.after)))
            case "users":
                self._user(step)
            case "roles":
                self._role(step)
            case "groups" | "teams":
                self._group(step)
            case "service_accounts":
                self._account(step)
            case "access_policies":
                self._access_policy(step)

    def _user(self, step: Step) -> None:
        if step.act == "create":
            name = step.after.get("name") or step.key.partition("@")[0]
            user = access.create_user(self._tx, self._organization, email=step.key, name=name)
        else:
            user = naming.user(self._organization, step.key)
            if "name" in step.after:
                access.rename_user(self._tx, user, step.after["name"])
        state = step.after.get("state", user.state)
        if state == "disabled" and user.state == "enabled":
            founding.check_may_go(self._tx, user)
            directory.disable(self._tx, user, self._why)
        elif state == "enabled" and user.state == "disabled":
            directory.enable(self._tx, user)

    def _role(self, step: Step) -> None:
        changes = {name: step.after[name] for name in role_actions.FIELDS if name in step.after}
        like = step.after.get("like")
        if like and like not in ROLES:
            raise Refused("invalid_value", f"one of {', '.join(ROLES)}", field="like")
        if like:
            changes["permissions"] = [*ROLES[like].patterns, *changes.get("permissions", ())]
        if step.act == "create":
            changes.setdefault("name", step.key)
            role_actions.create(self._tx, self._organization, **{**changes, "handle": step.key})
        elif changes:
            role = subjects.role(self._organization, step.key)
            role_actions.update(self._tx, role, changes, self._why)

    def _group(self, step: Step) -> None:
        kind = _KINDS[step.section]
        if step.act == "create":
            group_actions.create(
                self._tx,
                self._organization,
                kind,
                name=step.key,
                description=step.after.get("description") or "",
                rule=step.after.get("rule") or "",
                match=step.after.get("match") or "all",
                stated=step.after.get("conditions") or [],
            )
            return
        if "rule" in step.after:
            raise Refused("invalid_value", "the rule of a group is fixed; make another group", field="rule")
        changes = {name: step.after[name] for name in _GROUP_FIELDS if name in step.after}
        if changes:
            group = subjects.group(self._organization, step.key, kind)
            group_actions.update(self._tx, group, changes, self._why)

    def _account(self, step: Step) -> None:
        known = {each.name for each in dataclass_fields(AccountFields)}
        stated = {name: value for name, value in step.after.items() if name in known and name != "handle"}
        if "owners" in stated:
            owners = (naming.user(self._organization, email) for email in stated["owners"] or ())
            stated["owners"] = tuple(owner.id for owner in owners)
        if "systems" in stated:
            stated["systems"] = tuple(stated["systems"] or ())
        if step.act == "create":
            stated.setdefault("name", step.key)
            account = access.create_account(
                self._tx,
                self._organization,
                AccountFields(handle=step.key, **stated),
                roles=[name for name, _ in map(rules.entry, step.after.get("roles") or ())],
                ends=self._linking.ends(step.after.get("roles") or ()),
                justification=self._why,
            )
            self._linking.made(step, account)
        else:
            account = naming.account(self._organization, step.key)
            if stated:
                account = access.update_account(self._tx, account, stated, self._why)
        state = step.after.get("state")
        if state == "disabled" and account.state == "enabled":
            directory.disable(self._tx, account, self._why)
        elif state == "enabled" and account.state == "disabled" and not account.awaits_approval:
            # What waits for a second principal goes on waiting: the plan tells of it until somebody approves.
            directory.enable(self._tx, account)

    def _access_policy(self, step: Step) -> None:
        changes = {name: step.after[name] for name in _POLICY_FIELDS if name in step.after}
        if step.act == "create":
            policy_actions.create(
                self._tx,
                self._organization,
                name=step.key,
                description=changes.get("description") or "",
                match=changes.get("match") or "all",
                stated=changes.get("conditions") or [],
                named=self._linking.ids(step.after.get("subjects") or ()),
                enabled=changes.get("enabled", True),
            )
            return
        if "subjects" in step.after:
            changes["subjects"] = self._linking.ids(step.after["subjects"] or ())
        if "locked" in step.after and not step.after["locked"]:
            self._change_policy(step.key, {"locked": False})
        if changes:
            self._change_policy(step.key, changes)

    def _change_policy(self, name: str, changes: dict[str, Any]) -> None:
        row = naming.access_policy(self._organization, name)
        policy_actions.update(self._tx, row, changes, self._why)

    # --- what names them ---

    def _link(self, step: Step) -> None:
        if step.section == "policy":
            return
        if step.section in _KINDS:
            group = subjects.group(self._organization, step.key, _KINDS[step.section])
            self._linking.members(group, step)
        subject = self._subject(step)
        if "roles" in step.after and step.section != "roles":
            self._linking.roles(subject, step.after["roles"] or ())
        if "grants" in step.after:
            self._linking.grants(subject, step.after["grants"] or ())
        if step.section == "access_policies" and step.after.get("locked"):
            self._change_policy(step.key, {"locked": True})

    def _subject(self, step: Step) -> Subject | Principal:
        match step.section:
            case "users":
                return naming.user(self._organization, step.key)
            case "service_accounts":
                return naming.account(self._organization, self._linking.account_of(step))
            case "roles":
                role = subjects.role(self._organization, step.after.get("handle", step.key))
                return Subject(role.id, "role", role.handle)
            case "access_policies":
                policy = naming.access_policy(self._organization, step.key)
                return Subject(policy.id, "policy", policy.name)
        group = subjects.group(self._organization, step.key, _KINDS[step.section])
        return Subject(group.id, group.kind, group.name)

    # --- what goes ---

    def _delete(self, step: Step) -> None:
        match step.section:
            case "roles":
                role = subjects.role(self._organization, step.key)
                role_actions.delete(self._tx, role, from_holders=True)
            case "groups" | "teams":
                group = subjects.group(self._organization, step.key, _KINDS[step.section])
                group_actions.delete(self._tx, group)
            case "service_accounts":
                credentials.delete_account(self._tx, naming.account(self._organization, step.key), self._why)
            case "access_policies":
                policy_actions.delete(self._tx, naming.access_policy(self._organization, step.key))
