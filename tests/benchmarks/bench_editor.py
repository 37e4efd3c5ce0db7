"""Keystroke to repaint in the template editor, through a real pty, beside a plain TextArea with tree-sitter colours.

Each editor runs as a process of its own on a pseudo terminal. A round presses keys one after the other; a key's time
ends when the terminal has received the end of the synchronised update that follows it. Rounds of both alternate.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time
from dataclasses import dataclass

COLUMNS, ROWS = 160, 48
KEYS = 40
ROUNDS = 5
UPDATE_END = b"\x1b[?2026l"


@dataclass(frozen=True)
class Result:
    """One measured value beside its limit; ``ok`` is None when there is no limit."""

    name: str
    value: float
    unit: str
    limit: float | None
    ok: bool | None


def sample_text(size: int) -> str:
    """A prompt of about ``size`` characters: Markdown with Jinja2 in every other line."""
    lines = [
        "## Part {n}: what to look for",
        "Answer {{{{ customer.name|title }}}} in *{{{{ language }}}}*, at most {n} words, and keep `{{{{ id }}}}`.",
        "{{% for item in items if item.price > {n} %}}- **{{{{ item.title }}}}**: {{{{ item.text|trim }}}}",
        "{{% endfor %}}{{# a note for editors, number {n} #}}",
        "Nothing special happens in this line of text; it is here because most lines of a prompt are like it.",
        "",
    ]
    out: list[str] = []
    length, number = 0, 0
    while length < size:
        line = lines[number % len(lines)].format(n=number)
        out.append(line)
        length += len(line) + 1
        number += 1
    return "\n".join(out)


def child(kind: str, size: int) -> None:
    """Run one editor full screen until killed."""
    from textual.app import App, ComposeResult
    from textual.widgets import TextArea

    text = sample_text(size)

    class Editor(App[None]):
        def compose(self) -> ComposeResult:
            if kind == "ours":
                from ledger_tui.ui.widgets.template_area import TemplateArea

                area: TextArea = TemplateArea(text)
            else:
                area = TextArea(text, language="markdown" if kind == "tree-sitter" else None)
            area.cursor_blink = False
            yield area

        def on_mount(self) -> None:
            area = self.query_one(TextArea)
            area.focus()
            area.move_cursor((len(text.splitlines()) // 2, 4), center=True)

    Editor().run()


class Terminal:
    """A pseudo terminal with an editor in it."""

    def __init__(self, kind: str, size: int) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(
                sys.executable, [sys.executable, "-m", "tests.benchmarks.bench_editor", "--child", kind, str(size)]
            )
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._settle(b"Nothing special")

    def _read(self, timeout: float) -> bytes:
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return b""
        data = os.read(self.master, 1 << 16)
        if b"\x1b[?2026$p" in data:
            os.write(self.master, b"\x1b[?2026;2$y")
        return data

    def _settle(self, wanted: bytes) -> None:
        seen, quiet_since = b"", time.perf_counter()
        deadline = quiet_since + 60
        while time.perf_counter() < deadline:
            data = self._read(0.1)
            if data:
                seen, quiet_since = seen[-4096:] + data, time.perf_counter()
                wanted = b"" if wanted in seen else wanted
            elif not wanted and time.perf_counter() - quiet_since > 0.6:
                return
        raise RuntimeError("the editor did not come up")

    def press(self, key: bytes) -> float:
        """Milliseconds from the key to the end of the update that follows it."""
        while self._read(0.04):
            pass
        start = time.perf_counter()
        os.write(self.master, key)
        seen = b""
        while UPDATE_END not in seen:
            data = self._read(10)
            if not data:
                raise RuntimeError("no repaint after a key")
            seen = seen[-16:] + data
        return (time.perf_counter() - start) * 1000

    def round(self) -> list[float]:
        """The times of one round of typing; what was typed is deleted again."""
        typed = [self.press(bytes([97 + n % 26])) for n in range(KEYS // 2)]
        return typed + [self.press(b"\x7f") for _ in range(KEYS // 2)]

    def close(self) -> None:
        """End the editor."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)


def measure(size: int, kinds: tuple[str, ...], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Times of all keys by editor, rounds interleaved."""
    terminals = {kind: Terminal(kind, size) for kind in kinds}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    try:
        for kind in kinds:
            terminals[kind].round()
        for _ in range(rounds):
            for kind in kinds:
                times[kind] += terminals[kind].round()
    finally:
        for terminal in terminals.values():
            terminal.close()
    return times


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run() -> list[Result]:
    """Measure at 10 kB, 100 kB and 1 MB."""
    results: list[Result] = []
    for size, label in ((10_000, "10 kB"), (100_000, "100 kB")):
        times = measure(size, ("ours", "tree-sitter"))
        ours, plain = times["ours"], times["tree-sitter"]
        p95 = percentile(ours, 0.95)
        ratio = statistics.median(ours) / statistics.median(plain)
        results += [
            Result(f"editor {label}: key to repaint, median", statistics.median(ours), "ms", None, None),
            Result(f"editor {label}: key to repaint, 95th percentile", p95, "ms", 16.0, p95 <= 16.0),
            Result(f"TextArea with tree-sitter {label}: median", statistics.median(plain), "ms", None, None),
            Result(f"editor {label}: median against TextArea", ratio, "x", 0.6, ratio <= 0.6),
        ]
    large = measure(990_000, ("ours",), rounds=2)["ours"]
    p95 = percentile(large, 0.95)
    results.append(Result("editor 1 MB: key to repaint, 95th percentile", p95, "ms", 100.0, p95 <= 100.0))
    return results


def main() -> None:
    """Run as a child, or measure and print the table."""
    if "--child" in sys.argv:
        child(sys.argv[2], int(sys.argv[3]))
        return
    for result in run():
        verdict = "" if result.ok is None else "ok" if result.ok else "FALLS SHORT"
        limit = "" if result.limit is None else f"<= {result.limit:g}"
        print(f"{result.name:55} {result.value:9.2f} {result.unit:3} {limit:9} {verdict}")


if __name__ == "__main__":
    main()
