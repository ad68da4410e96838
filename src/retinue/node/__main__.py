"""``python -m retinue.node worker --index N`` and ``python -m retinue.node follower``.

Started by ``retinue serve``, which gives the settings in the environment.
"""

from __future__ import annotations

import argparse
import os
import sys

from retinue.node.settings import from_environment
from retinue.settings import SettingError
from retinue.supervisor import REFUSES, die_with_parent


def main(arguments: list[str] | None = None) -> int:
    """Run one process of the node. Returns the exit code; REFUSES for a setting that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m retinue.node", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    worker = commands.add_parser("worker", help="answer on the node's port")
    worker.add_argument("--index", type=int, default=0, help="number of this worker on this host")
    commands.add_parser("follower", help="keep the replica of this host up to date")
    chosen = parser.parse_args(arguments)
    try:
        settings = from_environment(os.environ)
    except SettingError as error:
        print(f"retinue.node: {error}", file=sys.stderr)  # noqa: T201
        return REFUSES
    os.umask(0o077)  # what we make is the owner's alone: replica, request log, key
    if settings.supervised:
        die_with_parent()
    if chosen.command == "follower":
        from retinue.node import follower

        return follower.run(settings)
    from retinue.node import worker as serving

    return serving.run(settings, chosen.index)


if __name__ == "__main__":
    sys.exit(main())
