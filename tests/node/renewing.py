"""A process that renews a token file, and is killed at its n-th step: ``FILE NEW STEP REACHED``.

A step is a line of the renewal. The control plane is the file ``REACHED``: it exists from the moment that the
new token is accepted.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from retinue.node.credential import NodeToken


def main(path: Path, new: str, last: int, reached: Path) -> None:
    """Renew; SIGKILL before the line that comes after ``last`` others."""
    steps = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal steps
        if frame.f_code is not NodeToken.renew.__code__:
            return None
        if event == "line":
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1
        return trace

    def ask() -> str:
        reached.touch()
        return new

    token = NodeToken(path)
    sys.settrace(trace)
    token.renew(ask)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
