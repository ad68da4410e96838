"""For gateways that speak TLS: a certificate, a caller of both versions of HTTP, an application of gRPC."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.processes import end_with_parent, free_port, stop, wait_for
from tests.support.requirements import program

_GRPC = """\
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path       proxy;
    fastcgi_temp_path     fastcgi;
    uwsgi_temp_path       uwsgi;
    scgi_temp_path        scgi;
    server {{
        listen 127.0.0.1:{port} http2;
        add_trailer grpc-status 0;
        # So that no length is told: behind it curl would expect no trailers.
        ssi on;
        ssi_types *;
        location / {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header Host         $host;
            proxy_set_header Seen-Version $server_protocol;
            proxy_set_header Seen-TE      $http_te;
        }}
    }}
}}
"""


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10):
        return True
    return False


@contextmanager
def start_grpc(folder: Path, behind: int) -> Iterator[int]:
    """Start what speaks HTTP/2 without TLS as an application of gRPC does, with trailers: nginx before the application
    at the port ``behind``. Yields its port."""
    port = free_port()
    (folder / "grpc.conf").write_text(_GRPC.format(port=port, behind=behind))
    command = [program("nginx"), "-p", str(folder), "-c", str(folder / "grpc.conf"), "-e", "stderr"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent())
    try:
        wait_for("the application listens", lambda: listens(port))
        yield port
    finally:
        stop(process)


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Write ``tls.crt``, ``tls.key``, and ``tls.pem`` with both, for 127.0.0.1; return what a caller trusts."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for file, data in (("tls.crt", public), ("tls.key", private), ("tls.pem", public + private)):
        (folder / file).touch(mode=0o600)
        (folder / file).write_bytes(data)
    return ssl.create_default_context(cafile=str(folder / "tls.crt"))


#: What a call of gRPC says of itself.
GRPC_FIELDS = "content-type: application/grpc", "te: trailers"


@dataclass(frozen=True)
class Told:
    """An answer: version of HTTP, status, header fields and trailers by lower-case name, body."""

    version: str
    status: int
    fields: dict[str, str]
    body: bytes


def call(
    url: str,
    authority: Path,
    *fields: str,
    version: str,
    token: str | None = None,
    method: str = "GET",
    body: bytes | None = None,
) -> Told:
    """Call by TLS and this version of HTTP (``1.1`` or ``2``), the target as it is written; return what is answered."""
    named = [*fields, f"authorization: Bearer {token}"] if token else list(fields)
    flags = [
        "-sS",
        "-D",
        "/dev/stderr",
        "-m",
        "120",
        "--path-as-is",
        f"--http{version}",
        "--cacert",
        str(authority),
        "-X",
        method,
    ]
    lines = "".join(f'header = "{each}"\n' for each in named).encode()
    sent = []
    if body is not None:
        file = authority.with_name("sent")
        file.write_bytes(body)
        sent = ["--data-binary", f"@{file}"]
    for _ in range(5):
        done = subprocess.run(
            ["curl", *flags, *sent, "-K", "-", url], input=lines, capture_output=True, check=False
        )
        # Whoever has answered may end the stream before it has read the request (RFC 9113, section 8.1). curl calls
        # that an error (92), and tells nothing of an answer that it reads together with the end.
        if done.returncode != 92 or done.stderr.startswith(b"HTTP/"):
            break
    assert done.returncode in (0, 92), done
    # With HTTP/2, trailers follow the header there.
    first, *rest = done.stderr.decode("latin-1").split("\r\n")
    spoken, status = first.split(" ")[:2]
    read = (line.partition(":") for line in rest if line)
    told = {name.lower(): value.strip() for name, _, value in read}
    return Told(spoken.removeprefix("HTTP/"), int(status), told, done.stdout)
