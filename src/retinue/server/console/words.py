"""The words of the console: those of the organization's pack for things and acts, and of the closed sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from retinue.server.policies.terminology import PACKS


class Status(NamedTuple):
    """How a status is shown: its word, what it means, the colour, and the icon."""

    word: object
    meaning: object
    tone: str
    icon: str


ACCOUNT: dict[str, Status] = {
    "deleted": Status(
        lazy("Deleted"), lazy("It can be restored for a time, without its credentials."), "", "deleted"
    ),
    "disabled": Status(
        lazy("Disabled"), lazy("None of its credentials work until it is enabled."), "bad", "disabled"
    ),
    "ownerless": Status(
        lazy("Ownerless"), lazy("Nobody who is still here owns it. It keeps working."), "warn", "ownerless"
    ),
    "idle": Status(lazy("Idle"), lazy("It was not used for the days that the policy names."), "info", "idle"),
    "attention": Status(
        lazy("Attention"), lazy("At least one of its credentials needs action."), "warn", "attention"
    ),
    "active": Status(lazy("Active"), lazy("It works, and nothing needs to be done."), "good", "active"),
}
CREDENTIAL: dict[str, Status] = {
    "deleted": Status(lazy("Deleted"), lazy("What is left of a credential."), "", "deleted"),
    "revoked": Status(lazy("Revoked"), lazy("It does not work any more."), "bad", "revoked"),
    "expired": Status(lazy("Expired"), lazy("Its end has passed."), "bad", "expired"),
    "suspended": Status(lazy("Suspended"), lazy("It does not work, by the policy."), "warn", "suspended"),
    "blocked": Status(lazy("Blocked"), lazy("Its account is not enabled."), "warn", "blocked"),
    "retiring": Status(lazy("Retiring"), lazy("It was replaced, and works for a time."), "info", "retiring"),
    "expiring": Status(lazy("Expiring"), lazy("It works, and ends soon."), "warn", "expiring"),
    "never_used": Status(lazy("Never used"), lazy("It works, and was not used yet."), "info", "never_used"),
    "idle": Status(lazy("Idle"), lazy("It works, and was not used for a long time."), "info", "idle"),
    "active": Status(lazy("Active"), lazy("It works."), "good", "active"),
}
KINDS = {
    "api_key": lazy("API key"),
    "personal_access_token": lazy("Personal access token"),
    "ingest_token": lazy("Ingest token"),
}
REASONS = {
    "no_longer_needed": lazy("No longer needed"),
    "owner_left": lazy("Its owner left"),
    "privilege_withdrawn": lazy("Privilege withdrawn"),
    "compromised": lazy("Compromised: final, never restored"),
    "other": lazy("Other: say which below"),
}
TABS = {
    "overview": lazy("Overview"),
    "keys": lazy("Keys"),
    "access": lazy("Access"),
    "requests": lazy("Request log"),
    "audit": lazy("Audit log"),
    "settings": lazy("Settings"),
}
#: Where a product of the presets has other names for the places of an account.
TABS_OF = {
    "planhat": {
        "overview": lazy("Info"),
        "keys": lazy("API access tokens"),
        "access": lazy("Permissions"),
        "requests": lazy("Logs"),
    },
    "wavefront": {"keys": lazy("Tokens")},
    "qualytics": {"keys": lazy("Tokens")},
    "precisely": {"keys": lazy("API keys")},
}
#: The places that stand first there. What that product has not stands behind them.
ORDER_OF = {"planhat": ("overview", "access", "requests")}
#: Where a row of the accounts has a bin beside its menu.
BIN_OF = {"planhat"}
#: What the list of accounts is called there.
PLACES_OF = {"wavefront": lazy("Account management"), "precisely": lazy("Users")}


_NEUTRAL = (("An API key", "A credential"), ("API key", "credential"), ("API-Schlüssel", "Zugang"))


class Words:
    """The words of one pack. Templates ask for ``words.api_key``, ``words.api_keys``, ``words.Api_keys``."""

    def __init__(self, pack: str) -> None:
        self.pack = pack
        self._one = {name: one for name, (one, _many) in PACKS[pack].items()}
        self._many = {f"{name}s": many for name, (_one, many) in PACKS[pack].items()}
        self._many["access_policies"] = PACKS[pack]["access_policy"][1]

    def __getitem__(self, name: str) -> str:
        """Return a word by its name; with a capital where the name has one. Raises ``KeyError``.

        ``Issue_beside`` is the act beside its noun: a capital only where the language puts the act first.
        """
        plain = name.removesuffix("_beside")
        folded = plain.lower()
        word = _((self._one | self._many)[folded])
        is_within = plain != name and not _("%(act)s %(one)s").startswith("%(act)s")
        return word if plain == folded or is_within else word[:1].upper() + word[1:]

    def title_of(self, act: str, usual: object, name: str) -> str:
        """Return what an act on a named thing is called: by the pack's own word, where it has one.

        ``usual`` is the text for everybody else, with ``%(name)s``.
        """
        if PACKS[self.pack].get(act) == PACKS["retinue"].get(act):
            return str(usual) % {"name": name}
        return _("%(act)s %(one)s") % {"act": self[f"{act.capitalize()}_beside"], "one": name}

    def kind(self, name: str) -> str:
        """Return what a kind of credential is called, with a capital."""
        return self[name.capitalize()]

    def choices(self, choices: Mapping[str, object]) -> list[tuple[str, object]]:
        """Return values and labels of a filter; kinds of credentials by the pack's words."""
        if choices is not KINDS:
            return list(choices.items())
        return [(name, self.kind(name)) for name in choices]

    def neutral(self, text: str) -> str:
        """Return a text that speaks of API keys, without that word where it is not theirs.

        It says credential then, in each language: the nouns have the same gender there.
        """
        if "key" in PACKS[self.pack]["api_key"][0]:
            return text
        for ours, plain in _NEUTRAL:
            text = text.replace(ours, plain)
        return text

    @property
    def accounts_place(self) -> str:
        """What the list of service accounts is called."""
        return str(PLACES_OF.get(self.pack) or self["Service_accounts"])

    @property
    def tabs(self) -> Mapping[str, object]:
        """The tabs of an account, in order, by their place in the address."""
        labels: dict[str, object] = {**TABS, **TABS_OF.get(self.pack, {})}
        return {name: labels[name] for name in (*ORDER_OF.get(self.pack, ()), *labels)}

    @property
    def has_bin(self) -> bool:
        """Whether an account is deleted by a bin in its row, besides the menu."""
        return self.pack in BIN_OF


def marked() -> list[object]:
    """The words of the packs, so that they stand in the catalogues of translations."""
    return [
        lazy("service account"),
        lazy("service accounts"),
        lazy("API key"),
        lazy("API keys"),
        lazy("personal access token"),
        lazy("personal access tokens"),
        lazy("ingest token"),
        lazy("ingest tokens"),
        lazy("token"),
        lazy("tokens"),
        lazy("organization"),
        lazy("organizations"),
        lazy("user"),
        lazy("users"),
        lazy("role"),
        lazy("roles"),
        lazy("group"),
        lazy("groups"),
        lazy("team"),
        lazy("teams"),
        lazy("access policy"),
        lazy("access policies"),
        lazy("issue"),
        lazy("rotate"),
        lazy("revoke"),
        lazy("delete"),
        lazy("disable"),
        lazy("enable"),
        *_of_presets(),
    ]


def _of_presets() -> list[object]:
    return [
        lazy("key"),
        lazy("keys"),
        lazy("API token"),
        lazy("API tokens"),
        lazy("workspace"),
        lazy("workspaces"),
        lazy("service token"),
        lazy("service tokens"),
        lazy("personal API token"),
        lazy("personal API tokens"),
        lazy("service user"),
        lazy("service users"),
        lazy("API secret"),
        lazy("API secrets"),
        lazy("security policy"),
        lazy("security policies"),
        lazy("API access token"),
        lazy("API access tokens"),
        lazy("tenant token"),
        lazy("tenant tokens"),
        lazy("tenant"),
        lazy("tenants"),
        lazy("remove"),
        lazy("generate"),
        lazy("deactivate"),
        lazy("activate"),
    ]
