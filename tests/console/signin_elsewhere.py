"""Signs in to an installation of its own in this process, and prints what a browser would keep, as JSON.

Cookies and hosts are settled when Django starts, so another setting needs another process.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

HOST = "retinue.example"
PASSWORD = "violet-anchor-parade-21"


def _install(home: Path) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "retinue.server.settings"
    django.setup()
    from retinue.server import setup

    who = setup.Administrator("ada@acme.example", "Ada", PASSWORD)
    setup.install(home, setup.Answers("acme", who, home / "admin-token"))


def _sign_in(scheme: str) -> dict[str, object]:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    # What the browser saw: a proxy that ends TLS hands the request on as http, with the browser's headers.
    seen = "http" if os.environ.get("RETINUE_PLAIN_HTTP") else "https"
    headers = {"host": HOST, "origin": f"{seen}://{HOST}", "referer": f"{seen}://{HOST}/login/"}
    page = client.get("/login/", headers=headers, secure=scheme == "https").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    fields = {"csrfmiddlewaretoken": token[1], "login": "ada@acme.example", "password": PASSWORD}
    answer = client.post("/login/", fields, headers=headers, secure=scheme == "https")
    return {
        "status": answer.status_code,
        "cookies": {
            name: [
                bool(morsel["secure"]),
                morsel["httponly"],
                morsel["samesite"],
                morsel["path"],
                morsel["domain"],
            ]
            for name, morsel in client.cookies.items()
        },
        "transport": answer.headers.get("Strict-Transport-Security"),
        "warned": "This connection is not encrypted." in page,
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    _install(Path(os.environ["RETINUE_HOME"]))
    print(json.dumps(_sign_in(os.environ["TEST_SCHEME"])))
