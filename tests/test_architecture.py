"""The house at run time: nothing heavy is loaded before it is needed, and the core knows no front end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "alembic", "anthropic", "genai_prices", "httpx", "jinja2", "keyring", "openai", "plotext", "psycopg", "pydantic",
    "sqlalchemy", "sqlmodel", "textual_plotext", "tomlkit",
}  # fmt: skip
FRONT_ENDS = {"textual", "rich", "click", "fastapi"}


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a new interpreter has loaded after ``code``; the code may print nothing else."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_is_free() -> None:
    """``import ledger_tui`` and making a PromptLedger load no library that is heavy, and no front end."""
    code = "import ledger_tui\nledger = ledger_tui.PromptLedger('/nowhere/ledger.db')\nrepr(ledger)"
    assert not loaded_after(code) & (HEAVY | FRONT_ENDS | {"asyncio"})


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    """``import ledger_tui`` alone loads nothing but itself."""
    code = "import sys, ledger_tui\nassert not [m for m in sys.modules if m.startswith('ledger_tui.')]"
    loaded_after(code)


def test_the_core_knows_no_front_end() -> None:
    """Every module below the front doors can be imported without Textual, click or a web framework."""
    code = (
        "import pkgutil, importlib, ledger_tui\n"
        "for m in pkgutil.walk_packages(ledger_tui.__path__, 'ledger_tui.'):\n"
        "    if not m.name.startswith(('ledger_tui.ui', 'ledger_tui.cli', 'ledger_tui.__main__', 'ledger_tui.store.migrations')):\n"
        "        importlib.import_module(m.name)"
    )
    assert not loaded_after(code) & {"textual", "fastapi"}


def test_reading_loads_nothing_heavy(tmp_path: Path) -> None:
    """Lists, versions and traces of a prepared ledger are read without SQLAlchemy and its friends."""
    database = tmp_path / "ledger.db"
    save = (
        f"import ledger_tui\nledger = ledger_tui.PromptLedger({str(database)!r})\n"
        "ledger.create_prompt('a/b', 'Hello')\nledger.close()"
    )
    loaded_after(save)
    read = (
        f"import ledger_tui\nledger = ledger_tui.PromptLedger({str(database)!r})\nledger.prepare()\n"
        "assert [p.name for p in ledger.registry.prompts()] == ['a/b']\n"
        "ledger.registry.content(ledger.registry.version('a/b').id)\nledger.traces.page('status:failed')\nledger.costs.today()"
    )
    assert not loaded_after(read) & (HEAVY | FRONT_ENDS)


FIRST_PAINT = """
import asyncio, sys
from ledger_tui.ledger import PromptLedger
from ledger_tui.ui import watch
from ledger_tui.ui.app import LedgerApp

watch.warm_up = lambda ready: None

async def show():
    app = LedgerApp(PromptLedger(sys.argv[1]))
    async with app.run_test(size=(160, 48)) as pilot:
        for _ in range(2000):
            await pilot.pause(0.01)
            strips = app.screen._compositor.render_strips(app.size)
            if "prompt-one" in "".join(segment.text for strip in strips for segment in strip):
                return
        raise SystemExit("the prompt never came")

sys.argv[1:] = [{database!r}]
asyncio.run(show())
"""


def test_the_first_paint_waits_for_nothing_heavy(tmp_path: Path) -> None:
    """The real workstation shows the prompts of a ledger before any heavy library is loaded, and without click."""
    database = str(tmp_path / "ledger.db")
    loaded_after(
        f"import ledger_tui\nledger = ledger_tui.PromptLedger({database!r})\nledger.create_prompt('prompt-one', 'x')"
    )
    assert not loaded_after(FIRST_PAINT.format(database=database)) & (HEAVY | {"click", "genai_prices"})


@pytest.mark.parametrize("command", [["--version"], ["prompts", "list"], ["traces", "list"]])
def test_reading_commands_do_not_load_the_screens(command: list[str], tmp_path: Path) -> None:
    """Commands that read pay neither for Textual nor for the libraries that writing needs."""
    database = str(tmp_path / "ledger.db")
    loaded_after(f"import ledger_tui\nledger = ledger_tui.PromptLedger({database!r})\nledger.prepare()\nledger.close()")
    code = f"from ledger_tui.__main__ import main\nassert main(['--database-url', {database!r}, *{command!r}]) == 0"
    assert not loaded_after(code) & (HEAVY | {"textual"})
