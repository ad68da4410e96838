"""The five real gateways, each with the configuration that ``retinue gateway config`` prints."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from retinue import gateways
from retinue.gateways import Address, Parameters, Rule
from tests.support.processes import end_with_parent, free_port, status_of, stop, wait_for
from tests.support.requirements import need, program

NAMES = tuple(gateways.FORMS)
#: What nginx needs around a file of ``conf.d``.
_NGINX = """\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path       proxy;
    fastcgi_temp_path     fastcgi;
    uwsgi_temp_path       uwsgi;
    scgi_temp_path        scgi;
    include retinue.conf;
}
"""


def _nginx(folder: Path) -> list[str]:
    # Its workers write bodies into this folder, which is nobody else's.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + _NGINX)
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


#: How each is started in the folder with its files.
_START: dict[str, Callable[[Path], list[str]]] = {
    "nginx": _nginx,
    "caddy": lambda folder: ["run", "--config", "Caddyfile"],
    "traefik": lambda folder: ["--configFile=traefik.yaml", "--log.level=WARN"],
    "envoy": lambda folder: [
        "-c",
        "envoy.yaml",
        "--log-level",
        "warn",
        "--concurrency",
        "1",
        "--disable-hot-restart",
    ],
    "haproxy": lambda folder: ["-f", "haproxy.cfg", "-db"],
}


def parameters(
    rules: Sequence[str],
    *,
    node_port: int,
    application_port: int,
    organization: str | None = None,
    token_headers: tuple[str, ...] = (),
    asks_caller: bool = False,
    certificate: str | None = None,
    key: str | None = None,
    asks_http2: bool = False,
) -> Parameters:
    """Return the parameters of a gateway on a free port of the loopback."""
    return Parameters(
        tuple(map(Rule.read, rules)),
        node=Address("127.0.0.1", node_port),
        application=Address("127.0.0.1", application_port),
        listen=Address("127.0.0.1", free_port()),
        organization=organization,
        token_headers=token_headers,
        asks_caller=asks_caller,
        certificate=certificate,
        key=key,
        asks_http2=asks_http2,
    )


def _write(name: str, folder: Path, wanted: Parameters, caller: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in gateways.render(name, wanted).items():
        (folder / file).write_text(text)
    if caller is not None:
        line = f'proxy_set_header Retinue-Caller "{caller}";\n'
        (folder / "retinue_caller.conf").write_text(line)


@contextmanager
def start_gateway(
    name: str,
    folder: Path,
    wanted: Parameters,
    *,
    caller: str | None = None,
    tls: ssl.SSLContext | None = None,
    **environment: str,
) -> Iterator[str]:
    """Start a gateway with the printed files; yields its base URL and stops it by its id.

    ``caller`` is the token that it presents as its own; ``tls`` is how to call a gateway that speaks TLS.
    """
    need(name)
    _write(name, folder, wanted, caller)
    if caller is not None:
        environment["RETINUE_CALLER_TOKEN"] = caller
    own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program(name), *_START[name](folder)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **own, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent(),
        )
    url = f"{'https' if tls else 'http'}://{wanted.listen}"
    # Until its rules are there, everything is 404.
    ruled = next(
        re.sub(r"\{\w+\}", "x", rule.path)
        for rule in wanted.rules
        if not rule.methods or "GET" in rule.methods
    )
    try:
        wait_for(
            f"{name} answers",
            lambda: status_of(url + ruled, tls=tls) not in (None, 404) or process.poll() is not None,
        )
        if process.poll() is not None:
            raise RuntimeError((folder / "log").read_text(errors="replace"))
        # Traefik leaves out what it cannot read, and goes on.
        said = (folder / "log").read_text(errors="replace")
        if name == "traefik" and "error while parsing" in said:
            raise RuntimeError(said)
        yield url
    finally:
        stop(process)
