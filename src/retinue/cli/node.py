"""``retinue node``: the nodes that decide."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from retinue.cli import confirm, lookup, output
from retinue.cli.durations import ago
from retinue.cli.exits import CommandError, Exit
from retinue.cli.options import (
    CHANGE_DEFAULTS,
    DANGER_DEFAULTS,
    DEFAULTS,
    ChangeOptions,
    DangerOptions,
    Options,
)
from retinue.cli.session import Session
from retinue.cli.shapes import NODE, PROBED_NODE
from retinue.client import operations as ops
from retinue.client.models import Page
from retinue.client.node_models import Probe

app = App(name="node", help="The nodes of the installation, by name or id.")


@app.command(name="list")
def list_(
    *,
    limit: Annotated[int | None, Parameter(help="At most so many.")] = None,
    options: Options = DEFAULTS,
) -> None:
    """List the nodes, with how far each has followed."""
    session = Session(options, ops.LIST_NODES)
    output.show_list(session.pages(ops.LIST_NODES, None, None, limit), NODE, options)


@app.command
def get(node: str, /, *, options: Options = DEFAULTS) -> None:
    """Show one node."""
    session = Session(options, ops.GET_NODE)
    found = lookup.node(session, node)
    if options.print_curl:
        session.perform(ops.GET_NODE, {"id": found.id})
    output.show_one(found, NODE, options)


@app.command
def enrol(
    name: str,
    /,
    *,
    relay: Annotated[
        bool, Parameter(negative="", help="Other nodes may follow it instead of the control plane.")
    ] = False,
    out: Annotated[
        str | None,
        Parameter(
            help="File for the token (mode 0600, never overwritten), or - to print it.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    options: ChangeOptions = CHANGE_DEFAULTS,
) -> None:
    """Enrol a further node. Its token is told once: into --out FILE, or alone on standard output."""
    session = Session(options, ops.ENROL_NODE)
    with session.handover(out).ready() as handover:
        made = session.perform(ops.ENROL_NODE, None, {"name": name, "relay": relay})
        facts = {"node": msgspec.to_builtins(made.node)}
        as_object = options.output in ("json", "jsonl", "yaml")
        if as_object and not handover.to_file:
            output.show_object({**facts, "token": made.token.reveal()}, options)
        else:
            handover.give(made.token.reveal(), facts)
            if as_object:
                output.show_object(facts, options)
    session.say(f"enrolled node {made.node.name} ({made.node.id})")
    session.say(
        "it needs the installation's pepper too: copy $RETINUE_HOME/pepper to its own home, mode 0600"
    )
    where = handover.path or "FILE"
    listens = " --relay-host ADDRESS --relay-port 8472" if relay else ""
    session.next(f"retinue serve --only node --control-url URL --node-token-file {where}{listens}")


@app.command
def verify(*, options: ChangeOptions = CHANGE_DEFAULTS) -> None:
    """Verify on every node that a revoked key is refused: with a canary key, which is issued for it.

    Prints when each node allowed the canary after its issue, and refused it after its revoke. Exit code 7
    if a node has accepted it after the receipt, or has not reported.
    """
    session = Session(options, ops.CREATE_PROBE)
    probe = session.perform(ops.CREATE_PROBE)
    if options.output in ("json", "yaml"):
        output.show_object(msgspec.to_builtins(probe), options)
    else:
        output.show_list([Page(probe.nodes)], PROBED_NODE, options)
    if not probe.good:
        raise CommandError(_trouble(probe), "retinue node list", Exit.NEGATIVE)
    session.say(f"probe {probe.id}: refused on {len(probe.nodes)} of {len(probe.nodes)} nodes")


def _trouble(probe: Probe) -> str:
    stale = [node.node for node in probe.nodes if node.stale]
    if stale:
        return f"probe {probe.id}: accepted after its receipt by {', '.join(stale)}"
    if probe.missing:
        return f"probe {probe.id}: no report from {', '.join(probe.missing)}"
    return f"probe {probe.id}: its receipt is not complete"


@app.command
def remove(node: str, /, *, options: DangerOptions = DANGER_DEFAULTS) -> None:
    """Remove a node: it is refused from now on and its decisions end."""
    session = Session(options, ops.REMOVE_NODE, ops.LIST_NODES)
    found = lookup.node(session, node)
    evidence = [f"{found.name} ({found.id})", f"last contact: {ago(found.last_contact_at)}"]
    confirm.one("remove", node, evidence, options)
    gone = session.perform(ops.REMOVE_NODE, {"id": found.id})
    session.say(f"removed node {gone.name} ({gone.id})")
    session.show_change([gone], NODE)
    session.next("retinue node list")
