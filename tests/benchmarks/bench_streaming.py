"""Four answers of 1,000 tokens a second each in the playground: is all of it kept up with, and is the event loop free?

The real workstation over a real ledger in a process of its own, 200x60, with a provider that hands out tokens by the
clock. Once headless, once on a real pty, which adds what writing to a terminal costs. Lag is what a task that sleeps 2 ms
sleeps too long.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.benchmarks.result import Result, at_most

COLUMNS, ROWS = 200, 60
STREAMS, RATE, SECONDS, ROUNDS = 4, 1000, 5, 3
SAMPLE_S = 0.002


class Clockwork:
    """A provider that owes ``RATE`` tokens a second from the moment it is asked, and pays whenever it gets a turn."""

    name = "offline"

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        """``RATE * SECONDS`` tokens of words, lists and paragraphs."""
        from ledger_tui.domain.calls import Finished, TextDelta
        from ledger_tui.domain.values import TokenUsage

        began, total, paid = time.perf_counter(), RATE * SECONDS, 0
        while paid < total:
            due = min(total, int((time.perf_counter() - began) * RATE))
            while paid < due:
                paid += 1
                yield TextDelta("\n\n- " if paid % 40 == 0 else f"word{paid % 97} ")
            await asyncio.sleep(0.001)
        yield Finished(TokenUsage(input=1, output=total), "stop")

    async def models(self) -> list[Any]:
        """None."""
        return []

    async def aclose(self) -> None:
        """Nothing to close."""


async def measure(place: Any) -> dict[str, float]:
    """Run the streams in ``place`` and say how it went."""
    lags: list[float] = []
    works: list[float] = []
    over = False

    async def sample() -> None:
        while not over:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(SAMPLE_S)
            lags.append(time.perf_counter() - began - SAMPLE_S)
            works.append(time.thread_time() - worked)

    while not place.app.opened.is_set() or not hasattr(place, "answers"):
        await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(lambda: place.ledger.runs)
    place.ledger.models._doors.setdefault(loop, {})["offline"] = Clockwork()
    await place.answers.set_columns(tuple(("offline", {}) for _ in range(STREAMS)))
    await asyncio.sleep(1)
    columns = place.answers.columns
    sampler = asyncio.create_task(sample())
    began = time.perf_counter()
    place.action_run()
    while not all(column.answers and not column.running for column in columns):
        await asyncio.sleep(0.005)
    elapsed = time.perf_counter() - began
    over = True
    await sampler
    lags.sort()
    busy = sum(works) / elapsed
    works.sort()
    assert all(column.answers[0].output.count("word") >= RATE * SECONDS * 0.97 for column in columns)
    return {
        "lag_p50_ms": statistics.median(lags) * 1000,
        "lag_p95_ms": lags[int(len(lags) * 0.95)] * 1000,
        "lag_max_ms": lags[-1] * 1000,
        "work_p95_ms": works[int(len(works) * 0.95)] * 1000,
        "work_max_ms": works[-1] * 1000,
        "busy": busy * 100,
        "behind_ms": max(column.answers[0].result.latency_us for column in columns) / 1000 - SECONDS * 1000,
        "frames": statistics.mean(column.stream.frames for column in columns) / SECONDS,
    }


async def child(headless: bool, out: Path) -> None:
    """Measure once in this process and write the figures to ``out``."""
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.paths import Paths
    from ledger_tui.ui.app import LedgerApp

    folder = out.parent
    (folder / "data").mkdir(mode=0o700)
    ledger = PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"))
    app = LedgerApp(ledger)

    async def drive(pilot: Any) -> None:
        try:
            await asyncio.wait_for(app.opened.wait(), 30)
            await app.switch_mode("playground")
            out.write_text(json.dumps(await asyncio.wait_for(measure(app._screen_stacks["playground"][0]), 60)))
        finally:
            app.exit()

    await app.run_async(headless=headless, size=(COLUMNS, ROWS) if headless else None, auto_pilot=drive)
    ledger.close()


def once(headless: bool) -> dict[str, float]:
    """Measure once in a new process, on a pty unless headless."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.bench_streaming",
            "headless" if headless else "pty",
            str(out),
        ]
        if headless:
            subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
        else:
            on_pty(command)
        figures: dict[str, float] = json.loads(out.read_text())
        return figures


def on_pty(command: list[str]) -> None:
    """Run ``command`` on a pty whose output is read as fast as it comes."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)

    def drain() -> None:
        try:
            while os.read(leader, 65536):
                pass
        except OSError:
            pass

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    if process.wait(timeout=120):
        raise RuntimeError(f"the workstation ended with {process.returncode}")
    reader.join(timeout=5)
    os.close(leader)


def run() -> list[Result]:
    """Medians of three rounds."""
    results: list[Result] = []
    for headless in (True, False):
        rounds = [once(headless) for _ in range(ROUNDS)]
        middle = {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}
        where = "headless" if headless else "on a pty"
        note = (
            f"p50 {middle['lag_p50_ms']:.1f} ms, max {middle['lag_max_ms']:.0f} ms, {middle['frames']:.0f} frames/s each, "
            f"own work p95 {middle['work_p95_ms']:.1f} ms, busy {middle['busy']:.0f} %"
        )
        results += [
            at_most(f"4 x 1,000 tokens/s {where}: event-loop lag p95", middle["lag_p95_ms"], "ms", 16, note),
            at_most(f"4 x 1,000 tokens/s {where}: behind at the end", middle["behind_ms"], "ms", 250),
        ]
    return results


if __name__ == "__main__":
    asyncio.run(child(sys.argv[1] == "headless", Path(sys.argv[2])))
