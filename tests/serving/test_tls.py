"""TLS with real certificates and real clients, over both ways that a request can go."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.cli.calls import call, parts
from tests.serving.client import PREDICT, ServerProcess, until

from trimtab.kernel.errors import ProjectInvalid
from trimtab.serving.tls import TlsFiles

ROW = json.dumps({"instances": [{"row": "a", "x": 1}]}).encode()


def make(folder: Path, name: str, *, passphrase: bytes = b"") -> TlsFiles:
    """A self-signed certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    files = TlsFiles(folder / f"{name}.crt", folder / f"{name}.key")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    return files


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("tls")
    make(folder, "tls")
    server = ServerProcess(folder, workers=1, env={**os.environ, "TEST_TLS": "1"})
    server.ready("one")
    yield server
    server.stop()


def connection(server: ServerProcess, trusted: Path) -> http.client.HTTPSConnection:
    """A client that believes one certificate alone."""
    context = ssl.create_default_context(cafile=str(trusted))
    return http.client.HTTPSConnection("localhost", server.port, timeout=10, context=context)


def test_a_client_that_checks_the_certificate_is_answered(encrypted: ServerProcess) -> None:
    client = connection(encrypted, encrypted.folder / "tls.crt")
    # Short, known, long, known, refused.
    for path, body in (*[(PREDICT, ROW)] * 3, ("/healthz", None), (PREDICT, ROW), (PREDICT, ROW * 100)):
        client.request("POST" if body else "GET", path, body)
        with client.getresponse() as answer:
            assert answer.status == (400 if body and body != ROW else 200), answer.read()
            told = json.loads(answer.read() or b"{}")
    assert "error" in told
    assert isinstance(client.sock, ssl.SSLSocket)
    assert client.sock.version() in ("TLSv1.2", "TLSv1.3")
    client.close()


def test_a_client_that_trusts_another_one_goes_away(encrypted: ServerProcess, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        connection(encrypted, make(tmp_path, "other").certificate).request("GET", "/healthz")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_and_plain_http_get_nothing(encrypted: ServerProcess) -> None:
    context = ssl.create_default_context(cafile=str(encrypted.folder / "tls.crt"))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("localhost", encrypted.port), timeout=10) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
    with socket.create_connection(("localhost", encrypted.port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n")
        assert b"alive" not in plain.recv(1000)


def test_a_renewed_certificate_is_used_without_a_restart(encrypted: ServerProcess, tmp_path: Path) -> None:
    folder = encrypted.folder
    old = connection(encrypted, folder / "tls.crt")
    old.request("GET", "/healthz")
    old.getresponse().read()
    new = make(tmp_path, "new")
    before = tmp_path / "before.crt"
    before.write_bytes((folder / "tls.crt").read_bytes())
    (folder / "tls.crt").write_bytes(new.certificate.read_bytes())  # for a while, the two do not belong together
    asyncio.run(until(lambda: "the pair before stays in use" in encrypted.said()))
    first = connection(encrypted, before)
    first.request("GET", "/healthz")
    assert first.getresponse().read()
    new.key.replace(folder / "tls.key")
    until_s = time.monotonic() + 10
    while True:
        client = connection(encrypted, new.certificate)
        try:
            client.request("GET", "/healthz")
            assert client.getresponse().read()
            break
        except ssl.SSLCertVerificationError:
            assert time.monotonic() < until_s, encrypted.said()
            time.sleep(0.05)
        finally:
            client.close()
    old.request("GET", "/healthz")  # what is open stays open
    assert old.getresponse().read()
    for one in (old, first):
        one.close()
    assert "PRIVATE KEY" not in encrypted.said()


@pytest.mark.parametrize(
    ("harm", "what", "got"),
    [
        ("no certificate", "tls_certificate cannot be read", "No such file"),
        ("no key", "tls_key cannot be read", "No such file"),
        ("another key", "tls_key is not the certificate's key", "KEY_VALUES_MISMATCH"),
        ("key for certificate", "tls_certificate is no certificate", ""),
        ("certificate for key", "tls_key is no private key", ""),
        ("empty", "tls_certificate is no certificate", ""),
        ("passphrase", "tls_key", ""),
    ],
)
def test_files_that_do_not_make_it_up_are_told(tmp_path: Path, harm: str, what: str, got: str) -> None:
    files, other = make(tmp_path, "mine"), make(tmp_path, "other", passphrase=b"" if harm != "passphrase" else b"x")
    match harm:
        case "no certificate":
            files.certificate.unlink()
        case "no key":
            files.key.unlink()
        case "another key":
            files.key.write_bytes(other.key.read_bytes())
        case "key for certificate":
            files.certificate.write_bytes(files.key.read_bytes())
        case "certificate for key":
            files.key.write_bytes(files.certificate.read_bytes())
        case "empty":
            files.certificate.write_bytes(b"")
        case "passphrase":
            files = other
    with pytest.raises(ProjectInvalid) as invalid:
        files.context()
    told = invalid.value
    assert what in told.what and got in told.got and told.where and told.allowed and told.do
    assert "PRIVATE KEY" not in str(told)


def test_up_tells_it_before_a_worker_starts(tmp_path: Path) -> None:
    assert call(tmp_path, "init", "shop")[0] == 0
    mine, other = make(tmp_path, "mine"), make(tmp_path, "other")
    folder = tmp_path / "shop"
    for arguments, what in (
        (["--tls-certificate", str(mine.certificate)], "TLS needs two files"),
        (["--tls-certificate", "gone.crt", "--tls-key", str(mine.key)], "tls_certificate cannot be read"),
        (["--tls-certificate", str(mine.certificate), "--tls-key", str(other.key)], "is not the certificate's key"),
    ):
        status, _, error = call(folder, "up", "--port", "0", *arguments)
        assert status == 1 and what in parts(error)["what"], error
    assert not (folder / ".trimtab" / "logs").exists()
