"""The helper process in which people's templates are parsed and rendered, so that a bomb ends with it and not with us.

Started as ``python -m ledger_tui.domain.render_child`` and kept warm. Frames of a 4-byte big-endian length and JSON go
in and out through stdin and stdout: one frame of null when ready, then one answer a template. Limits: 512 MB of memory
and 2 s of processor time a request where the system can (not on Windows); the parent keeps the time on the wall.
"""

from __future__ import annotations

import json
import math
import os
import signal
import struct
import sys
from contextlib import suppress
from typing import IO, Any

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 2
EXIT_MEMORY = 3
_HEADER = struct.Struct(">I")


def write_frame(stream: IO[bytes], value: Any) -> None:
    """Send one JSON value. Escapes keep lone surrogates whole."""
    data = json.dumps(value).encode("ascii")
    stream.write(_HEADER.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any:
    """The next JSON value; raises EOFError when the other end is gone."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    length = _HEADER.unpack(header)[0]
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return json.loads(data)


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from ledger_tui.domain import sandbox

    sandbox.environment()
    limit_once()
    write_frame(answers, None)
    with suppress(EOFError, BrokenPipeError):
        while True:
            request = read_frame(requests)
            limit_next_request()
            try:
                _answer(request, answers)
            except MemoryError:
                os._exit(EXIT_MEMORY)


def _answer(request: dict[str, Any], answers: IO[bytes]) -> None:
    from ledger_tui.domain import sandbox
    from ledger_tui.domain.template import MAX_OUTPUT_BYTES
    from ledger_tui.errors import TemplateError

    if request["do"] == "analyse":
        for source in request["templates"]:
            analysis = sandbox.analyse(source)
            uses = [[use.name, use.line, use.column] for use in analysis.variables]
            problems = [[p.line, p.column, p.end_column, p.message, p.severity] for p in analysis.problems]
            includes = [[i.name, i.line, i.column, i.end_column, i.bound] for i in analysis.includes]
            write_frame(answers, {"variables": uses, "problems": problems, "includes": includes})
        return
    left = MAX_OUTPUT_BYTES
    for source, texts in zip(request["templates"], request["texts"], strict=True):
        used: list[str] = []
        try:
            text = sandbox.render(source, request["variables"], left, texts, used)
        except TemplateError as error:
            if isinstance(error.__cause__, MemoryError):
                raise MemoryError from error
            fields = {name: getattr(error, name) for name in ("cause", "title", "remedy", "line", "column")}
            write_frame(answers, {"error": type(error).__name__, **fields})
            return
        left -= len(text.encode("utf-8", "surrogatepass"))
        write_frame(answers, {"text": text, "used": used})


def limit_once() -> None:
    """No memory past the limit, no files written, no core dumps with somebody's texts in them."""
    try:
        import resource
    except ImportError:
        return
    for name, value in (("RLIMIT_AS", MEMORY_BYTES), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", 32)):
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


def limit_next_request() -> None:
    """Let the processor time end ``CPU_S`` seconds after what was used up to now (the system counts whole seconds)."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(usage.ru_utime + usage.ru_stime) + CPU_S, hard))


if __name__ == "__main__":
    main()
