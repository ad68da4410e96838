"""The closed catalogue of audit events.

``additive`` events never take access away from anybody; everything else reduces, and a change that
reduces is waited for on every node. ``personal`` names the fields of before and after that are personal
data and are therefore kept apart from the event.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Personal wherever they appear: the free text may name people.
_TEXT = ("reason", "justification", "url")
_SIGNING_IN = ("email", "label", "subject", *_TEXT)
#: Filters may name people.
_VIEW = ("name", "filters", *_TEXT)
_PERSON = ("email", "name", "handle", *_TEXT)


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its name, the kind of its subject, and what it means.

    An ``additive`` one that may take access away this time says so where it is recorded.
    """

    name: str
    subject: str
    meaning: str
    additive: bool = False
    personal: tuple[str, ...] = _TEXT


#: What events call the kinds of credentials: in their own names, as subject, and in words.
_CREDENTIALS = (
    ("key", "api_key", "An API key"),
    ("pat", "personal_access_token", "A personal access token"),
    ("ingest_token", "ingest_token", "An ingest token"),
)
_CREDENTIAL_LIFE = (
    ("issued", "{} was issued.", True),
    ("renamed", "{} was renamed.", True),
    ("restricted", "{} was narrowed to other networks, endpoints, methods or times.", False),
    ("widened", "{} was narrowed less than before.", True),
    ("rotated", "{} got a successor and retires at a stated time.", False),
    ("regenerated", "{} got a new secret under the same id.", False),
    ("reissued", "{}: its unused secret was replaced after a lost answer.", False),
    ("expiry_shortened", "{} ends earlier than before.", False),
    ("expiry_extended", "{} ends later than before.", True),
    ("suspended", "{} was suspended, because the policy says so.", False),
    ("expiry_warned", "{} ends soon: a threshold of `expiry.warn_days` was reached.", True),
    ("expired", "{} has reached its end.", True),
    # What the report ends, another event says.
    ("leaked", "{}: its token was found where it does not belong, and reported.", True),
    ("revoked", "{} was revoked.", False),
    ("restored", "{} was restored: it is used as before.", True),
    ("deleted", "{} was deleted after its end; a tombstone stays.", False),
)

EVENTS: dict[str, EventType] = {
    event.name: event
    for event in (
        EventType("organization.created", "organization", "An organization was created.", additive=True),
        EventType(
            "organization.updated", "organization", "An organization was given another name.", additive=True
        ),
        EventType("organization.enabled", "organization", "An organization was enabled.", additive=True),
        EventType("organization.disabled", "organization", "An organization was disabled, with all it has."),
        EventType("organization.deleted", "organization", "An organization was deleted; a tombstone stays."),
        EventType(
            "import_scheme.created",
            "import_scheme",
            "It was stated how another system digested the tokens that are imported.",
            additive=True,
        ),
        EventType(
            "key.proven",
            "key",
            "An imported key's token was first presented; our digest took the place of its slow hash.",
            additive=True,
        ),
        EventType(
            "key.overlap_extended",
            "api_key",
            "An API key that was rotated retires later than was stated.",
            additive=True,
        ),
        EventType(
            "key.rotation_undone",
            "api_key",
            "A rotation was taken back: the API key stays in use, and its successor was revoked.",
            additive=True,
        ),
        EventType("policy.changed", "policy", "The policy of an organization was changed."),
        EventType("user.created", "user", "A user was created.", additive=True, personal=_PERSON),
        EventType("user.updated", "user", "Fields of a user were changed.", additive=True, personal=_PERSON),
        EventType("user.enabled", "user", "A user was enabled.", additive=True, personal=_PERSON),
        EventType("user.disabled", "user", "A user was disabled.", personal=_PERSON),
        EventType("user.deleted", "user", "A user was deleted, the tokens revoked.", personal=_PERSON),
        EventType("user.activated", "user", "A user chose a password.", additive=True, personal=("email",)),
        EventType("invitation.issued", "invitation", "A user was invited.", additive=True),
        EventType("invitation.replaced", "invitation", "An invitation ended: another one was made."),
        EventType("invitation.reissued", "invitation", "The secret of an invitation was replaced."),
        EventType("invitation.used", "invitation", "An invitation ended: its user chose a password."),
        EventType("invitation.revoked", "invitation", "An invitation was taken back."),
        EventType("invitation.refused", "invitation", "A wrong invitation was refused.", additive=True),
        EventType("account.created", "service_account", "A service account was created.", additive=True),
        EventType(
            "account.updated", "service_account", "Fields of a service account were changed.", additive=True
        ),
        EventType("account.enabled", "service_account", "A service account was enabled.", additive=True),
        EventType(
            "account.approved", "service_account", "A second principal approved an account.", additive=True
        ),
        EventType("account.disabled", "service_account", "A service account was disabled."),
        EventType("account.deleted", "service_account", "A service account was deleted, its keys revoked."),
        EventType(
            "account.restored",
            "service_account",
            "A deleted service account was restored: disabled, without credentials.",
            additive=True,
        ),
        EventType("role.created", "role", "A role was created.", additive=True),
        EventType("role.updated", "role", "A role was changed; its holders may do less or more."),
        EventType("role.deleted", "role", "A role was deleted; who held it has it no more."),
        EventType("role.assigned", "role_assignment", "A role was assigned.", additive=True),
        EventType("role.approved", "role_assignment", "A second person approved a role.", additive=True),
        EventType("role.removed", "role_assignment", "A role was removed from who held it."),
        EventType("grant.created", "grant", "A permission was granted.", additive=True),
        EventType("grant.approved", "grant", "A second person approved a grant.", additive=True),
        EventType("grant.deleted", "grant", "A grant was deleted."),
        EventType("group.created", "group", "A group was created.", additive=True),
        EventType("group.updated", "group", "A group, or who belongs to it by rule, was changed."),
        EventType("group.deleted", "group", "A group was deleted; its members have nothing by it."),
        EventType("team.created", "team", "A team was created.", additive=True),
        EventType("team.updated", "team", "A team, or who belongs to it by rule, was changed."),
        EventType("team.deleted", "team", "A team was deleted; its members have nothing by it."),
        EventType("team.resources_changed", "team", "Resources were put into a team or taken out."),
        EventType("member.added", "membership", "A principal joined a group or team.", additive=True),
        EventType("member.approved", "membership", "A second person approved a member.", additive=True),
        EventType("member.removed", "membership", "A principal left a group or team."),
        EventType("access_policy.created", "access_policy", "An access policy was created.", additive=True),
        EventType("access_policy.updated", "access_policy", "An access policy was changed."),
        EventType(
            "access_policy.approved", "access_policy", "A second person approved a policy.", additive=True
        ),
        EventType("access_policy.deleted", "access_policy", "An access policy was deleted."),
        *(
            EventType(f"{noun}.{verb}", subject, meaning.format(called), additive=additive)
            for noun, subject, called in _CREDENTIALS
            for verb, meaning, additive in _CREDENTIAL_LIFE
        ),
        EventType("permission.declared", "permission", "The host declared a permission.", additive=True),
        EventType(
            "permission.described", "permission", "Label, description or sensitivity changed.", additive=True
        ),
        EventType("permission.withdrawn", "permission", "The host no longer declares a permission."),
        EventType("node.enrolled", "node", "A node was enrolled.", additive=True),
        EventType("node.removed", "node", "A node was removed; its polls are refused."),
        EventType("node_credential.issued", "node_credential", "A node got its credential.", additive=True),
        EventType(
            "node_credential.reissued",
            "node_credential",
            "The secret of a node's unused credential was replaced after a lost answer.",
        ),
        EventType("node_credential.revoked", "node_credential", "The credential of a node was revoked."),
        EventType("node.key_published", "identity_key", "A node published an identity key.", additive=True),
        # A lease is refused to a machine, no right is taken from anybody: there is nothing to wait for.
        EventType(
            "node.clock_refused",
            "node",
            "A node's clock was found slow: it gets no lease and decides nothing.",
            additive=True,
        ),
        EventType(
            "node.clock_accepted", "node", "A node's clock keeps pace again: it gets leases.", additive=True
        ),
        EventType(
            "node.clock_loss",
            "node",
            "A node's machine stood still, or lost time: within it, a revoke may not have held there.",
            additive=True,
        ),
        EventType(
            "node.probe_stale",
            "node",
            "A node accepted a probe's canary after its revoke was promised: the promise was broken.",
            additive=True,
        ),
        EventType(
            "receipt.completed",
            "receipt",
            "A change holds on every node, or its lease has ended.",
            additive=True,
        ),
        EventType(
            "epoch.raised",
            "epoch",
            "The history is in doubt: no lease and no receipt until the journals of the nodes are in.",
            additive=True,
        ),
        EventType(
            "epoch.node_skipped", "node", "The journal of a node is not waited for any longer.", additive=True
        ),
        EventType(
            "epoch.opened",
            "epoch",
            "What the nodes knew and the database had lost was done again; leases and receipts run.",
            additive=True,
        ),
        EventType(
            "credential.lost",
            "credential",
            "Nodes know a credential that a restored database does not; it is refused.",
            additive=True,
        ),
        EventType("node.key_withdrawn", "identity_key", "An identity key of a node ended."),
        EventType("setup_code.issued", "setup_code", "A one-time setup code was printed.", additive=True),
        EventType("setup_code.replaced", "setup_code", "A setup code ended: another one was printed."),
        EventType("setup_code.used", "setup_code", "A setup code ended: the first administrator was made."),
        EventType("setup_code.refused", "setup_code", "A wrong setup code was refused.", additive=True),
        EventType(
            "session.opened", "user", "A person signed in to the console.", additive=True, personal=("email",)
        ),
        EventType(
            "device_sign_in.granted",
            "user",
            "A person granted a session to a terminal that had shown a code.",
            additive=True,
            personal=("email", "client_name", "address"),
        ),
        EventType(
            "device_sign_in.denied",
            "user",
            "A person refused a session to a terminal that had shown a code.",
            additive=True,
            personal=("email", "client_name", "address"),
        ),
        *(
            EventType(name, "user", meaning, additive=True, personal=_SIGNING_IN)
            for name, meaning in (
                ("session.confirmed", "A person who is signed in showed again who it is."),
                ("session.closed", "A person signed out, or sessions were ended."),
                ("session.refused", "A sign-in was refused."),
                ("password.changed", "A person chose another password."),
                ("factor.added", "A person set up an authenticator app or a passkey."),
                ("factor.renamed", "A person gave a passkey another name."),
                ("factor.removed", "What a person signed in with beside the password was removed."),
                ("identity.linked", "A person signs in through the identity provider from now on."),
                ("identity.unlinked", "A person signs in through the identity provider no more."),
                ("user.sign_in_reset", "What a user signs in with was removed by somebody else."),
                ("recovery_codes.issued", "A person got recovery codes; the ones before ended."),
                ("recovery_codes.used", "A person signed in with a recovery code."),
            )
        ),
        EventType("finding.accepted", "finding", "Somebody answers for it until a date.", additive=True),
        EventType("review.opened", "review", "An access review was opened.", additive=True),
        EventType("review.prepared", "review", "Evidence in a review was gathered.", additive=True),
        EventType("review.decided", "review_item", "A decision was made, or taken back.", additive=True),
        EventType("review.applied", "review", "The decisions of a review were applied.", additive=True),
        EventType("review.cancelled", "review", "An access review was cancelled.", additive=True),
        EventType("review.exported", "review", "The result of an access review was exported.", additive=True),
        EventType("webhook.created", "webhook", "A webhook was created.", additive=True),
        EventType(
            "webhook.updated", "webhook", "Name, address or events of a webhook changed.", additive=True
        ),
        EventType("webhook.enabled", "webhook", "A webhook was enabled.", additive=True),
        EventType("webhook.disabled", "webhook", "A webhook was disabled; nothing is sent.", additive=True),
        EventType("webhook.rotated", "webhook", "A webhook got another secret.", additive=True),
        EventType("webhook.tested", "webhook", "Somebody had a webhook called, as a test.", additive=True),
        EventType("webhook.retried", "webhook", "What a webhook did not take is tried again.", additive=True),
        EventType("webhook.deleted", "webhook", "A webhook was deleted.", additive=True),
        EventType(
            "saved_view.created", "saved_view", "A view of a list was saved.", additive=True, personal=_VIEW
        ),
        EventType(
            "saved_view.updated", "saved_view", "A saved view was changed.", additive=True, personal=_VIEW
        ),
        EventType(
            "saved_view.deleted", "saved_view", "A saved view was deleted.", additive=True, personal=_VIEW
        ),
        EventType("finding.reopened", "finding", "An exception was taken back.", additive=True),
        EventType(
            "audit_log.expired",
            "organization",
            "Events went that the organization keeps no longer: how many, which, and their digest.",
            additive=True,
        ),
        EventType("change.refused", "operation", "A change was refused by a rule.", additive=True),
    )
}
