"""A sample host in a process of its own: ``python -m tests.guard.hosts FRAMEWORK [HOME]``.

Without HOME it decides by a fake guard and tells its tokens; with it, by the replica there. It prints one line
of JSON when it listens, and answers each line on its standard input with one.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from retinue.guard import Guard
from retinue.guard.testing import FakeGuard, Tokens

#: Framework, and how its application is served.
FRAMEWORKS = {
    "asgi": "asgi",
    "wsgi": "wsgi",
    "starlette": "asgi",
    "fastapi": "asgi",
    "flask": "wsgi",
    "django": "wsgi",
    "django-asgi": "asgi",
    "drf": "wsgi",
}
ORGANIZATION = "acme"


def main() -> None:
    """Serve until standard input ends."""
    framework = sys.argv[1]
    home = sys.argv[2] if len(sys.argv) > 2 else None
    fake = None if home else FakeGuard()
    if home:
        os.environ["RETINUE_HOME"] = home
    module = importlib.import_module(f"tests.guard.hosts.{framework.partition('-')[0]}_host")
    guard: Guard = fake if fake is not None else Guard(ORGANIZATION)
    app = module.make(guard) if "-" not in framework else module.make_asgi(guard)
    listener = socket.create_server(("127.0.0.1", 0))
    # Before the thread starts: it may take the socket out of this object at once.
    told: dict[str, Any] = {"port": listener.getsockname()[1], "pid": os.getpid()}
    serve = _asgi if FRAMEWORKS[framework] == "asgi" else _wsgi
    threading.Thread(target=serve, args=(app, listener), daemon=True).start()
    if fake is not None:
        told["tokens"] = _tokens(Tokens(fake))
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        print(json.dumps(_obey(line.strip(), fake)), flush=True)
    os._exit(0)


def _tokens(tokens: Tokens) -> dict[str, str]:
    both = ("report:read", "report:write")
    made = {
        "reader": tokens("report:read", name="reader"),
        "writer": tokens(*both, name="writer"),
        "nobody": tokens(name="nobody"),
        "expired": tokens.expired(*both),
        "revoked": tokens.revoked(*both),
        "retiring": tokens.retiring(*both),
        "expiring": tokens.expiring(*both),
        "due": tokens.rotation_due(*both),
    }
    return {name: fields["Authorization"] for name, fields in made.items()}


def _obey(command: str, fake: FakeGuard | None) -> Any:
    assert fake is not None
    if command == "log":
        taken, fake.replica.log[:] = list(fake.replica.log), []
        return [msgspec.structs.asdict(each) for each in taken]
    fake.replica.is_stale(command == "stale")
    return command


def _asgi(app: Any, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_level="critical", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


def _wsgi(app: Callable[..., Any], listener: socket.socket) -> None:
    from werkzeug.serving import make_server

    host, port = listener.getsockname()
    make_server(host, port, app, threaded=True, fd=listener.detach()).serve_forever()


if __name__ == "__main__":
    main()
