"""Under the editor: the variables found, the problems with their places, and what a run would cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ledger_tui.domain.text import one_line
from ledger_tui.ui.safe import line

if TYPE_CHECKING:
    from ledger_tui.domain.template import Analysis

MAX_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem and where it is; ``message`` counts from 0, line and column from 1."""

    message: int
    line: int
    column: int
    words: str
    severity: str = "error"
    end_column: int = 0
    """The first column after it, 0 when it is one character."""


@dataclass(frozen=True, slots=True)
class VariableMark:
    """A variable of the prompt: ``known`` to the version it is written on, or new; ``meant`` is a likely spelling."""

    name: str
    known: bool
    meant: str = ""


def variable_marks(found: Sequence[str], known: Collection[str] | None) -> list[VariableMark]:
    """Each variable once. ``known`` are those of the base version, None when there is none.

    A new variable that looks like a known one which is gone now was probably mistyped.
    """
    marks = []
    gone = [name for name in known or () if name not in found]
    for name in dict.fromkeys(found):
        new = known is not None and name not in known
        near = get_close_matches(name, gone or list(known or ()), n=1, cutoff=0.75) if new else []
        marks.append(VariableMark(name, not new, near[0] if near else ""))
    return marks


class KnownVariables:
    """The variables of each message as they were when its text was last understood: an error hides them for a while."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, ...]] = {}

    def take(self, analyses: Sequence[Analysis]) -> tuple[str, ...]:
        """Each name once; a message with an error counts as it did before."""
        for at, analysis in enumerate(analyses):
            if analysis.names or not any(problem.severity == "error" for problem in analysis.problems):
                self._names[at] = analysis.names
        names = [name for at in range(len(analyses)) for name in self._names.get(at, ())]
        return tuple(dict.fromkeys(names))


def findings(analyses: Sequence[Analysis]) -> list[Finding]:
    """All problems of the messages' analyses, in order."""
    return [
        Finding(at, problem.line, problem.column, problem.message, problem.severity, problem.end_column)
        for at, analysis in enumerate(analyses)
        for problem in analysis.problems
    ]


class Findings(Vertical):
    """Shows values; posts ``GoTo`` when a problem is chosen."""

    DEFAULT_CSS = """
    Findings {
        height: auto;
        max-height: 9;
        border-top: solid $border-blurred;
        Static { height: auto; max-height: 3; }
        OptionList { height: auto; max-height: 5; border: none; padding: 0; background: transparent; display: none; }
        OptionList.-any { display: block; }
    }
    """

    @dataclass
    class GoTo(Message):
        """A person wants to see the place of a problem."""

        finding: Finding

    @dataclass
    class ForecastWanted(Message):
        """The line about the cost of a run was clicked."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._findings: list[Finding] = []

    def compose(self) -> ComposeResult:
        """Three parts."""
        yield Static("", id="variables", markup=False)
        yield OptionList(id="problems", compact=True)
        yield Static("", id="estimate", markup=False, classes="muted")

    def show_variables(self, marks: Sequence[VariableMark], unsure: bool = False) -> None:
        """Show the variables with their marks; ``unsure`` when a problem may hide some."""
        parts: list[Content] = [Content.styled("Variables  ", "$text-muted")]
        for mark in marks[:MAX_SHOWN]:
            name = line(mark.name, 60)
            if mark.meant:
                hint = f" new, did you mean {one_line(mark.meant, 60)}?"
                parts.append(Content.assemble(("⚠ ", "$warning"), name, (hint, "$warning"), "  "))
            elif not mark.known:
                parts.append(Content.assemble(("+ ", "$success"), name, (" new", "$success"), "  "))
            else:
                parts.append(Content.assemble(("✓ ", "$text-muted"), name, "  "))
        if len(marks) > MAX_SHOWN:
            parts.append(Content(f"and {len(marks) - MAX_SHOWN} more"))
        if not marks:
            parts.append(Content.styled("not known yet" if unsure else "none", "$text-muted"))
        self.query_one("#variables", Static).update(Content("").join(parts))

    def show_problems(self, found: Iterable[Finding]) -> None:
        """Show the problems, one a line."""
        self._findings = list(found)
        rows = self.query_one(OptionList)
        rows.clear_options()
        for finding in self._findings[:MAX_SHOWN]:
            mark, style = ("✗ ", "$error") if finding.severity == "error" else ("⚠ ", "$warning")
            where = f"message {finding.message + 1}, {finding.line}:{finding.column}  "
            words = line(finding.words, 300)
            rows.add_option(Option(Content.assemble((mark, style), (where, "$text-muted"), words)))
        rows.highlighted = 0 if self._findings and rows.has_focus else None
        rows.set_class(bool(self._findings), "-any")

    def show_estimate(self, text: str) -> None:
        """Say what a run would cost."""
        self.query_one("#estimate", Static).update(text)

    def on_click(self, event: events.Click) -> None:
        """What a run costs leads to what many runs cost."""
        if event.widget is self.query_one("#estimate"):
            self.post_message(self.ForecastWanted())

    def on_descendant_focus(self) -> None:
        """The keyboard came: stand on the first problem."""
        rows = self.query_one(OptionList)
        if rows.has_focus and rows.highlighted is None and self._findings:
            rows.highlighted = 0

    def on_descendant_blur(self) -> None:
        """The keyboard left: a mark would look like a cursor."""
        self.query_one(OptionList).highlighted = None

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.GoTo(self._findings[event.option_index]))
