"""A line that can go wrong: a proxy before a server, which cuts, stalls or slows what passes, in either direction."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any


class Proxy:
    """Hands on bytes between clients and a server, as long as its rules let it. Rules may change while it runs.

    budget: how many more bytes may pass to the client before the line is cut (None: all); sent_budget: to the server.
    hole: bytes vanish in both directions and nobody is told. delay_s: how long each piece waits on its way to the client.
    """

    def __init__(self, server: str | tuple[str, int]) -> None:
        """server: the path of a socket file, or a host and a port."""
        self.budget: int | None = None
        self.sent_budget: int | None = None
        self.hole = False
        self.delay_s = 0.0
        self.passed = 0
        """Bytes that went to clients."""
        self.sent = 0
        """Bytes that went to the server."""
        self.connections = 0
        self._server = server
        self._open: list[socket.socket] = []
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @classmethod
    def before(cls, url: str) -> Proxy:
        """A proxy before the Postgres server of an address."""
        from psycopg.conninfo import conninfo_to_dict

        given: dict[str, Any] = conninfo_to_dict(url)
        host, port = str(given.get("host", "127.0.0.1")), int(given.get("port") or 5432)
        return cls(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port))

    def address(self, url: str) -> str:
        """The address by way of this proxy."""
        from psycopg.conninfo import make_conninfo

        return str(make_conninfo(url, host="127.0.0.1", port=self.port))

    def heal(self) -> None:
        """Everything passes again, on new connections."""
        self.budget = self.sent_budget = None
        self.hole, self.delay_s = False, 0.0

    def cut(self) -> None:
        """End every connection now."""
        with self._guard:
            found, self._open = self._open, []
        for one in found:
            _end(one)

    def close(self) -> None:
        """Take no more connections and end those there are."""
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        try:
            if isinstance(self._server, str):
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(self._server)
            else:
                behind = socket.create_connection(self._server)
        except OSError:
            client.close()
            return
        with self._guard:
            self._open += [client, behind]
        threading.Thread(target=self._hand_on, args=(behind, client, True), daemon=True).start()
        self._hand_on(client, behind, False)

    def _hand_on(self, source: socket.socket, target: socket.socket, to_client: bool) -> None:
        try:
            while data := source.recv(65536):
                if self.hole:
                    continue
                if to_client and self.delay_s:
                    time.sleep(self.delay_s)
                allowed = self._allowed(data, to_client)
                target.sendall(allowed)
                if len(allowed) < len(data):
                    break
        except OSError:
            pass
        _end(source)
        _end(target)

    def _allowed(self, data: bytes, to_client: bool) -> bytes:
        """What may pass of it, taken off the budget."""
        with self._guard:
            left = self.budget if to_client else self.sent_budget
            data = data if left is None else data[:left]
            if left is not None:
                left -= len(data)
            if to_client:
                self.budget, self.passed = left, self.passed + len(data)
            else:
                self.sent_budget, self.sent = left, self.sent + len(data)
        return data


def _end(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
