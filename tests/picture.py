"""Draws the README's picture from the real demo: ``python -m tests.picture``."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from ledger_tui.ledger import PromptLedger
from ledger_tui.paths import Paths
from ledger_tui.services import demo
from ledger_tui.ui.app import LedgerApp

from tests.ui.conftest import settle, until

FILE = Path(__file__).parent.parent / "docs" / "workstation.svg"
SIZE = (150, 42)


async def draw(ledger: PromptLedger) -> str:
    """The workstation with the newest good answer from the handbook, as SVG without outside references."""
    app = LedgerApp(ledger)
    async with app.run_test(size=SIZE) as pilot:
        await app.opened.wait()
        rows = ledger.traces.page("name:handbook-question status:succeeded").rows
        row = next(row for row in rows if row.total_tokens > 3_000)
        tree = ledger.traces.tree(row.trace_id)
        key = next(span.key for span in tree.rows() if span.name == "rag/answer")
        app.open_trace(row.trace_id, key)
        await until(lambda: app.current_mode == "traces", pilot)
        for _ in range(20):
            await settle(pilot)
        svg = app.export_screenshot(title="Prompt Ledger")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono, Menlo")


def main() -> None:
    """Fill a demo in a temporary folder, draw it, throw it away."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with PromptLedger(
            str(place / "demo.db"), paths=Paths(place, place / "config"), environment="production"
        ) as ledger:
            ledger.prepare()
            demo.fill(ledger)
            FILE.write_text(asyncio.run(draw(ledger)))
    print(f"{FILE} is drawn")


if __name__ == "__main__":
    main()
