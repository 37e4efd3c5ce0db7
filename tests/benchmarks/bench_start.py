"""From pressing Enter to a usable first frame, on a real pty, beside a bare Textual app with as many rows.

Ours is what the installed command runs, on a workspace of 1,000 prompts; a round ends when a prompt's name is on the screen.
The bare app shows a DataTable with 1,000 rows; its round ends with the first row. Rounds of both alternate.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.result import Result, at_most

PROMPTS = 1_000
ROUNDS = 9
COLUMNS, ROWS = 160, 48
LIMIT_RATIO = 1.4
HEAVY = ("sqlalchemy", "sqlmodel", "pydantic", "openai", "anthropic", "keyring", "alembic", "psycopg", "jinja2")

OURS = "import sys; from ledger_tui.__main__ import main; sys.exit(main())"

BARE = """
from textual.app import App
from textual.widgets import DataTable

class Bare(App):
    def compose(self):
        yield DataTable(cursor_type="row")

    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns("name", "version", "labels", "age")
        table.add_rows((f"team{n % 20:02d}/prompt-{n:04d}", "v1", "production", "3d") for n in range(1000))

Bare().run()
"""

AT_FIRST_PAINT = """
import json, os, sys
from ledger_tui.ui.app import LedgerApp

before = LedgerApp._after_first_frame

def note(app):
    modules = sorted(sys.modules)
    with open(dump + ".part", "w") as out:
        json.dump(modules, out)
    os.rename(dump + ".part", dump)
    before(app)

LedgerApp._after_first_frame = note
dump = sys.argv[-1]
from ledger_tui.__main__ import main
sys.exit(main(sys.argv[1:-1]))
"""


def run() -> list[Result]:
    """The ratio of the medians, and how many heavy libraries are loaded at the first paint."""
    with tempfile.TemporaryDirectory(prefix="ledger-bench-") as folder:
        environment = {
            **os.environ,
            "HOME": folder,
            "XDG_DATA_HOME": f"{folder}/data",
            "XDG_CONFIG_HOME": f"{folder}/config",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }
        database = str(Path(folder) / "bench.db")
        fill(database, folder)
        ours = [sys.executable, "-c", OURS, "--database-url", database]
        bare = [sys.executable, "-c", BARE]
        first_frame(ours, environment, b"team00")
        first_frame(bare, environment, b"team00")
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(ROUNDS):
            times["ours"].append(first_frame(ours, environment, b"team00"))
            times["bare"].append(first_frame(bare, environment, b"team00"))
        loaded = heavy_at_first_paint(database, environment, Path(folder) / "modules.json")
    medians = {name: statistics.median(values) for name, values in times.items()}
    note = f"ours {medians['ours'] * 1000:.0f} ms, bare DataTable {medians['bare'] * 1000:.0f} ms, {ROUNDS} rounds each"
    return [
        at_most(
            f"start: first frame with {PROMPTS:,} prompts", medians["ours"] / medians["bare"], "×", LIMIT_RATIO, note
        ),
        at_most("start: heavy libraries at first paint", len(loaded), "", 0, ", ".join(loaded)),
    ]


def fill(database: str, folder: str) -> None:
    """A workspace of 1,000 prompts in 20 folders."""
    from ledger_tui.domain.content import PromptContent
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.paths import Paths

    with PromptLedger(database, paths=Paths(Path(folder) / "filling", Path(folder) / "filling")) as ledger:
        ledger.prepare()
        for number in range(PROMPTS):
            text = f"Prompt {number} of many: answer {{{{ name }}}} about {{{{ topic }}}}.\n" * 10
            ledger.registry.save(f"team{number % 20:02d}/prompt-{number:04d}", PromptContent.of_text(text), author="me")


def first_frame(command: Sequence[str], environment: dict[str, str], wanted: bytes, file: Path | None = None) -> float:
    """Seconds from the start of the process until ``wanted`` reaches the terminal, and then ``file`` is written."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True, close_fds=True
    )
    os.close(inner)
    seen = b""
    try:
        while wanted not in seen or (file is not None and not file.exists()):
            if not select.select([terminal], [], [], 60)[0]:
                raise RuntimeError(f"no first frame of {command[1:3]} within a minute")
            seen += os.read(terminal, 1 << 16)
        return time.perf_counter() - start
    except OSError as error:
        raise RuntimeError(f"{command[1:3]} ended: {seen[-2000:]!r}") from error
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(terminal)


def heavy_at_first_paint(database: str, environment: dict[str, str], dump: Path) -> list[str]:
    """The heavy libraries that are loaded when the first frame has been painted."""
    command = [sys.executable, "-c", AT_FIRST_PAINT, "--database-url", database, str(dump)]
    first_frame(command, environment, b"team00", dump)
    return sorted(set(json.loads(dump.read_text())) & set(HEAVY))


if __name__ == "__main__":
    for result in run():
        print(result)
