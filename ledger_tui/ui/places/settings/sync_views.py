"""The showing half of the Sync tab: where sharing stands, and five views of it as rows with the one under the cursor in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from ledger_tui.ui.places.settings import sync_reading as words
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.places.settings.sync_head import head_words
from ledger_tui.ui.places.settings.sync_password import told
from ledger_tui.ui.places.settings.sync_reading import SyncReading, read_sync
from ledger_tui.ui.safe import content
from ledger_tui.ui.sync_words import bar, can_type, wants_password
from ledger_tui.ui.widgets.row_table import RowTable
from ledger_tui.ui.widgets.tab_line import TabLine

if TYPE_CHECKING:
    from ledger_tui.domain.sync.sharing import Sharing
    from ledger_tui.sync.door import Device

STREAMS, RECEIPTS, RULES, ASIDE, DEVICES = range(5)
ONE = ("Stream", "Receipt", "Rule", "Record", "Device")
TITLES = ("Streams", "What left this machine", "What may leave this machine", "Set aside", "Devices")
COLUMNS: tuple[tuple[str, ...], ...] = (
    ("stream", ">waits", ">last number", "may leave"),
    ("when", "both ends", ">came", "left this machine"),
    ("prompts", "registry", "numbers", "texts"),
    ("what", "record", "why", "since"),
    ("device", "account", "role", ">records", "last"),
)
NOTHING = (
    "",
    "No exchange did anything yet.",
    "",
    "Nothing was set aside: all that came could be taken.",
    "◌ asking the server …",
)
SHARED, UNSHARED = ("sync_now", "outlook", "verify", "leave"), ("join",)
AGED = (RECEIPTS, ASIDE, DEVICES)
"""Views that say how long ago something was."""
RULE_DEEDS, ASIDE_DEEDS = ("numbers", "texts", "add", "remove"), ("remove",)
BUTTONS = (
    ("join", "Share this ledger", "Join a shared ledger, or make one (j)"),
    ("password", "Password", "Type the password of this account; it is tried and kept (p)"),
    ("sync_now", "Sync now", "Exchange with the server now (s)"),
    ("outlook", "What would go", "What an exchange would send and bring; changes nothing (o)"),
    ("verify", "Verify", "Prove that both ends hold the same, or find where they differ (v)"),
    ("numbers", "Numbers", "Whether numbers and names of these calls may leave (n)"),
    ("texts", "Texts", "Whether texts of these calls may leave (t)"),
    ("add", "Add folder", "Another rule for a folder of prompts (a)"),
    ("remove", "Remove", "Remove the rule of this folder, or drop this record (del)"),
    ("leave", "Leave", "Forget the server; everything stays (L)"),
)
EMPTY = Content.assemble(
    ("This ledger is shared with nobody.", "bold"),
    "\nA team can have one: every machine keeps a whole ledger and works offline; a PostgreSQL of yours keeps what they "
    "exchange. What leaves the machine is said below: prompts and labels always, numbers of calls unless you say no, texts, "
    "sessions and users only if you ask for it. ",
    ("j", "bold $primary"),
    " joins a shared ledger or makes one.",
)
ELSEWHERE = "This ledger lives on a server: whoever opens it there shares it. Sync is for ledgers in files."
PAST = "An earlier moment is shown. Sharing is of the present: T comes back to it."


class SyncViews(Section):
    """Shows sharing; what can be done about it comes with its subclasses."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._reading: SyncReading | None = None
        self._devices: Sequence[Device] | None = None
        self._devices_said = ""

    def compose(self) -> ComposeResult:
        """Where it stands, the views, the rows of one and the row under the cursor, deeds."""
        with Vertical(classes="pane", id="sync-pane") as pane:
            pane.border_title = "Shared ledger"
            yield Static("◌ reading …", id="sync-head", markup=False)
        yield TabLine(*words.VIEWS, id="sync-views")
        with Horizontal(id="sync-panes"):
            with Vertical(classes="pane", id="sync-list"):
                yield RowTable(id="sync-rows")
                yield Static("", id="sync-none", classes="muted", markup=False)
            with VerticalScroll(classes="pane", id="sync-detail", can_focus=False):
                yield Static("", id="sync-detail-words", markup=False)
        with Horizontal(classes="toolbar"):
            for name, label, tooltip in BUTTONS:
                primary: Any = "primary" if name in ("join", "password") else "default"
                yield Button(label, id=name, variant=primary, compact=True, tooltip=tooltip)

    # Showing

    @property
    def view(self) -> int:
        """Which view is shown; a ledger that is not shared has its rules only."""
        return self.query_one(TabLine).chosen if self._is_shared else RULES

    @property
    def _is_shared(self) -> bool:
        return self._reading is not None and self._reading.status.is_shared

    @property
    def _rules(self) -> Sharing | None:
        return self._reading.status.sharing if self._reading is not None else None

    def focus_first(self) -> None:
        """The rows."""
        self.query_one(RowTable).focus()

    def read(self) -> None:
        """Read everything that the ledger itself knows."""
        ledger = self.app.ledger
        if ledger.as_of is not None or ledger.database.dialect != "sqlite":
            self._reading = None
            self._show_unavailable(PAST if ledger.as_of is not None else ELSEWHERE)
        else:
            self.load(partial(read_sync, ledger), self._show)

    def sync_changed(self) -> None:
        """How sync stands is another thing: say so at once, and read again."""
        if self._reading is not None:
            self._show_head()
            if self.app.sync_view.progress is None:
                self.read()

    def sync_looked(self) -> None:
        """Ages moved on."""
        if self._reading is not None and self._is_shared:
            self._show_head()
            if self.view in AGED:
                self.query_one(RowTable).renew(self._rows(self._reading))

    def _show_unavailable(self, why: str) -> None:
        self.query_one("#sync-head", Static).update(content(why))
        for selector in ("#sync-views", "#sync-panes", ".toolbar"):
            self.query_one(selector).display = False
        self.refresh_bindings()

    def _show(self, reading: SyncReading) -> None:
        self._reading = reading
        self.query_one("#sync-panes").display = self.query_one(".toolbar").display = True
        views = self.query_one(TabLine)
        views.display = reading.status.is_shared
        count = len(reading.asides)
        names = list(words.VIEWS)
        names[ASIDE] = f"Set aside {count}" if count else names[ASIDE]
        views.tabs = tuple(names)
        self._show_head()
        self._show_rows()

    def _show_head(self) -> None:
        reading = self._reading
        if reading is None:
            return
        head: Content = EMPTY
        if reading.status.is_shared:
            first, *rest = head_words(reading, self.app.sync_view)
            muted = [content(line, "$text-muted") for line in rest]
            style = "bold $warning" if bar(reading.status) else "bold"
            head = Content("\n").join([content(first, style), *muted])
        self.query_one("#sync-head", Static).update(head)

    def _rows(self, reading: SyncReading) -> words.Rows:
        """The rows of the view that is shown."""
        view = self.view
        if view == STREAMS:
            return words.stream_rows(reading.status)
        if view == RECEIPTS:
            return words.receipt_rows(reading.receipts)
        if view == RULES:
            return words.rule_rows(reading.status.sharing)
        if view == ASIDE:
            return words.aside_rows(reading.asides)
        return words.device_rows(self._devices, reading.device) if self._devices is not None else []

    def _show_rows(self) -> None:
        reading, view = self._reading, self.view
        if reading is None:
            return
        rows = self._rows(reading)
        self.query_one(RowTable).fill(COLUMNS[view], rows)
        self.query_one("#sync-list").border_title = TITLES[view]
        none = self.query_one("#sync-none", Static)
        none.display = not rows
        none.update(content(self._devices_said if view == DEVICES and self._devices_said else NOTHING[view]))
        for name, _, _ in BUTTONS:
            self.query_one(f"#{name}", Button).display = self._can(name)
        self._describe()
        self.refresh_bindings()

    def _can(self, deed: str) -> bool:
        """Whether a deed has a meaning in what is shown."""
        if self._reading is None:
            return False
        if deed in RULE_DEEDS and self.view == RULES:
            return deed != "remove" or bool(self._reading.status.sharing.folders)
        if deed in ASIDE_DEEDS and self.view == ASIDE:
            return bool(self._reading.asides)
        if deed == "password":
            return self._is_shared and wants_password(self._reading.status) and can_type(self._reading.password_source)
        return deed in (SHARED if self._is_shared else UNSHARED) and (self.view != RULES or not self._is_shared)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Deeds that have no meaning here are not offered; the keys of shared deeds work in every view."""
        if action in SHARED:
            return self._is_shared
        if action in (*UNSHARED, *RULE_DEEDS, "password"):
            return self._can(action)
        return True

    @on(RowTable.RowHighlighted)
    def _describe(self) -> None:
        lines = list(self._detail())
        self.query_one("#sync-detail-words", Static).update(Content("\n").join([content(line) for line in lines]))
        detail = self.query_one("#sync-detail")
        detail.display = bool(lines)
        detail.border_title = ONE[self.view]

    def _detail(self) -> Iterable[str]:
        reading, key = self._reading, self.query_one(RowTable).selected_key
        if reading is None or key is None:
            return ()
        if self.view == STREAMS:
            return (words.STREAM_WORDS[key],)
        if self.view == RECEIPTS:
            return words.receipt_lines(reading.receipts[int(key)])
        if self.view == RULES:
            return words.rule_lines(reading.status.sharing, key)
        if self.view == ASIDE:
            return next((words.aside_lines(row) for row in reading.asides if row.key == key), ())
        return words.device_lines(self._devices[int(key)], reading.device) if self._devices else ()

    @on(TabLine.Chosen)
    def _view_chosen(self, event: TabLine.Chosen) -> None:
        event.stop()
        self._show_rows()
        if event.index == DEVICES:
            self._ask_devices()

    def action_view(self, step: int) -> None:
        """Go to the next view or the one before."""
        if self._is_shared:
            self.query_one(TabLine).action_step(step)

    def _ask_devices(self) -> None:
        self._devices_said = ""
        ledger = self.app.ledger

        def came(devices: list[Device]) -> None:
            self._devices = devices
            self._devices_said = "Nobody brought anything yet."
            self._show_rows()

        def failed(error: Exception) -> None:
            self._devices_said = told(error)
            self._show_rows()

        self.place.load(lambda: ledger.sync.devices(), came, group="settings-devices", failed=failed)
