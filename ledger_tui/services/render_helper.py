"""The parent's end of the helper process: starts it, keeps the time, buries it and starts another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ledger_tui.domain.render_child import CPU_S, EXIT_MEMORY, MEMORY_BYTES, read_frame, write_frame
from ledger_tui.errors import TemplateError

WALL_S = 3.0
_START_S = 30.0
_GRACE_S = 0.2
_PASSED_ON = (
    "PATH",
    "SYSTEMROOT",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONHOME",
    "TMPDIR",
    "TEMP",
)
_SIGXCPU = 24
_helpers: weakref.WeakSet[RenderHelper] = weakref.WeakSet()


class HelperDied(Exception):
    """A request that took the process with it; ``answers`` came before. ``str()`` says why, for people."""

    def __init__(self, why: str, answers: list[Any]) -> None:
        super().__init__(why)
        self.answers = answers


class RenderHelper:
    """One warm process, one request at a time. Starts when first asked, and again after it died; survives ``fork``."""

    def __init__(self, module: str = "ledger_tui.domain.render_child", wall_s: float | None = None) -> None:
        self._module = module
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self._closed = False
        self._finalizer: weakref.finalize[..., Any] = weakref.finalize(self, _nothing)
        _helpers.add(self)

    def ask(self, request: Mapping[str, Any], enough: Callable[[list[Any]], bool]) -> list[Any]:
        """Send ``request`` and collect answers until there are ``enough``.

        Raises HelperDied when a limit ended the process, or when it died twice for another reason; the next request
        finds a new one. Raises TemplateError when no process can be started.
        """
        with self._lock:
            for last in (False, True):
                process = self._greeted_process()
                answers: list[Any] = []
                late = threading.Event()
                timer = _timer(self._wall_s or WALL_S, process, late)
                try:
                    assert process.stdin is not None and process.stdout is not None
                    write_frame(process.stdin, request)
                    while not enough(answers):
                        answers.append(read_frame(process.stdout))
                    return answers
                except (OSError, EOFError, ValueError):
                    why = self._bury(late.is_set())
                except BaseException:
                    # An answer that nobody waits for would be taken for the next request's.
                    self._bury(False)
                    raise
                finally:
                    timer.cancel()
                if self._closed:
                    break
                self._start()
                if why or last:
                    raise HelperDied(why or "the helper process ended twice without a reason", answers)
        raise _closed()

    def close(self) -> None:
        """End the process, also in the middle of a request."""
        self._closed = True
        process = self._process
        if process is not None:
            with suppress(OSError):
                process.kill()
        with self._lock:
            self._bury(False)

    def _greeted_process(self) -> subprocess.Popen[bytes]:
        """The running process after it said that it is ready; starting is not counted as the request's time."""
        for _ in range(2):
            if self._closed:
                raise _closed()
            if self._process is not None and self._process.poll() is not None:
                self._bury(False)
            process = self._process or self._start()
            if self._greeted:
                return process
            late = threading.Event()
            timer = _timer(_START_S, process, late)
            try:
                assert process.stdout is not None
                read_frame(process.stdout)
                self._greeted = True
                return process
            except (OSError, EOFError, ValueError):
                self._bury(late.is_set())
            finally:
                timer.cancel()
        raise _closed() if self._closed else _not_started("it ended at once")

    def _start(self) -> subprocess.Popen[bytes]:
        self._greeted = False
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-S", "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise _not_started(str(error)) from error
        self._process = process
        self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _end, process)
        return process

    def _bury(self, late: bool) -> str:
        """End and forget the process; says why it ended when a limit did it, else ''."""
        process, self._process, self._greeted = self._process, None, False
        self._finalizer.detach()
        if process is None:
            return ""
        with suppress(subprocess.TimeoutExpired):
            # After the end of its pipe a process has its exit code a moment later.
            process.wait(0 if self._closed else _GRACE_S)
        code = _end(process)
        if late:
            return f"it took longer than {self._wall_s or WALL_S:g} s"
        if code == -_SIGXCPU:
            return f"it took more than {CPU_S} s of processor time"
        if code == EXIT_MEMORY:
            return f"it needed more than {MEMORY_BYTES // 1024 // 1024} MB of memory"
        return ""

    def _after_fork(self) -> None:
        """In a forked child: leave the parent's process alone, start an own one when asked."""
        self._lock = threading.Lock()
        self._finalizer.detach()
        process, self._process, self._greeted = self._process, None, False
        if process is not None:
            # Nobody here may wait for or kill what is not this process's child.
            process.returncode = 0
            _close_pipes(process)


def _closed() -> TemplateError:
    return TemplateError("the workspace is being closed", title="Templates cannot be rendered any more")


def _not_started(why: str) -> TemplateError:
    return TemplateError(
        f"the helper process does not start ({why})",
        title="Templates cannot be rendered now",
        remedy="Check that the machine has memory left, then try again.",
    )


def _timer(seconds: float, process: subprocess.Popen[bytes], late: threading.Event) -> threading.Timer:
    def end() -> None:
        late.set()
        with suppress(OSError):
            process.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def _end(process: subprocess.Popen[bytes]) -> int:
    """Kill unless it ended by itself, close the pipes, return the exit code."""
    code = process.poll()
    if code is None:
        with suppress(OSError):
            process.kill()
        code = process.wait()
    _close_pipes(process)
    return code


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):
                pipe.close()


def _nothing() -> None:
    """Stands where no process is to be ended."""


def _environment() -> dict[str, str]:
    """What the helper may see: where Python and its packages are, and no keys."""
    package_parent = str(Path(__file__).resolve().parents[2])
    folders = [package_parent, *(folder for folder in sys.path if folder)]
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed, "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders))}


def _reset_after_fork() -> None:
    for helper in list(_helpers):
        helper._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
