"""``retinue serve``: starts the planes as child processes and looks after them until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from retinue.cli import extras, planes, readiness, settings
from retinue.cli.exits import CommandError, Exit

app = App(
    name="serve",
    help_epilogue="Runs until SIGTERM or Ctrl-C, and answers what has begun before it ends; a second Ctrl-C "
    "kills. Flags win over RETINUE_* variables, those over $RETINUE_HOME/retinue.toml.",
)


@app.default
def serve(
    *,
    home: Annotated[Path | None, Parameter(help="The installation. [env: RETINUE_HOME]")] = None,
    host: Annotated[
        str | None, Parameter(help="Address of the control plane. [env: RETINUE_HOST, default 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, Parameter(help="Port of the control plane. [env: RETINUE_PORT, default 8470]")
    ] = None,
    node_host: Annotated[
        str | None, Parameter(help="Address of the node. [env: RETINUE_NODE_HOST, default 127.0.0.1]")
    ] = None,
    node_port: Annotated[
        int | None, Parameter(help="Port of the node. [env: RETINUE_NODE_PORT, default 8471]")
    ] = None,
    workers: Annotated[
        int | None, Parameter(help="Processes of the node. [env: RETINUE_WORKERS, default one a core]")
    ] = None,
    only: Annotated[Literal["control", "node"] | None, Parameter(help="Start one plane alone.")] = None,
    control_url: Annotated[
        str | None,
        Parameter(help="Control plane, or relay, that the node follows. [env: RETINUE_CONTROL_URL]"),
    ] = None,
    node_token_file: Annotated[
        Path | None, Parameter(help="File that holds the node's token. [env: RETINUE_NODE_TOKEN_FILE]")
    ] = None,
    relay_host: Annotated[
        str | None,
        Parameter(help="Address for nodes that follow it. [env: RETINUE_RELAY_HOST, default 127.0.0.1]"),
    ] = None,
    relay_port: Annotated[
        int | None,
        Parameter(help="Port for nodes that follow it; without it none can. [env: RETINUE_RELAY_PORT]"),
    ] = None,
    open_decisions: Annotated[
        bool,
        Parameter(
            negative="",
            help="Answer callers that do not say who they are, also on an address other than loopback. "
            "[env: RETINUE_OPEN_DECISIONS]",
        ),
    ] = False,
    restored: Annotated[
        bool,
        Parameter(
            negative="",
            help="The database was put back from a backup: what was taken away since is asked of the nodes.",
        ),
    ] = False,
    skip_node: Annotated[
        tuple[str, ...],
        Parameter(help="With --restored: do not wait for what this node knows. May be repeated."),
    ] = (),
) -> int:
    """Start control plane and node, and keep them running until SIGTERM or Ctrl-C."""
    from retinue.supervisor import Supervisor, die_with_parent

    if only == "control" and (
        control_url or node_token_file or open_decisions or relay_host or relay_port is not None
    ):
        raise CommandError(
            "--control-url, --node-token-file, --relay-host, --relay-port, --open-decisions are for a node",
            "leave them out",
            Exit.USAGE,
        )
    if skip_node and not restored:
        raise CommandError("--skip-node goes with --restored", "add --restored, or leave it out", Exit.USAGE)
    die_with_parent()
    folder = (home or settings.home()).absolute()
    plan = planes.plan(
        folder, only, host, port, node_host, node_port, workers, control_url, node_token_file, open_decisions,
        relay_host, relay_port,
    )  # fmt: skip
    if plan.control:
        extras.require_server()
    if plan.node:
        extras.require_node()
    planes.check(plan)
    if restored:
        planes.leave_word(plan, skip_node)
    listening = planes.listen(plan)
    readiness.announce_when_ready(planes.listeners(plan))
    return Supervisor(planes.children(plan, listening)).run()
