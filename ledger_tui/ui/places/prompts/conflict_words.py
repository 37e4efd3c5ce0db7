"""What the Conflicts page says, in words."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content

from ledger_tui.domain import clock, measure
from ledger_tui.domain.deciding import HEADS, Candidate, Comparison, Contested, Head
from ledger_tui.domain.text import one_line
from ledger_tui.ui.safe import line

KEY = "bold $primary"
NOTHING = Content.assemble(
    ("Nothing to decide.", "bold"), "\n\n",
    "When two people of a shared ledger change one prompt at once, both versions are kept: two heads.\n",
    "The same goes for a label, a description, tags, an input set, a price or a budget that two set at once.\n",
    "They are listed here until somebody who saw both decides.\n\n",
    ("esc", KEY), "  goes back",
)  # fmt: skip


def entry(contested: Contested, muted: str) -> Content:
    """One row of the list: the prompt, and what there is to decide."""
    name = one_line(contested.prompt or contested.words(contested.holder), 80)
    sign = "Ψ" if contested.kind == HEADS else "◇"
    who = ", ".join(dict.fromkeys(one_line(one.actor, 24) for one in contested.candidates))
    return Content.assemble(
        (f"{sign} ", "$warning"), (one_line(contested.subject, 60), "bold"), f"  {name}", (f"\n  {who}", muted)
    )


def candidate_lines(contested: Contested, one: Candidate, width: int, muted: str) -> Content:
    """One candidate: what it says, who wrote it when, and whether it counts meanwhile."""
    age = measure.age(one.at_us, clock.seen_from_us())
    facts = [one_line(one.actor, 30) + (" (this device)" if one.mine else ""), age]
    if one.holds:
        facts.append("counts meanwhile")
    words = one_line(contested.words(one), max(20, width - 4))
    return Content.assemble(
        ("● " if one.holds else "○ ", "$primary"), (words, "bold"), (f"\n  {' · '.join(facts)}", muted)
    )


def head_words(head: Head) -> str:
    """``v3 Grace``."""
    return f"{head.name} {one_line(head.author, 24)}"


def column_heads(here: Comparison, width: int, side: str | None) -> Content:
    """The line above the columns, each name above its own."""
    base = f"base v{here.base_number}" if here.base_number else "nothing in common"
    names = {"base": base, "mine": f"mine {head_words(here.mine)}", "theirs": f"theirs {head_words(here.theirs)}"}
    shown = names.values() if side is None else [names[side]]
    cells = []
    for name in shown:
        text = one_line(name, max(4, width - 3))
        cells.append("  " + text + " " * max(0, width - 2 - cell_len(text)))
    return Content.styled("  " + " ".join(cells), "bold")


def state_words(here: Comparison, undecided: int, edited: bool) -> str:
    """How far the merge is."""
    if edited:
        return "edited by hand · ctrl+o goes back to the changes · ctrl+s saves"
    count = len(here.merge.changed)
    changes = f"{count} change{'' if count == 1 else 's'}"
    rest = f"{undecided} to decide" if undecided else "all decided · ctrl+s saves"
    more = f" · {len(here.more)} more heads" if here.more else ""
    return " · ".join([changes, rest, *([here.merge.note] if here.merge.note else [])]) + more


def subtitle(count: int) -> Content:
    """How many there are."""
    return line(f"{count} to decide" if count else "")
