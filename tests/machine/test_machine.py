"""Any order of changes: the node's answers are those of a reference in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from retinue.server.ledger.transaction import Transaction
from tests.machine.access import AccessMachine
from tests.machine.planes import InProcess, Processes
from tests.machine.reference import Account, Organization
from tests.support.installation import Installation

_QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=_QUIET,
        print_blob=True,
    )


class OnDatabase(AccessMachine):
    """The control plane in this process, over the database of the test; the node in memory."""

    make_plane = InProcess


def test_node_and_reference_agree(server_database: str) -> None:
    """
    After every step of every run, each token that was ever issued is answered as the reference says, for
    permissions of the host and of Retinue itself; and every refused change is refused for the expected reason.
    """
    run_state_machine_as_test(OnDatabase, settings=_settings(20 if server_database == "sqlite" else 8, 40))


def test_processes_and_reference_agree(installation: Installation) -> None:
    """
    The same over HTTP against a served control plane and a node, each as a process: a call that has returned
    holds for the next question.
    """

    class Served(AccessMachine):
        make_plane = staticmethod(lambda: Processes(installation))

    run_state_machine_as_test(Served, settings=_settings(4, 25))


def test_a_forgotten_change_is_seen(server_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Negative control: where changes forget to tell the nodes, the machine finds a sequence that shows it.
    """
    monkeypatch.setattr(Transaction, "touch", lambda *_: None)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            OnDatabase, settings=settings(_settings(10, 20), phases=[Phase.generate], print_blob=False)
        )


@pytest.mark.parametrize("forgotten", ["groups", "policies", "roles"])
def test_a_reference_that_forgets_is_seen(
    server_database: str, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    """
    Negative control: with a reference that knows nothing of groups, of access policies or of roles, the machine
    finds a sequence in which node and reference differ.
    """
    whole = Organization.permissions

    def permissions(model: Organization, account: Account) -> frozenset[str]:
        return whole(replace(model, **{forgotten: []}), account)

    monkeypatch.setattr(Organization, "permissions", permissions)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            OnDatabase, settings=settings(_settings(20, 25), phases=[Phase.generate], print_blob=False)
        )
