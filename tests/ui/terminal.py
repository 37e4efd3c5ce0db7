"""The workstation in a real pseudo-terminal: keys go in, every byte that comes out is kept."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ledger_tui.paths import Paths

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "down": "\x1b[B",
    "up": "\x1b[A",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f6": "\x1b[17~",
    "f8": "\x1b[19~",
    "f9": "\x1b[20~",
    "ctrl+p": "\x10",
    "ctrl+q": "\x11",
    "ctrl+right": "\x1b[1;5C",
}
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P^_][^\x1b]*\x1b\\|\x1b.")


class Terminal:
    """One run of the workstation; use it in a ``with`` block, which ends it."""

    def __init__(
        self,
        paths: Paths,
        arguments: Sequence[str] = (),
        *,
        size: tuple[int, int] = (100, 40),
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "ledger_tui"),
    ) -> None:
        self.output = ""
        self._seen = 0
        self._master, slave = pty.openpty()
        self.resize(*size)
        given = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "XDG_DATA_HOME": str(paths.data.parent),
            "XDG_CONFIG_HOME": str(paths.config.parent),
            **(environment or {}),
        }
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=given,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            cwd=Path(__file__).parent.parent.parent,
        )
        os.close(slave)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "process"):
            os.kill(self.process.pid, signal.SIGWINCH)

    def press(self, *keys: str) -> None:
        """Press keys, by name or as they are; what ``wait_for`` looks at starts here."""
        self.read(0)
        self._seen = len(self.output)
        os.write(self._master, "".join(KEYS.get(key, key) for key in keys).encode())

    def read(self, wait_s: float = 0.05) -> bool:
        """Take what came; whether there was anything."""
        taken = b""
        while select.select([self._master], [], [], wait_s)[0]:
            try:
                part = os.read(self._master, 65536)
            except OSError:
                break
            if not part:
                break
            taken += part
            wait_s = 0
        self.output += taken.decode("utf-8", "surrogateescape")
        return bool(taken)

    def wait_for(self, words: str, wait_s: float = 30) -> None:
        """Wait until ``words`` were painted since the last keys."""
        end = time.monotonic() + wait_s
        while words not in self.painted():
            assert time.monotonic() < end, f"{words!r} never came; the last was:\n{self.painted()[-1500:]}"
            assert self.read() or self.process.poll() is None, f"it ended:\n{self.painted()[-1500:]}"

    def painted(self) -> str:
        """What was painted since the last keys, without sequences."""
        return _SEQUENCE.sub("", self.output[self._seen :])

    def hang_up(self) -> None:
        """The window is closed."""
        os.close(self._master)
        self._master = -1

    def leave(self) -> int:
        """Leave by ctrl+q and return the exit code."""
        self.press("ctrl+q")
        return self.ended()

    def ended(self, wait_s: float = 30) -> int:
        """Wait for the end of the process, taking its last words."""
        end = time.monotonic() + wait_s
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read()
        self.read(0)
        return self.process.wait()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._master >= 0:
            os.close(self._master)
