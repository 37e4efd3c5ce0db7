"""A model server that fails in every way there is, on the three wires.

The first part of the path names the behaviour, so a provider's base_url chooses it: ``failing_server.url("cut")``.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.servers.streams import SPOKEN, answer, as_events, cut_answer, error_body, model_list

HUGE_WAIT = 10**9


@dataclass(frozen=True)
class SeenRequest:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class FailingServer:
    """Handle of the running server."""

    port: int
    requests: list[SeenRequest] = field(default_factory=list)
    client_left: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed its connection in the middle of an answer that waits."""
    waiting: threading.Event = field(default_factory=threading.Event)
    """Set when a request hangs."""
    held: list[socket.socket] = field(default_factory=list)

    def url(self, behaviour: str, host: str = "127.0.0.1") -> str:
        """The base_url that behaves so: one of ``BEHAVIOURS``."""
        assert behaviour in BEHAVIOURS, behaviour
        return f"http://{host}:{self.port}/{behaviour}/v1"

    def release(self) -> None:
        """Let every hanging request go: its connection is closed."""
        for connection in self.held:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def failing_server() -> Iterator[FailingServer]:
    """A server of failures on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    handle = FailingServer(server.server_address[1])
    server.handle = handle  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield handle
    finally:
        handle.release()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def handle_of_server(self) -> FailingServer:
        return self.server.handle  # type: ignore[attr-defined, no-any-return]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length") or 0)))

    def _answer(self, raw: bytes) -> None:
        body = json.loads(raw) if raw else {}
        self.handle_of_server.requests.append(SeenRequest(self.command, self.path, dict(self.headers.items()), body))
        behaviour = self.path.split("/")[1]
        self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            BEHAVIOURS[behaviour](self)

    @property
    def wire(self) -> str:
        """Which wire the path belongs to: chat, responses, anthropic or models."""
        path = self.path.partition("?")[0]
        ends = {"/chat/completions": "chat", "/responses": "responses", "/messages": "anthropic"}
        return next((wire for end, wire in ends.items() if path.endswith(end)), "models")

    def send(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        """A whole answer with its length."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self) -> None:
        """The head of a stream of events, in chunked encoding."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """One chunk of a stream."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def stream(self, events: bytes) -> None:
        """A whole stream, well ended."""
        self.begin_stream()
        self.chunk(events)
        self.wfile.write(b"0\r\n\r\n")

    def hang(self) -> None:
        """Wait until the client leaves or the test releases."""
        self.handle_of_server.held.append(self.connection)
        self.handle_of_server.waiting.set()
        try:
            left = self.connection.recv(1) == b""
        except OSError:
            left = True  # A client that had not read everything leaves by a reset.
        if left:
            self.handle_of_server.client_left.set()


Behaviour = Callable[[_Handler], None]


def _status(status: int, **headers: str) -> Behaviour:
    return lambda handler: handler.send(status, error_body(handler.wire, status), **headers)


def _ok(handler: _Handler, **how: Any) -> None:
    if handler.wire == "models":
        handler.send(200, model_list())
    else:
        handler.stream(as_events(handler.wire, answer(handler.wire, **how)))


def _hang(handler: _Handler) -> None:
    handler.hang()


def _hang_after_a_piece(handler: _Handler) -> None:
    handler.begin_stream()
    handler.chunk(as_events(handler.wire, answer(handler.wire)[:4]))
    handler.hang()


def _cut(handler: _Handler) -> None:
    handler.begin_stream()
    handler.chunk(cut_answer(handler.wire))


def _cut_cleanly(handler: _Handler) -> None:
    handler.stream(cut_answer(handler.wire))


def _garbled(handler: _Handler) -> None:
    handler.stream(as_events(handler.wire, answer(handler.wire)[:2]) + b'data: {"choices": [}\n\n')


def _html(handler: _Handler) -> None:
    handler.send(200, b"<!DOCTYPE html><html><body>Please log in</body></html>", "text/html; charset=utf-8")


def _echo_key(handler: _Handler) -> None:
    said = " ".join(f"{name}={value}" for name, value in handler.headers.items())
    handler.send(401, json.dumps({"error": {"message": f"bad key: {said}", "type": "authentication_error"}}).encode())


def _redirect(handler: _Handler) -> None:
    elsewhere = f"http://localhost:{handler.handle_of_server.port}/ok/v1/stolen"
    handler.send(307, b"", Location=elsewhere)


def _endless(handler: _Handler) -> None:
    handler.begin_stream()
    piece = b": " + b"x" * (1024 * 1024) + b"\n\n"
    for _ in range(40):
        handler.chunk(piece)


def _packed(handler: _Handler) -> None:
    handler.send(200, gzip.compress(b"x" * 10_000_000), "text/event-stream", Content_Encoding="gzip")


def _error_inside(handler: _Handler) -> None:
    handler.stream(as_events(handler.wire, answer(handler.wire)[:3]) + _error_event(handler.wire))


def _error_event(wire: str) -> bytes:
    if wire == "responses":
        event = {"type": "error", "code": "server_error", "message": "the model fell over", "sequence_number": 9}
    else:
        event = {"type": "error", "error": {"type": "overloaded_error", "message": "the model fell over"}}
    return b"event: error\ndata: " + json.dumps(event).encode() + b"\n\n"


BEHAVIOURS: dict[str, Behaviour] = {
    "ok": _ok,
    "400": _status(400),
    "401": _status(401),
    "403": _status(403),
    "404": _status(404),
    "408": _status(408),
    "429": _status(429, Retry_After="7"),
    "429-huge": _status(429, Retry_After=str(HUGE_WAIT)),
    "429-nonsense": _status(429, Retry_After="soon"),
    "500": _status(500),
    "503": _status(503),
    "529": _status(529),
    "timeout": _hang,
    "hangs-after-a-piece": _hang_after_a_piece,
    "html": _html,
    "html-500": lambda handler: handler.send(502, b"<html><h1>Bad gateway</h1></html>", "text/html"),
    "empty": lambda handler: handler.send(200, b"", "text/event-stream"),
    "cut": _cut,
    "cut-cleanly": _cut_cleanly,
    "garbled": _garbled,
    "not-streamed": lambda handler: handler.send(200, json.dumps({"choices": [], "output": []}).encode()),
    "error-200": lambda handler: handler.send(200, error_body(handler.wire, 500)),
    "error-inside": _error_inside,
    "no-usage": lambda handler: _ok(handler, usage=None),
    "text-usage": lambda handler: _ok(handler, usage="text"),
    "negative-usage": lambda handler: _ok(handler, usage="negative"),
    "tool-only": lambda handler: _ok(handler, tool=True),
    "surrogate": lambda handler: _ok(handler, spoken=("lone \ud800 half",)),
    "echo-key": _echo_key,
    "redirect": _redirect,
    "endless": _endless,
    "packed": _packed,
}
"""Every behaviour by its name in the path."""

__all__ = ["BEHAVIOURS", "SPOKEN", "FailingServer", "SeenRequest", "failing_server"]
