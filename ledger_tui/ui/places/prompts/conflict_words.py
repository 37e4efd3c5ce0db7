"""What the Conflicts page says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content

from ledger_tui.domain import clock, measure
from ledger_tui.domain.deciding import HEADS, Candidate, Comparison, Contested, Head
from ledger_tui.domain.sync.conflicts import is_protected
from ledger_tui.domain.text import one_line
from ledger_tui.ui.safe import line

if TYPE_CHECKING:
    from ledger_tui.domain.values import VersionRow

HELP = """
## Conflicts
In a shared ledger two people can change one prompt at once. Nothing is lost and nobody's text is overwritten: both versions
are there, as two **heads** (`Ψ`), and the one that the server took last is active meanwhile. A label, a description, tags, an
input set, a price or a budget that two people set at once has several candidates (`◇`); `production` stays where the first put
it.

A decision is a version on top of both heads, or one of the candidates. It goes to everybody with the next sync. Two who decide
alike at once have decided; where they decide differently, it is listed again.
"""
"""What f1 says of the page."""
TOOLS = (
    ("save", "Save", "Save the result on top of both heads (ctrl+s)"),
    ("external", "Edit", "Edit the result in $EDITOR (e)"),
    ("keep_both", "Keep both", "Go on from mine, keep theirs under a label (B)"),
    ("discard", "Discard", "Forget the edit or the choices (ctrl+o)"),
)
PYTHON = """from ledger_tui import PromptLedger

ledger = PromptLedger()
for one in ledger.conflicts.conflicts():
    print(one.prompt, one.subject, [candidate.actor for candidate in one.candidates])
"""
KEY = "bold $primary"
NOTHING = Content.assemble(
    ("Nothing to decide.", "bold"), "\n\n",
    "When two people of a shared ledger change one prompt at once, both versions are kept: two heads.\n",
    "The same goes for a label, a description, tags, an input set, a price or a budget that two set at once.\n",
    "They are listed here until somebody who saw both decides.\n\n",
    ("esc", KEY), "  goes back",
)  # fmt: skip


def entry(contested: Contested, muted: str, width: int) -> Content:
    """One row of the list: the prompt, and what there is to decide. width: the cells there are; no line is longer."""
    room = max(8, width - 2)
    subject = one_line(contested.subject, room)
    name = one_line(contested.prompt or contested.words(contested.holder), room)
    who = one_line(", ".join(dict.fromkeys(one.actor for one in contested.candidates)), room)
    between = "  " if cell_len(subject) + 2 + cell_len(name) <= room else "\n  "
    sign = "Ψ" if contested.kind == HEADS else "◇"
    return Content.assemble(
        (f"{sign} ", "$warning"),
        (_cut(subject, room), "bold"),
        f"{between}{_cut(name, room)}",
        (f"\n  {_cut(who, room)}", muted),
    )


def _cut(text: str, room: int) -> str:
    """A text of one line in at most ``room`` cells."""
    while cell_len(text) > room:
        text = text.rstrip("…")[:-1] + "…"
    return text


def candidate_lines(contested: Contested, one: Candidate, width: int, muted: str) -> Content:
    """One candidate: what it says, who wrote it when, and whether it counts meanwhile. width: the cells there are."""
    age = measure.age(one.at_us, clock.seen_from_us())
    facts = [one_line(one.actor, 30) + (" (this device)" if one.mine else ""), age]
    if one.holds:
        facts.append("counts meanwhile")
    room = max(8, width - 2)
    words = _cut(one_line(contested.words(one), room), room)
    return Content.assemble(
        ("● " if one.holds else "○ ", "$primary"), (words, "bold"), (f"\n  {_cut(' · '.join(facts), room)}", muted)
    )


def saved_words(name: str, version: VersionRow, label: str, there: VersionRow | None) -> str:
    """What a version on top of both heads changed. label: one that was to move to it, if any; there: what it points to now."""
    said = f"{name}: {version.name} stands on both, and is active"
    if not label or there is None:
        return said
    if there.id != version.id:
        return f"{said}; {label} stays at {there.name}: another candidate is waiting for a maintainer"
    return f"{said}; {label} points to it{asked_words('label', label)}"


def asked_words(kind: str, field: str) -> str:
    """What is said of a label that only some may move."""
    return ", if the server lets this account move it" if is_protected(kind, field) else ""


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
