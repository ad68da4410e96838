"""A worker that stood still: what came meanwhile is read before time is called."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack

from tests.node.wire import Wire, request
from tests.node.world import Node

#: Longer than silence is borne, with what the sweep needs to notice.
STALL_SECONDS = 5.2


def test_requests_that_came_while_the_worker_stood_still_are_answered(node: Node) -> None:
    """
    Kept connections on which requests wait when the worker goes on are not closed as silent, though they were for
    longer than is borne: the requests are answered.
    """
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(node.port)) for _ in range(10)]
        for wire in wires:
            wire.send(request("/healthz"))
            assert 200 == wire.reply().status
        os.kill(node.process.pid, signal.SIGSTOP)
        try:
            time.sleep(STALL_SECONDS)
            for wire in wires:
                wire.send(request("/healthz"))
        finally:
            os.kill(node.process.pid, signal.SIGCONT)

        assert [200] * len(wires) == [wire.reply().status for wire in wires]
