"""The command that a person wants run for an alert: a list of words, no shell, the facts in its environment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

from ledger_tui.domain.alerts import AlertRow, environment_of
from ledger_tui.errors import LedgerError

TIME_LIMIT_S = 30.0
_TOLD = 300


class AlertCommandFailed(LedgerError):
    """The command of the setting ``alert_command`` did not do its work; nothing else is hurt."""

    default_title = "The command for alerts failed"
    default_remedy = "Check the setting alert_command."


def run(words: Sequence[str], row: AlertRow, time_limit_s: float = TIME_LIMIT_S) -> None:
    """Run the command for one alert and wait for it; raises AlertCommandFailed, also past the time limit."""
    try:
        process = subprocess.Popen(
            list(words),
            env={**os.environ, **environment_of(row)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise AlertCommandFailed(f"{words[0]}: {getattr(error, 'strerror', None) or error}") from error
    try:
        _, said = process.communicate(timeout=time_limit_s)
    except subprocess.TimeoutExpired as error:
        _end(process)
        raise AlertCommandFailed(f"{words[0]} did not end within {time_limit_s:g} seconds and was ended") from error
    if process.returncode != 0:
        told = said.decode("utf-8", "replace").strip()[:_TOLD]
        raise AlertCommandFailed(f"{words[0]} ended with {process.returncode}" + (f": {told}" if told else ""))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command with all it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=5)
