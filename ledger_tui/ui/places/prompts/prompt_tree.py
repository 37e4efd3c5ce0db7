"""The prompts as a tree by ``/`` in their names, drawn line by line: a thousand prompts are one widget."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ledger_tui.domain.text import one_line
from ledger_tui.domain.values import PromptRow

_LOOKS = ("folder", "muted", "label", "draft", "cursor")
MARKS = {"production": "P", "staging": "S"}
"""The labels that a narrow tree shows as a letter; any other is ``+``."""
ROOM_FOR_MARKS, ROOM_FOR_LABELS = 28, 52
"""Columns from which every line shows its labels, as letters or in full."""


@dataclass(frozen=True, slots=True)
class TreeRow:
    """One line of the tree: a folder (``prompt`` and ``name`` empty) or a prompt."""

    depth: int
    label: str
    path: str
    """The folder's path, or the prompt's name."""
    folder: bool
    prompt: PromptRow | None = None
    draft: bool = False
    by_text: bool = False
    """Whether the filter found it by its text only."""


class PromptTree(ScrollView, can_focus=True):
    """Posts ``Chosen`` when a prompt is opened; folders fold."""

    HELP = """
### Prompts
Prompts stand in folders: `support/answer` is `answer` in the folder `support`. The right side says which version is
active, `*` marks a draft that is not saved. Where there is little room, `P` is the label production, `S` staging and
`+` any other. The prompt under the cursor is shown beside the tree.

`Ψ` marks a prompt that several people wrote at once; `C` shows what they want. `•` marks one that something came for from a
colleague, until it is opened.

`≠` marks a prompt of your code whose text differs somewhere between code, git, ledger and runs; `w` shows where.

`enter` goes into a prompt or folds a folder, `n` writes a new one, `d` makes a copy of this one. `/` finds prompts by
name, label, model and tag, and by their text (`≡`); `esc` takes the filter away. `A` archives a prompt or brings it
back, `a` lists the archived ones too.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="tree.up", tooltip="One line up"),
        Binding("down,j", "move(1)", "Down", show=False, id="tree.down", tooltip="One line down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="tree.page_up", tooltip="One page up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="tree.page_down", tooltip="One page down"),
        Binding("home", "move(-1000000)", "First", show=False, id="tree.first", tooltip="To the first line"),
        Binding("end", "move(1000000)", "Last", show=False, id="tree.last", tooltip="To the last line"),
        Binding("left", "fold", "Fold", show=False, id="tree.fold", tooltip="Fold this folder, or go to it"),
        Binding("right", "unfold", "Unfold", show=False, id="tree.unfold", tooltip="Open this folder"),
        Binding("enter,space", "choose", "Open", id="tree.open", tooltip="Open this prompt, or fold this folder"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"prompt-tree--{look}" for look in _LOOKS}
    DEFAULT_CSS = """
    PromptTree {
        width: 1fr;
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & .prompt-tree--folder { color: $foreground; text-style: bold; }
        & .prompt-tree--muted { color: $text-muted; }
        & .prompt-tree--label { color: $accent; }
        & .prompt-tree--draft { color: $warning; text-style: bold; }
        & .prompt-tree--cursor { background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground; }
        &:focus .prompt-tree--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """The line that the cursor is on."""

    @dataclass
    class Chosen(Message):
        """A prompt was opened."""

        tree: PromptTree
        name: str

        @property
        def control(self) -> PromptTree:
            """The tree."""
            return self.tree

    @dataclass
    class Moved(Message):
        """A person moved the cursor to a prompt."""

        tree: PromptTree
        name: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._prompts: Sequence[PromptRow] = ()
        self._drafts: Collection[str] = ()
        self._drifting: frozenset[str] = frozenset()
        self._contested = False
        self._news: frozenset[str] = frozenset()
        self._filter = ""
        self._hits: frozenset[str] = frozenset()
        self._folded: set[str] = set()
        self._rows: list[TreeRow] = []
        self.opened = ""
        """The name of the prompt that is open; its line has a mark."""
        self.matches = 0
        """How many prompts the filter leaves."""

    @property
    def rows(self) -> Sequence[TreeRow]:
        """The lines as they stand."""
        return self._rows

    @property
    def filtered(self) -> bool:
        """Whether a filter leaves some prompts out."""
        return bool(self._filter)

    @property
    def current(self) -> TreeRow | None:
        """The line under the cursor."""
        return self._rows[self.cursor] if 0 <= self.cursor < len(self._rows) else None

    def show(self, prompts: Sequence[PromptRow], drafts: Collection[str] = ()) -> None:
        """Show these prompts; drafts of prompts that were never saved get a line too."""
        self._prompts, self._drafts = prompts, frozenset(drafts)
        self._contested = any(prompt.contested for prompt in prompts)
        self._rebuild()

    def show_drift(self, names: Iterable[str]) -> None:
        """Mark these prompts: their code and the ledger differ."""
        drifting = frozenset(names)
        if drifting != self._drifting:
            self._drifting = drifting
            self.refresh()

    def show_news(self, names: Iterable[str]) -> None:
        """Mark these prompts: something new came for them."""
        news = frozenset(names)
        if news != self._news:
            self._news = news
            self.refresh()

    def filter_by(self, text: str) -> None:
        """Leave only prompts that hold every word in name, label, model, tag or description."""
        self._filter, self._hits = text.strip().lower(), frozenset()
        self._rebuild()

    def add_hits(self, names: Iterable[str]) -> None:
        """Leave these too, until the filter changes: they were found by their text."""
        self._hits = frozenset(names)
        self._rebuild()

    def point_at(self, name: str) -> None:
        """Mark a prompt as the open one and put the cursor on it, opening its folders."""
        self.opened = name
        parts = name.split("/")
        self._folded -= {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        self._rebuild()
        for at, row in enumerate(self._rows):
            if row.path == name and not row.folder:
                self.cursor = at

    def mark_open(self, name: str) -> None:
        """Mark a prompt as the open one; the cursor stays where it is."""
        self.opened = name
        self.refresh()

    def _rebuild(self) -> None:
        before = self.current.path if self.current else ""
        entries: list[tuple[str, PromptRow | None]] = [(row.name, row) for row in self._prompts]
        known = {row.name for row in self._prompts}
        entries += [(name, None) for name in self._drafts if name not in known]
        words = self._filter.split()
        self._by_text: set[str] = set()
        if words:
            named = [entry for entry in entries if all(word in _searched(*entry) for word in words)]
            self._by_text = set(self._hits - {name for name, _ in named})
            entries = named + [entry for entry in entries if entry[0] in self._by_text]
        self.matches = len(entries)
        self._rows = list(self._lines(sorted(entries, key=lambda entry: _order(entry[0])), bool(words)))
        self.virtual_size = Size(self.size.width, len(self._rows))
        paths = [row.path for row in self._rows]
        self.cursor = paths.index(before) if before in paths else min(self.cursor, max(0, len(paths) - 1))
        self.refresh()

    def _lines(self, entries: Iterable[tuple[str, PromptRow | None]], unfolded: bool) -> Iterable[TreeRow]:
        shown: list[str] = []
        for name, prompt in entries:
            *folders, label = name.split("/")
            common = 0
            while common < min(len(shown), len(folders)) and shown[common] == folders[common]:
                common += 1
            shown = shown[:common]
            hidden = not unfolded and any("/".join(folders[: n + 1]) in self._folded for n in range(common))
            for depth in range(common, len(folders)):
                path = "/".join(folders[: depth + 1])
                if not hidden:
                    yield TreeRow(depth, folders[depth], path, True)
                shown.append(folders[depth])
                hidden = hidden or (not unfolded and path in self._folded)
            if not hidden:
                yield TreeRow(
                    len(folders), label, name, False, prompt, name in self._drafts, name in self._by_text
                )  # fmt: skip

    # Drawing

    def render_line(self, y: int) -> Strip:
        """One line of the tree."""
        at, width = y + self.scroll_offset.y, self.size.width
        base = self.rich_style
        if not 0 <= at < len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[at]
        cursor = self.get_component_rich_style("prompt-tree--cursor") if at == self.cursor else None
        runs = self._folder(row) if row.folder else self._prompt(row, width)
        styled = [Segment(text, base + (cursor or self._style(look))) for text, look in runs]
        return Strip(styled).adjust_cell_length(width, base + cursor if cursor else base)

    def _style(self, look: str) -> Style:
        if not look:
            return Style()
        full = self.get_component_rich_style(f"prompt-tree--{look}")
        return Style(color=full.color, bold=full.bold)

    def _folder(self, row: TreeRow) -> list[tuple[str, str]]:
        sign = "▸" if row.path in self._folded and not self._filter else "▾"
        return [("  " * row.depth, ""), (f"{sign} {one_line(row.label)}/", "folder")]

    def _prompt(self, row: TreeRow, width: int) -> list[tuple[str, str]]:
        mark = "● " if row.path == self.opened else "≡ " if row.by_text else "  "
        left = "  " * row.depth + mark + one_line(row.label)
        news: list[tuple[str, str]] = [(" •", "label")] if row.path in self._news else []
        prompt = row.prompt
        version = "new" if prompt is None else f"v{prompt.active_number}" if prompt.active_number else "v—"
        version = "arch" if prompt is not None and prompt.archived else version
        right = [("*" if row.draft else " ", "draft"), (f"{version:>4} ", "muted")]
        if self._contested:
            right = [("Ψ" if prompt is not None and prompt.contested else " ", "draft"), *right]
        if self._drifting:
            right = [("≠" if row.path in self._drifting else " ", "draft"), *right]
        signs = len(right) - 2
        room = width - cell_len(left) - 7 - 2 * len(news) - 2 * signs
        if ROOM_FOR_MARKS <= width < ROOM_FOR_LABELS:
            right = [(_marks(prompt), "label"), *right]
        elif prompt is not None and width >= ROOM_FOR_LABELS:
            labels = " ".join(label for label, _ in prompt.labels)
            model = (prompt.model or "").rpartition("/")[2]
            extra: list[tuple[str, str]] = []
            for text, look in ((labels, "label"), (model, "muted")):
                text = one_line(text, 40)
                if text and cell_len(text) + 2 <= room:
                    extra.append((f" {text}", look))
                    room -= cell_len(text) + 1
            right = [*extra, *([(" ", "")] if signs else []), *right]
        used = sum(cell_len(text) for text, _ in [*news, *right])
        if cell_len(left) + used > width:
            left = left[: max(1, width - used - 1)] + "…"
        return [(left, ""), *news, (" " * max(0, width - cell_len(left) - used), ""), *right]

    def on_resize(self) -> None:
        """The scrollbar follows the new size."""
        self.virtual_size = Size(self.size.width, len(self._rows))

    def watch_cursor(self, before: int, now: int) -> None:
        """Repaint the two lines and bring the cursor into view."""
        self.refresh_lines(before)
        self.refresh_lines(now)
        self.scroll_to_region(Region(0, now, 1, 1), animate=False, force=True)

    # Keys and mouse

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        self.cursor = max(0, min(len(self._rows) - 1, self.cursor + step))
        self.tell()

    def tell(self) -> None:
        """Say which prompt the cursor is on."""
        if self.current is not None and not self.current.folder:
            self.post_message(self.Moved(self, self.current.path))

    def to_match(self) -> None:
        """Go to the first prompt when the cursor is on none."""
        at = next((at for at, row in enumerate(self._rows) if not row.folder), None)
        if at is not None and self.current is not None and self.current.folder:
            self.cursor = at
        self.tell()

    def action_page(self, step: int) -> None:
        """Move the cursor by pages."""
        self.action_move(step * max(1, self.size.height - 1))

    def action_fold(self) -> None:
        """Fold the folder under the cursor, or go to the one that holds this line."""
        row = self.current
        if row is None:
            return
        if row.folder and row.path not in self._folded:
            self._folded.add(row.path)
            self._rebuild()
            return
        for at in range(self.cursor - 1, -1, -1):
            if self._rows[at].folder and self._rows[at].depth < row.depth:
                self.cursor = at
                return

    def action_unfold(self) -> None:
        """Open the folder under the cursor."""
        if self.current is not None and self.current.folder:
            self._folded.discard(self.current.path)
            self._rebuild()

    def action_choose(self) -> None:
        """Open the prompt, or fold or open the folder."""
        row = self.current
        if row is None:
            return
        if not row.folder:
            self.post_message(self.Chosen(self, row.path))
        elif row.path in self._folded:
            self.action_unfold()
        else:
            self._folded.add(row.path)
            self._rebuild()

    def on_click(self, event: events.Click) -> None:
        """A click does what enter does on that line."""
        at = event.y + self.scroll_offset.y
        if 0 <= at < len(self._rows):
            self.cursor = at
            self.action_choose()


def _order(name: str) -> list[tuple[int, str, str]]:
    """Folders before prompts, without regard to case."""
    *folders, label = name.split("/")
    return [*((0, folder.lower(), folder) for folder in folders), (1, label.lower(), label)]


def _marks(prompt: PromptRow | None) -> str:
    labels = {label for label, _ in prompt.labels} if prompt is not None else set()
    known = "".join(mark if label in labels else " " for label, mark in MARKS.items())
    return f" {known}{'+' if labels - MARKS.keys() else ' '}"


def _searched(name: str, prompt: PromptRow | None) -> str:
    if prompt is None:
        return name.lower()
    labels = [label for label, _ in prompt.labels]
    return " ".join([name, prompt.description, prompt.model or "", *labels, *prompt.tags]).lower()
