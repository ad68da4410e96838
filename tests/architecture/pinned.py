"""Shows that the tests of ``keys_shown`` would notice a key that does nothing: ``make policy-keys``.

Each is run once for each of its keys with that key pinned to its default, whatever a document says. One that
passes all the same shows nothing. Minutes, so it is no part of the suite.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from _pytest.runner import runtestprotocol

from tests.architecture.keys_shown import FIXED, SHOWN_BY


@contextmanager
def pinned(leaf: str) -> Iterator[None]:
    """Let a key, or a member of one, have its default in every policy that is read."""
    from retinue.server.policies import queries, rules, stored
    from retinue.server.policies.keys import KEYS
    from retinue.server.policies.policy import NATIVE, Policy
    from retinue.server.policies.rules import Compiled

    name, member = (leaf, "") if leaf in KEYS else leaf.rsplit(".", 1)
    field = KEYS[name].field
    attribute = "from_" if member == "from" else member

    def pin(policy: Policy) -> Policy:
        value = getattr(NATIVE, field)
        if member:
            value = replace(getattr(policy, field), **{attribute: getattr(value, attribute)})
        return replace(policy, **{field: value})

    def held(compiled: Compiled) -> Compiled:
        environments = {label: pin(policy) for label, policy in compiled.environments.items()}
        return replace(compiled, policy=pin(compiled.policy), environments=environments)

    usual, kept = rules.compiled, stored.kept
    # What is read, and what a change is told of itself.
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rules, "compiled", lambda document: held(usual(document)))
        patched.setattr(stored, "kept", lambda document: (held(kept(document)[0]), []))
        queries._version.cache_clear()
        yield
    queries._version.cache_clear()


class Pinning:
    """The plugin: runs tests for their keys, and remembers which of them noticed."""

    def __init__(self, leaves: dict[str, list[str]]) -> None:
        self._leaves = leaves
        self.noticed = {leaf: False for each in leaves.values() for leaf in each}
        #: Tests that fail without any pin: what they notice says nothing.
        self.broken: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test as it is, and for each of its keys; keep its failures to itself."""
        leaves = [each for each in self._leaves[item.nodeid.partition("[")[0]] if not self.noticed[each]]
        reports = runtestprotocol(item, nextitem=item, log=False) if leaves else []
        if any(each.failed for each in reports):
            self.broken += [f"{item.nodeid}: {each.longreprtext[-400:]}" for each in reports if each.failed]
            leaves = []
        for leaf in leaves:
            item._initrequest()  # type: ignore[attr-defined]
            with pinned(leaf):
                reports = runtestprotocol(item, nextitem=item, log=False)
            self.noticed[leaf] = any(each.failed and each.when == "call" for each in reports)
        item.session._setupstate.teardown_exact(nextitem)
        return True


def main() -> int:
    """Run them all; name the keys whose tests noticed nothing."""
    leaves = {
        f"tests/{file}.py::{test}": [leaf for leaf in found if leaf not in FIXED]
        for file, tests in SHOWN_BY.items()
        for test, found in tests.items()
    }
    plugin = Pinning(leaves)
    asked = sys.argv[1:]
    places = [place for place, found in leaves.items() if not asked or set(found) & set(asked)]
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *places], plugins=[plugin])
    wanted = asked or list(plugin.noticed)
    unnoticed = [leaf for leaf in wanted if not plugin.noticed[leaf]]
    print(f"{len(wanted) - len(unnoticed)} of {len(wanted)} keys are noticed", *unnoticed, sep="\n  ")
    print(f"{len(plugin.broken)} tests fail as they are", *plugin.broken, sep="\n  ")
    return 1 if unnoticed or plugin.broken else 0


if __name__ == "__main__":
    sys.exit(main())
