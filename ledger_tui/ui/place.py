"""What the five places share: the frame around them, and the one way to do slow work without holding the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer

from ledger_tui.domain.text import printable
from ledger_tui.errors import LedgerError
from ledger_tui.ui.code import CodeSubject
from ledger_tui.ui.widgets.moment_line import MomentLine
from ledger_tui.ui.widgets.top_line import TopLine

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.ui.app import LedgerApp
    from ledger_tui.ui.cost_subject import CostSubject
    from ledger_tui.ui.export_subject import ExportSubject

Result = TypeVar("Result")


class Place(Screen[None]):
    """One of the five places. Subclasses give ``PLACE`` and ``compose_place``."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (180, "-very-wide")]
    """Below 110 columns (-narrow) panes fold into tabs."""
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
    """Below 30 rows (-short) decorations go."""

    PLACE = ""
    """The mode's name: prompts, playground, traces, costs or settings."""

    WRITES: ClassVar[frozenset[str]] = frozenset()
    """Names of the actions that change the ledger: refused while an earlier moment is shown. Widgets may have it too."""

    HELP: ClassVar[str] = ""
    """Markdown, in own words, that f1 shows under the help of the focused widget."""

    app: LedgerApp

    @property
    def ledger(self) -> PromptLedger:
        """The ledger that the workstation shows."""
        return self.app.ledger

    def compose(self) -> ComposeResult:
        """The top line, the moment when it is an earlier one, the place itself, the footer."""
        line = TopLine(self.PLACE)
        line.set_reactive(TopLine.facts, self.app.facts)
        yield line
        if self.app.moment is not None:
            yield MomentLine(self.app.moment)
        yield from self.compose_place()
        yield Footer(show_command_palette=False, compact=True)

    def compose_place(self) -> ComposeResult:
        """The widgets between top line and footer."""
        return
        yield

    def code_subject(self) -> CodeSubject | None:
        """The current action as code for f8, None when there is none."""
        return None

    def copy_source(self) -> str | None:
        """The source text that ``y`` copies, None when there is none."""
        return None

    def cost_subject(self) -> CostSubject | None:
        """The cost under the cursor, whose receipt the receipt key shows; None when there is none."""
        return None

    def export_subjects(self) -> Sequence[ExportSubject]:
        """What the export key can write into a file, the likeliest first; nothing where there is nothing to write."""
        return ()

    def palette_actions(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Entries for the palette besides the key bindings' actions: title, help, what to call."""
        return ()

    def registry_changed(self) -> None:
        """Called when prompts, versions or labels changed somewhere else (an undo, another place)."""

    def registry_arrived(self, names: Collection[str]) -> None:
        """Called when something came from colleagues for these prompts, or the server gave numbers: nobody asked for it, so what a
        person is at stays as it is."""
        self.registry_changed()

    def sync_changed(self) -> None:
        """Called when ``app.sync_view`` is another one."""

    def sync_looked(self) -> None:
        """Called every few seconds, whether ``app.sync_view`` is another one or only older."""

    def ledger_changed(self) -> None:
        """Called when ``ledger`` is another moment of the workspace: read again what is shown."""
        self.registry_changed()

    def moment_changed(self) -> None:
        """Say which moment is shown."""
        self.query(MomentLine).remove()
        if self.app.moment is not None:
            self.mount(MomentLine(self.app.moment), after=self.query_one(TopLine))

    @on(MomentLine.Wanted)
    def _moment_wanted(self, event: MomentLine.Wanted) -> None:
        if event.present:
            self.app.action_present()
        else:
            self.app.choose_moment()

    def settings_changed(self) -> None:
        """Called when the settings file was read again."""

    def load(
        self,
        work: Callable[[], Result],
        then: Callable[[Result], Any] | None = None,
        *,
        group: str,
        failed: Callable[[Exception], Any] | None = None,
    ) -> None:
        """Run ``work`` in a thread, then hand its result to ``then`` on the event loop.

        It starts once the ledger is open. A newer call of the same ``group`` replaces an older one. An error goes to
        ``failed``, else to ``show_error``. What was read of an earlier moment is dropped once another one is shown.
        """
        ledger = self.app.ledger

        async def worker() -> None:
            await self.app.opened.wait()
            try:
                result = await asyncio.to_thread(work)
            except Exception as error:
                if _is_over(ledger, self.app.ledger):
                    return
                (failed or self.show_error)(error)
            else:
                if then is not None and self.is_attached and not _is_over(ledger, self.app.ledger):
                    then(result)

        # The function, not its coroutine: a worker that never starts leaves nothing behind.
        start: Any = worker
        self.run_worker(start, group=group, exclusive=True, exit_on_error=False, name=group)

    def show_error(self, error: BaseException) -> None:
        """Say what happened and what to do, as a toast."""
        if isinstance(error, LedgerError):
            title, words = error.title, error.explained
        else:
            title, words = "Something went wrong", f"{type(error).__name__}: {error}"
            self.log.error(words)
        self.app.notify(printable(words), title=printable(title), severity="error", timeout=10, markup=False)


def _is_over(asked: PromptLedger, shown: PromptLedger) -> bool:
    """Whether an earlier moment was asked that is shown no more."""
    return asked is not shown and asked.as_of is not None
