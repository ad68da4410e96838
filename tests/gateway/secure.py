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
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

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


#: After any of these nothing more is told of a call.
_ENDS = (events.StreamEnded, events.StreamReset, events.ConnectionTerminated)
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
    if version == "2":
        return _call_http2(url, authority, named, method, body)
    flags = ["-sS", "-D", "/dev/stderr", "-m", "120", "--path-as-is", "--http1.1", "--cacert", str(authority)]
    lines = "".join(f'header = "{each}"\n' for each in named).encode()
    sent = []
    if body is not None:
        file = authority.with_name("sent")
        file.write_bytes(body)
        sent = ["--data-binary", f"@{file}"]
    done = subprocess.run(
        ["curl", *flags, "-X", method, *sent, "-K", "-", url], input=lines, capture_output=True, check=False
    )
    assert done.returncode == 0, done
    first, *rest = done.stderr.decode("latin-1").split("\r\n")
    spoken, status = first.split(" ")[:2]
    read = (line.partition(":") for line in rest if line)
    told = {name.lower(): value.strip() for name, _, value in read}
    return Told(spoken.removeprefix("HTTP/"), int(status), told, done.stdout)


def _call_http2(url: str, authority: Path, named: list[str], method: str, body: bytes | None) -> Told:
    """
    Call by HTTP/2, header and body in one go. Whoever answers may end the stream before it has read the request
    (RFC 9113, section 8.1); an answer that comes together with that end counts, which curl takes for none.
    """
    where, _, target = url.removeprefix("https://").partition("/")
    host, _, port = where.partition(":")
    told = [(":method", method), (":scheme", "https"), (":authority", where), (":path", f"/{target}")]
    told += [(name, value.strip()) for name, _, value in (each.partition(":") for each in named)]
    if body is not None:
        told.append(("content-length", str(len(body))))
    tls = ssl.create_default_context(cafile=str(authority))
    tls.set_alpn_protocols(["h2"])
    connection = H2Connection(H2Configuration(header_encoding="latin-1", validate_outbound_headers=False))
    connection.initiate_connection()
    connection.send_headers(1, told, end_stream=body is None)
    if body is not None:
        connection.send_data(1, body, end_stream=True)
    fields: dict[str, str] = {}
    read, is_over = b"", False
    with (
        socket.create_connection((host, int(port)), timeout=120) as plain,
        tls.wrap_socket(plain, server_hostname=host) as stream,
    ):
        assert "h2" == stream.selected_alpn_protocol()
        stream.sendall(connection.data_to_send())
        while not is_over and (data := stream.recv(65536)):
            for event in connection.receive_data(data):
                if isinstance(event, events.ResponseReceived | events.TrailersReceived):
                    fields |= {str(name): str(value).strip() for name, value in event.headers}
                elif isinstance(event, events.DataReceived):
                    read += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                is_over |= isinstance(event, _ENDS)
            with suppress(OSError):  # it may have gone
                stream.sendall(connection.data_to_send())
    return Told("2", int(fields.pop(":status")), fields, read)
