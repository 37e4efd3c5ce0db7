"""What goes on quietly behind the places: imports after the first frame, the person's files, today's spend."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_tui.domain import money
from ledger_tui.errors import LedgerError
from ledger_tui.ui.widgets.top_line import PLACES

if TYPE_CHECKING:
    from ledger_tui.paths import Paths
    from ledger_tui.ui.actions import KnownAction
    from ledger_tui.ui.app import LedgerApp

FILES_EVERY_S = 1.0
SPEND_EVERY_S = 4.0
INDEX_EVERY_S = 2.0
HEAVY = ("sqlmodel", "jinja2", "markdown_it", "tomlkit")
"""Libraries that the next few actions need; the clients of providers load when a model is called."""

Stamp = tuple[tuple[str, int, int], ...]


def warm_up(places_ready: Callable[[], None]) -> None:
    """Import what will be needed soon; meant for a thread of its own that starts after the first frame."""
    for mode, _ in PLACES:
        import_module(f"ledger_tui.ui.places.{mode}.{mode}")
    import_module("ledger_tui.ui.places.prompts.drift")
    import_module("ledger_tui.ui.dialogs.palette")
    import_module("ledger_tui.ui.help")
    places_ready()
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            import_module(name)


def known_actions() -> list[KnownAction]:
    """Every action that the loaded places and widgets declare."""
    from textual.app import App
    from textual.widget import Widget

    from ledger_tui.ui.actions import catalogue

    return catalogue(App, Widget)


def stamps(paths: Paths) -> dict[str, Stamp]:
    """Time and size of the keymap, the settings and the user's themes; a missing file has no stamp."""
    themes = sorted(paths.themes.glob("*.toml")) if paths.themes.is_dir() else []
    return {"keymap": _stamp([paths.keymap]), "settings": _stamp([paths.settings]), "themes": _stamp(themes)}


def _stamp(files: list[Path]) -> Stamp:
    found: list[tuple[str, int, int]] = []
    for file in files:
        with contextlib.suppress(OSError):
            status = file.stat()
            found.append((file.name, status.st_mtime_ns, status.st_size))
    return tuple(found)


async def files(app: LedgerApp) -> None:
    """Read the keymap, the settings and the themes again when they change; runs as long as the workstation."""
    before = await asyncio.to_thread(stamps, app.ledger.paths)
    readers = {"keymap": app.read_keymap, "settings": app.reload_settings, "themes": app.reload_themes}
    while True:
        await asyncio.sleep(FILES_EVERY_S)
        now = await asyncio.to_thread(stamps, app.ledger.paths)
        for name, read in readers.items():
            if now[name] != before[name]:
                read()
        before = now


async def search_texts(app: LedgerApp) -> None:
    """Make new texts known to search while nothing else is asked; what cannot be written now is tried again later."""
    await app.opened.wait()
    while True:
        done = 0
        with contextlib.suppress(LedgerError):
            done = await asyncio.to_thread(app.ledger.traces.index_texts)
        await asyncio.sleep(0.05 if done else INDEX_EVERY_S)


async def spend(app: LedgerApp) -> None:
    """Keep today's spend in the top line; a ledger that cannot be read just keeps the last figure."""
    await app.opened.wait()
    while True:
        try:
            today = await asyncio.to_thread(app.ledger.costs.today)
        except LedgerError:
            pass
        else:
            priced = today.calls > today.unpriced
            known = today.cost_nusd if priced or not today.calls else None
            app.refresh_facts(f"today {money.show(known, today.unpriced if priced else 0)}")
        await asyncio.sleep(SPEND_EVERY_S)
