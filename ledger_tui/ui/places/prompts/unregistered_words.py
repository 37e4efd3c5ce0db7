"""What the page of unregistered prompts says, as Content."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from textual.content import Content

from ledger_tui.domain import measure
from ledger_tui.domain.names import check_prompt_name
from ledger_tui.domain.text import one_line
from ledger_tui.errors import NameRefused
from ledger_tui.ui.safe import content, line

if TYPE_CHECKING:
    from ledger_tui.services.linking import UnregisteredRow

KEY = "bold $primary"
NOTHING = Content.assemble(
    ("No unregistered prompts.", "bold"), "\n\n",
    "Calls of your programs whose messages belong to no prompt\nwould be listed here, those of one text together.\n\n",
    "To record calls, wrap the client:  ", ("client = ledger.wrap(OpenAI())", "bold"), "\n\n",
    ("esc", KEY), "  back to the prompts      ", ("f1", KEY), "  more about this page",
)  # fmt: skip
OPEN, CLOSE = "‹", "›"
_ROLES = {"system", "user", "assistant"}


def facts_line(row: UnregisteredRow) -> Content:
    """Calls, models, first and last seen."""
    models = ", ".join(one_line(model, 40) for model in row.models) or "no model named"
    calls = "1 call" if row.calls == 1 else f"{row.calls:,} calls"
    seen = f"{measure.moment(row.first_us)[:16]} to {measure.moment(row.last_us)[:16]}"
    return Content.assemble((calls, "bold"), Content.styled(f" · {models} · {seen}", "$text-muted"))


def skeleton_text(row: UnregisteredRow) -> Content:
    """The messages with their roles; varying parts as numbered marks."""
    parts: list[Content] = []
    number = 0
    for role, pieces in row.messages:
        style = f"bold $role-{role}" if role in _ROLES else "bold"
        parts.append(Content.assemble("\n\n" if parts else "", line(role, 20, style), "\n"))
        for piece in pieces:
            if piece is None:
                number += 1
                parts.append(Content.styled(f"{OPEN}value {number}{CLOSE}", "bold $accent"))
            else:
                parts.append(content(piece))
        if not pieces:
            parts.append(Content.styled("(empty)", "$text-muted"))
    return Content("").join(parts)


def suggested_name(row: UnregisteredRow, taken: Collection[str]) -> str:
    """A free name for a prompt: what the program calls the step, unless that is its model's name; else its first words."""
    called = row.span_name if row.span_name not in row.models else ""
    name = _slug(called, 40) or _slug(" ".join(row.text.replace("…", " ").split()[:5]), 40) or "prompt"
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _slug(text: str, limit: int) -> str:
    slug = re.sub(r"[^a-z0-9/._]+", "-", text.lower())[:limit]
    slug = "/".join(part for part in (re.sub(r"\.{2,}", ".", one).strip("-._") for one in slug.split("/")) if part)
    try:
        return check_prompt_name(slug)
    except NameRefused:
        return ""
