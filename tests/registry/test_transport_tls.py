"""Https: certificates are checked for the name that was asked for, not for an address."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kombuse_registry.addresses import RequestFailed
from kombuse_registry.transport import Transport


def certificate(folder: Path) -> Path:
    """Key and certificate of `localhost`, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port of an https server of this machine, and its certificate."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b'"ok"')

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return

    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server.server_port, path
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_trusted_certificate_of_the_name_is_taken(
    served: tuple[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, path = served
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    assert Transport(f"https://localhost:{port}").get("/a").json() == "ok"


def test_a_certificate_of_another_name_is_refused(
    served: tuple[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, path = served
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    with pytest.raises(RequestFailed, match=r"not reachable: .*certificate"):
        Transport(f"https://127.0.0.1:{port}").get("/a")


def test_a_certificate_that_nobody_vouches_for_is_refused(served: tuple[int, Path]) -> None:
    port, _ = served

    for allow_insecure in (False, True):
        with pytest.raises(RequestFailed, match=r"not reachable: .*certificate"):
            Transport(f"https://localhost:{port}", allow_insecure=allow_insecure).get("/a")
