"""What goes on quietly behind the places: imports after the first frame, the person's files, today's spend and alerts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain import clock, money
from ledger_tui.domain.alerts import SPIKE
from ledger_tui.domain.text import printable
from ledger_tui.errors import LedgerError
from ledger_tui.ui.widgets.top_line import PLACES

if TYPE_CHECKING:
    from ledger_tui.domain.alerts import AlertRow
    from ledger_tui.domain.budgets import Standing
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.paths import Paths
    from ledger_tui.ui.actions import KnownAction
    from ledger_tui.ui.app import LedgerApp

FILES_EVERY_S = 1.0
SPEND_EVERY_S = 4.0
INDEX_EVERY_S = 2.0
SPIKES_EVERY = 15
"""Every how many looks at the money days are compared."""
ALERTS = 100
"""How many of the newest alerts count."""
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
    """Keep today's spend, the fullest budget and new alerts before the person's eyes.

    A ledger that cannot be read just keeps the last figures.
    """
    await app.opened.wait()
    watch = Money(app.ledger)
    while True:
        try:
            seen = await asyncio.to_thread(watch.look)
        except LedgerError:
            pass
        else:
            app.refresh_facts(**seen.facts)
            tell(app, seen.alerts)
            for problem in seen.problems:
                app.place.show_error(problem)
        await asyncio.sleep(SPEND_EVERY_S)


def tell(app: LedgerApp, alerts: Sequence[AlertRow]) -> None:
    """A toast for each budget, and one for all that stands out."""
    budgets = [row for row in alerts if row.kind != SPIKE]
    spikes = [row for row in alerts if row.kind == SPIKE]
    for row in [*budgets, *spikes[:1]]:
        more = f" And {len(spikes) - 1} more." if row in spikes and len(spikes) > 1 else ""
        severity: Any = "error" if row.glyph == "✗" else "warning"
        words = printable(f"{row.words}.{more} ! shows it.")
        app.notify(words, title=printable(row.title), severity=severity, timeout=12, markup=False)


class Seen(NamedTuple):
    """What one look at the money found."""

    facts: dict[str, Any]
    """For the top line."""
    alerts: list[AlertRow]
    """What a person was not told yet."""
    problems: list[LedgerError]


class Money:
    """Looks at spending, budgets and alerts; meant for a thread."""

    def __init__(self, ledger: PromptLedger) -> None:
        self._ledger = ledger
        self._began_us = clock.now_us()
        self._told: set[str] = set()
        self._looks = 0

    def look(self) -> Seen:
        """One look; every now and then also for days that stand out. Raises StoreError."""
        ledger = self._ledger
        today = ledger.costs.today()
        problems: list[LedgerError] = []
        if ledger.as_of is None:
            standings = ledger.alerts.look(with_spikes=self._looks % SPIKES_EVERY == 0).standings
            _, problems = ledger.alerts.take()
        else:
            standings = ledger.budgets.standings()
        self._looks += 1
        alerts = [row for row in ledger.alerts.entries(ALERTS) if row.seen_us is None]
        new = [row for row in alerts if row.at_us >= self._began_us and row.key not in self._told]
        self._told.update(row.key for row in new)
        priced = today.calls > today.unpriced
        known = today.cost_nusd if priced or not today.calls else None
        told = f"today {money.show(known, today.unpriced if priced else 0)}"
        return Seen({**budget_facts(told, standings), "alerts": len(alerts)}, new, problems)


def budget_facts(spend: str, standings: Sequence[Standing]) -> dict[str, Any]:
    """The top line's words for today's spend and the fullest budget."""
    if not standings:
        return {"spend": spend, "budget": (), "budget_state": "ok"}
    fullest = standings[0]
    spec = fullest.budget.spec
    glyph = {"warn": "⚠ ", "over": "✗ "}.get(fullest.state, "")
    amounts = f"{money.show(fullest.spent_nusd, fullest.unpriced)} of {money.show(spec.limit_nusd)}"
    subject = "" if spec.subject == "everything" else f"{spec.subject} "
    when = "today" if spec.period == "day" else "this month"
    return {
        "spend": "" if when == "today" and not subject else spend,
        "budget": (
            f"{glyph}{subject}{when} {amounts} ({fullest.percent} %)",
            f"{glyph}{amounts} ({fullest.percent} %)",
            f"{glyph}{fullest.percent} % of {money.show(spec.limit_nusd)}",
            f"{glyph}{fullest.percent} %",
        ),
        "budget_state": fullest.state,
    }
