"""Three texts beside each other, hunk by hunk, with the hunk under the cursor and what was chosen of each.

Signs carry the meaning, colour only repeats it: ``!`` both changed, ``<`` mine, ``>`` theirs, ``=`` both alike; ``✓`` before
the lines that are taken. On a narrow terminal one of the three columns takes the room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import ClassVar, Literal, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.worker import get_current_worker

from ledger_tui.domain.merge import Choice, Hunk, HunkKind, Merge
from ledger_tui.domain.text import printable
from ledger_tui.ui.widgets import lines
from ledger_tui.ui.widgets.line_view import LineView
from ledger_tui.ui.widgets.lines import Line, Run, wrap_text

Side = Literal["base", "mine", "theirs"]
SIDES: tuple[Side, ...] = ("base", "mine", "theirs")
CONTEXT = 3
"""Unchanged lines kept around a change; the rest is folded."""
AT_ONCE = 200
"""Changed lines that are laid out on the event loop; more are laid out in a thread."""
MAX_HUNK_LINES = 2_000
"""Lines of one side of a hunk that are drawn."""
_SIGNS = {"unchanged": " ", "mine": "<", "theirs": ">", "alike": "=", "conflict": "!"}
_LOOKS = {"unchanged": 0, "mine": lines.STRING, "theirs": lines.KEY, "alike": lines.MUTED, "conflict": lines.NUMBER}
_GUTTER = 2


class Drawn(NamedTuple):
    """One row: the hunk it is of, and its cells without the sign before them."""

    hunk: int
    row: Line


def taken(hunk: Hunk, choice: Choice | None) -> frozenset[Side]:
    """The sides whose lines of a hunk are taken; empty while nobody decided."""
    if choice == "both":
        return frozenset(("mine", "theirs"))
    if choice is not None:
        return frozenset((choice,))
    sides: Mapping[str, tuple[Side, ...]] = {"mine": ("mine",), "theirs": ("theirs",), "alike": ("mine", "theirs")}
    return frozenset(sides.get(hunk.kind, ()))


def lay_out(merge: Merge, choices: Mapping[int, Choice], width: int, side: Side | None) -> list[Drawn]:
    """The rows of a merge in columns of ``width`` cells, one column for a ``side``. Pure, for any thread."""
    rows: list[Drawn] = []
    for place, hunk in enumerate(merge.hunks):
        ends = (place == 0, place == len(merge.hunks) - 1)
        laid = (
            _unchanged(hunk.base, ends, width, 1 if side else 3)
            if hunk.kind == "unchanged"
            else _changed(hunk, choices.get(place), width, SIDES if side is None else (side,))
        )
        rows += [Drawn(place, row) for row in laid]
    return rows


def _changed(hunk: Hunk, choice: Choice | None, width: int, sides: Sequence[Side]) -> Iterable[Line]:
    chosen = taken(hunk, choice)
    columns = [_column(getattr(hunk, side), width, side in chosen, hunk.kind) for side in sides]
    if not any(columns):
        columns = [[Run("")] for _ in columns]
    return (_row(cells, width) for cells in zip_longest(*columns))


def _unchanged(texts: Sequence[str], ends: tuple[bool, bool], width: int, columns: int) -> Iterable[Line]:
    head, tail = (0 if end else CONTEXT for end in ends)
    folded = len(texts) > head + tail + 1
    parts = (texts[:head], texts[len(texts) - tail :]) if folded else (texts, ())
    for at, part in enumerate(parts):
        if at and folded:
            yield (Run(f"⋯ {len(texts) - head - tail} lines are the same", lines.MUTED | lines.EMPHASIS),)
        for cell in _column(part, width, False, "unchanged"):
            yield _row([cell] * columns, width)


def _column(texts: Sequence[str], width: int, is_taken: bool, kind: HunkKind) -> list[Run]:
    """The rows of one side, two cells narrower than the column: they carry the mark of what is taken."""
    look = _LOOKS[kind] if is_taken or kind in ("unchanged", "conflict") else lines.MUTED
    rows: list[Run] = []
    for text in texts[:MAX_HUNK_LINES]:
        for row in wrap_text(printable(text) or " ", width - 3, look):
            rows.append(Run(("✓ " if is_taken else "  ") + lines.line_text(row), look))
    if len(texts) > MAX_HUNK_LINES:
        rows.append(Run(f"  … {len(texts) - MAX_HUNK_LINES:,} more lines", lines.MUTED))
    return rows


def _row(cells: Sequence[Run | None], width: int) -> Line:
    runs: list[Run] = []
    for at, cell in enumerate(cells):
        text, look = cell or Run("")
        if at:
            runs.append(Run("│", lines.RULE))
        runs.append(Run(text + " " * max(0, width - cell_len(text)), look))
    return tuple(runs)


class MergeView(LineView):
    """Shows a ``Merge``; posts what a person chooses.

    | Key(s) | Description |
    | :- | :- |
    | n, p | The next, the previous change. |
    | m, t, b, x | Take mine, theirs, both, or what was before. |
    """

    HELP = """
### Two versions beside what they came from
`<` is changed by mine only, `>` by theirs only, `=` by both alike: these are taken by themselves. `!` is changed by both, and
yours to decide: `m` takes mine, `t` theirs, `b` both (mine first), `x` what was before. `✓` stands before the lines that are
taken. The same keys change your mind anywhere. `n` and `p` go to the next and previous change; a click on a column of a change
takes that side.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "take('mine')", "Mine", id="merge.mine", tooltip="Take my lines of this change"),
        Binding("t", "take('theirs')", "Theirs", id="merge.theirs", tooltip="Take their lines of this change"),
        Binding("b", "take('both')", "Both", id="merge.both", tooltip="Take my lines and theirs after them"),
        Binding("x", "take('base')", "Before", show=False, id="merge.base", tooltip="Take what was there before"),
        Binding("n", "step(1)", "Next", show=False, id="merge.next", tooltip="Go to the next change"),
        Binding("p,N", "step(-1)", "Previous", show=False, id="merge.previous", tooltip="Go to the previous change"),
        Binding("down,j", "move(1)", "Down", show=False, id="merge.down", tooltip="Down, to the next change in view"),
        Binding("up,k", "move(-1)", "Up", show=False, id="merge.up", tooltip="Up, to the previous change in view"),
    ]

    @dataclass
    class Chosen(Message):
        """A person took a side of a hunk."""

        place: int
        choice: Choice

    @dataclass
    class Moved(Message):
        """The cursor is on another hunk."""

        place: int

    @dataclass
    class LaidOut(Message):
        """The columns have another width."""

        view: MergeView

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._merge = Merge(())
        self._choices: Mapping[int, Choice] = {}
        self._drawn: list[Drawn] = []
        self.side: Side | None = None
        """The one column that is shown; None: all three."""
        self._seek = False
        self.place = -1
        """The hunk under the cursor, -1 without one."""

    @property
    def column_width(self) -> int:
        """Cells of one column."""
        return max(8, self.room - _GUTTER if self.side else (self.room - _GUTTER - 2) // 3)

    def show_merge(self, merge: Merge, choices: Mapping[int, Choice]) -> None:
        """Show hunks from the first that is to be decided."""
        self._merge, self._choices = merge, choices
        undecided = merge.undecided(choices) or merge.changed
        self.place = undecided[0] if undecided else -1
        self._seek = True
        self.room_changed()

    def show_choices(self, choices: Mapping[int, Choice]) -> None:
        """Show what is chosen now."""
        self._choices = choices
        self.room_changed()

    def show_side(self, side: Side | None) -> None:
        """Show one column, or all three."""
        if side != self.side:
            self.side, self._seek = side, True
            self.room_changed()

    def room_changed(self) -> None:
        """Lay out for the width that there is; large texts in a thread."""
        if self.room <= 0:
            return
        work = partial(lay_out, self._merge, dict(self._choices), self.column_width, self.side)
        self.workers.cancel_group(self, "layout")
        if sum(len(hunk.mine) + len(hunk.theirs) for hunk in self._merge.hunks if hunk.kind != "unchanged") <= AT_ONCE:
            self._laid_out(work())
        else:
            self.run_worker(partial(self._lay_out, work), group="layout", exclusive=True, thread=True)

    def _lay_out(self, work: Callable[[], list[Drawn]]) -> None:
        worker = get_current_worker()
        drawn = work()
        if not worker.is_cancelled and self.is_attached:
            self.app.call_from_thread(self._laid_out, drawn)

    def _laid_out(self, drawn: list[Drawn]) -> None:
        self._drawn = drawn
        self._paint()
        if self._seek:
            self._into_view()
        self.post_message(self.LaidOut(self))

    def _paint(self) -> None:
        self.set_rows([(self._sign(drawn.hunk), *drawn.row) for drawn in self._drawn])

    def _sign(self, place: int) -> Run:
        kind = self._merge.hunks[place].kind
        look = _LOOKS[kind] | lines.STRONG
        return Run(f"{'▌' if place == self.place else ' '}{_SIGNS[kind]}", look)

    # What a person does

    def action_take(self, choice: Choice) -> None:
        """Take a side of the hunk under the cursor."""
        if self.place >= 0:
            self.post_message(self.Chosen(self.place, choice))

    def action_step(self, step: int) -> None:
        """Go to the next or previous change; where there is none, scroll."""
        changed = self._merge.changed
        at = changed.index(self.place) + step if self.place in changed else 0
        if 0 <= at < len(changed):
            self.go_to(changed[at])
        elif step > 0:
            self.action_scroll_down()
        else:
            self.action_scroll_up()

    def action_move(self, step: int) -> None:
        """Go on to the next change where it is in view, else scroll by a line."""
        changed = self._merge.changed
        at = changed.index(self.place) + step if self.place in changed else -1
        if 0 <= at < len(changed):
            rows = [row for row, drawn in enumerate(self._drawn) if drawn.hunk == changed[at]]
            top = self.scroll_offset.y
            edge = rows[0] if step > 0 else rows[-1]
            if top <= edge < top + self.size.height:
                self.place = changed[at]
                self._paint()
                self.post_message(self.Moved(self.place))
                return
        (self.action_scroll_down if step > 0 else self.action_scroll_up)()

    def go_to(self, place: int) -> None:
        """Put the cursor on a hunk and bring it into view."""
        if place != self.place:
            self.place = place
            self._paint()
            self.post_message(self.Moved(place))
        self._into_view()

    def _into_view(self) -> None:
        row = next((at for at, drawn in enumerate(self._drawn) if drawn.hunk == self.place), None)
        if row is not None:
            self._seek = False
            self.scroll_to(y=max(0, row - CONTEXT), animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """A click on a change goes there; on the change of the cursor it takes the side of the column."""
        row = self.scroll_offset.y + event.y
        if row >= len(self._drawn) or self.text_selection is not None:
            return
        place = self._drawn[row].hunk
        if place not in self._merge.changed:
            return
        if place != self.place:
            self.go_to(place)
            return
        column = max(0, event.x - _GUTTER) // (self.column_width + 1)
        self.action_take(self.side or SIDES[min(column, 2)])
