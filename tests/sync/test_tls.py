"""TLS as libpq does it, with our address rules: a real handshake in front of a real server, and each way it can be wrong."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui.sync.door import Client, RemoteRefused
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.postgres import PostgresRemote

from tests.sync.shared import InPostgres

pytest.importorskip("cryptography", reason="certificates are made with the package cryptography")
DAY = datetime.timedelta(days=1)


def certificate(folder: Path, host: str, *, expired: bool = False) -> Path:
    """A file with a key and a certificate for a host, signed by itself; it is its own authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 9 * DAY)
        .not_valid_after(now - DAY if expired else now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{host}{'-expired' if expired else ''}.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


class Front:
    """A TLS end before a Postgres socket: answers the request for TLS, then hands on what comes."""

    def __init__(self, server: str, pem: Path) -> None:
        self._server = server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        try:
            client.recv(8)
            client.sendall(b"S")
            safe = self._context.wrap_socket(client, server_side=True)
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(self._server)
        except OSError:
            client.close()
            return
        threading.Thread(target=self._hand_on, args=(behind, safe), daemon=True).start()
        self._hand_on(safe, behind)

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        target.close()


@pytest.fixture
def fronts(postgres_shared: InPostgres) -> Iterator[list[Front]]:
    """The fronts that a test opens."""
    made: list[Front] = []
    yield made
    for front in made:
        front.close()


def address(shared: InPostgres, fronts: list[Front], pem: Path, authority: Path) -> str:
    """The address of a new front with this certificate, for who trusts this authority."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    given = conninfo_to_dict(shared.url)
    fronts.append(Front(f"{given['host']}/.s.PGSQL.{given.get('port', 5432)}", pem))
    return str(
        make_conninfo(
            user=given["user"],
            dbname=given["dbname"],
            host="localhost",
            hostaddr="127.0.0.1",
            port=fronts[-1].port,
            sslmode="verify-full",
            sslrootcert=str(authority),
        )
    )


def test_b34_a_server_that_proves_who_it_is_is_met(
    postgres_shared: InPostgres, fronts: list[Front], tmp_path: Path
) -> None:
    """With the team's own authority named by the address, a verified connection works like any other."""
    pem = certificate(tmp_path, "localhost")
    remote = PostgresRemote(Target(address(postgres_shared, fronts, pem, pem)))
    assert remote.hello(Client("d", "1"), {}).workspace == postgres_shared.workspace
    remote.close()


@pytest.mark.parametrize("wrong", ["host", "authority", "expired"])
def test_b34_a_server_that_does_not_is_refused(
    postgres_shared: InPostgres, fronts: list[Front], tmp_path: Path, wrong: str
) -> None:
    """Another host's, an unknown authority's and an expired certificate end it before anything is said, in these words."""
    pem = certificate(tmp_path, "other.example" if wrong == "host" else "localhost", expired=wrong == "expired")
    authority = certificate(tmp_path, "authority") if wrong == "authority" else pem
    with pytest.raises(RemoteRefused, match="prove who it is"):
        PostgresRemote(Target(address(postgres_shared, fronts, pem, authority))).hello(Client("d", "1"), {})
