"""The one line in which traces are asked for: the field, what may come next, and where a filter is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from ledger_tui.domain.filter import FIELDS, complete, term_start
from ledger_tui.domain.text import one_line, printable
from ledger_tui.errors import FilterError


class FilterField(Input):
    """The field; tab takes the first suggestion.

    | Key(s) | Description |
    | :- | :- |
    | enter | Apply. |
    | tab | Take the first suggestion. |
    | escape | Clear the filter, or leave the field. |
    """

    HELP = "\n".join(
        (
            "# The filter",
            "",
            "Terms stand side by side and all must hold. A leading `-` turns a term round, `a,b` means any of them, `*`",
            "stands for any text. Words alone, or in quotes, are looked for in inputs, outputs and names.",
            "",
            *(f"- `{field.example}` {field.help}" for field in FIELDS),
        )
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, id="filter.complete", tooltip="Take the first suggestion"),
        Binding("escape", "leave", "Clear", id="filter.leave", tooltip="Clear the filter, or leave the field"),
        Binding("down", "screen.focus_list", "To the list", show=False, id="filter.list", tooltip="To the traces"),
    ]

    @dataclass
    class Left(Message):
        """Escape in an empty field."""

        field: FilterField

    def action_complete(self) -> None:
        """Take the first suggestion; without one go on to what comes next."""
        words = complete(self.value, self.cursor_position) if self.value else []
        if words:
            self.take(words[0])
        else:
            self.screen.focus_next()

    def take(self, term: str) -> None:
        """Put a suggestion where the term of the cursor is."""
        start = term_start(self.value, self.cursor_position)
        rest = self.value[self.cursor_position :]
        done = not term.endswith((":", ">")) and not rest
        self.value = self.value[:start] + term + (" " if done else "") + rest
        self.cursor_position = start + len(term) + done

    def action_leave(self) -> None:
        """Clear, or leave when there is nothing to clear."""
        if self.value:
            self.value = ""
            self.post_message(self.Submitted(self, ""))
        else:
            self.post_message(self.Left(self))


class Suggestions(Widget):
    """What the term under the cursor may become, on one row; a click takes one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"suggestions--first", "suggestions--other"}
    DEFAULT_CSS = """
    Suggestions {
        height: 1;
        padding: 0 3;
        .suggestions--first { color: $primary; text-style: bold; }
        .suggestions--other { color: $text-muted; }
    }
    """
    terms: reactive[tuple[str, ...]] = reactive(())
    """The suggestions, the likeliest first."""

    @dataclass
    class Taken(Message):
        """A suggestion was clicked."""

        term: str

    def render(self) -> Content:
        """As many as fit; the first says that tab takes it."""
        parts: list[Content] = []
        for number, term in enumerate(self.terms):
            look = "first" if number == 0 else "other"
            parts += [Content.styled(printable(term), self.get_visual_style(f"suggestions--{look}"))]
            parts += [Content.styled(" tab  " if number == 0 else "  ", self.get_visual_style("suggestions--other"))]
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        """Take the suggestion under the mouse."""
        offset = event.get_content_offset(self)
        right = 0
        for number, term in enumerate(self.terms):
            right += len(term) + (6 if number == 0 else 2)
            if offset is not None and offset.x < right:
                self.post_message(self.Taken(term))
                return


class FilterBar(Vertical):
    """The filter; posts ``Applied`` with the text when it should be used."""

    DEFAULT_CSS = """
    FilterBar {
        height: auto;
        #filter-line { height: 1; }
        #filter-sign { width: 3; content-align: right middle; color: $text-muted; padding: 0 1 0 0; }
        #filter-count { width: auto; padding: 0 1; color: $text-muted; }
        FilterField { width: 1fr; }
        #filter-problem { padding: 0 0 0 4; color: $text-error; height: auto; display: none; }
        &.-wrong #filter-problem { display: block; }
        Suggestions { display: none; }
        &.-asked Suggestions { display: block; }
        &.-wrong Suggestions { display: none; }
    }
    """

    @dataclass
    class Applied(Message):
        """The filter to use from now on."""

        text: str

    def compose(self) -> ComposeResult:
        """Sign, field, count; below them suggestions or what is wrong."""
        with Horizontal(id="filter-line"):
            yield Static("/", id="filter-sign")
            yield FilterField(placeholder='status:failed cost>0.01 since:2h "text"', compact=True, classes="bar")
            yield Static("", id="filter-count", markup=False)
        yield Suggestions()
        yield Static("", id="filter-problem", markup=False)

    @property
    def field(self) -> FilterField:
        """The field."""
        return self.query_one(FilterField)

    def set_text(self, text: str) -> None:
        """Put a filter into the field without applying it."""
        self.field.value = text

    def set_count(self, text: str) -> None:
        """What stands right of the field."""
        self.query_one("#filter-count", Static).update(Content(text))

    def show_problem(self, error: FilterError | None) -> None:
        """Point at what is wrong; None when nothing is."""
        self.set_class(error is not None, "-wrong")
        if error is None:
            return
        room = max(10, self.size.width - 6)
        caret = " " * min(error.position, room - 1) + "▲"
        words = one_line(f"{error.cause or error.title}. {error.remedy}", 300)
        self.query_one("#filter-problem", Static).update(Content(f"{caret}\n{words}"))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.remove_class("-wrong")
        self._suggest()

    @on(events.DescendantFocus)
    def _focused(self) -> None:
        self.add_class("-asked")
        self._suggest()

    @on(events.DescendantBlur)
    def _blurred(self) -> None:
        self.remove_class("-asked")

    def _suggest(self) -> None:
        field = self.field
        self.query_one(Suggestions).terms = tuple(complete(field.value, field.cursor_position)[:24])

    @on(Suggestions.Taken)
    def _taken(self, event: Suggestions.Taken) -> None:
        event.stop()
        self.field.take(event.term)
        self.screen.set_focus(self.field)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Applied(event.value))
