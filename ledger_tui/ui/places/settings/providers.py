"""Providers: which there are, where their keys come from, and what can be done about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.text import one_line, printable
from ledger_tui.errors import LedgerError
from ledger_tui.ui.dialogs.ask import Ask, Choose, Confirm
from ledger_tui.ui.places.settings.new_provider import NewProvider, wrong_address
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable

if TYPE_CHECKING:
    from ledger_tui.services.models import ProviderStatus

SOURCES = {
    "environment": ("✓ from the environment", "$success"),
    "file": ("✓ from a key file", "$success"),
    "keyring": ("✓ in the keyring", "$success"),
    "memory": ("✓ until the workstation is left", "$success"),
    "none needed": ("· none needed", "$text-muted"),
    "missing": ("○ none", "$text-muted"),
}
TEST_TEXT = "Answer with the word: ready"


class Providers(Section):
    """The list of providers, the one under the cursor in detail, and a row of deeds.

    | Key(s) | Description |
    | :- | :- |
    | enter, k | Set the key. |
    | m | Ask for the list of models. |
    | t | Make a test call. |
    | a | Set the address. |
    | n | Add a provider of one's own. |
    """

    HELP = """
    ## Providers and keys
    A key comes from the environment, from a file that a variable names, or from the system's keyring, in this order.
    A key that is set here goes to the keyring and is bound to the provider's address; without a safe keyring it is held
    until the workstation is left. **Offline** needs nothing: it gives made-up answers and says so.

    `n` adds a server of your own that speaks the protocol of OpenAI. Its key is optional; `m` lists its models.

    A test call is a run like any other: it is stored, and costs what it costs.
    """
    BINDINGS = [
        Binding("k", "set_key", "Key", id="settings.set_key", tooltip="Set the key of this provider"),
        Binding("m", "refresh", "Models", id="settings.models", tooltip="Ask this provider which models it has"),
        Binding(
            "t", "test", "Test", id="settings.test", tooltip="Make a short test call, which is stored like any run"
        ),
        Binding("a", "address", "Address", id="settings.address", tooltip="Set the address of this provider's server"),
        Binding("n", "new", "New", id="settings.new", tooltip="Add a server of your own by name and address"),
        Binding("delete", "forget", "Forget", show=False, id="settings.forget", tooltip="Forget the saved key"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._statuses: dict[str, ProviderStatus] = {}
        self._added = ""

    def compose(self) -> ComposeResult:
        """List, detail, buttons."""
        with Horizontal(id="provider-panes"):
            with Vertical(classes="pane", id="provider-pane") as pane:
                pane.border_title = "Providers"
                yield RowTable(id="providers")
            with Vertical(classes="pane", id="provider-detail") as pane:
                pane.border_title = "Provider"
                yield Static("", id="provider-words", markup=False)
        with Horizontal(classes="toolbar"):
            yield Button("Set key", id="set_key", variant="primary", compact=True)
            yield Button("Forget key", id="forget", compact=True)
            yield Button("Models", id="refresh", compact=True)
            yield Button("Test call", id="test", compact=True)
            yield Button("Address", id="address", compact=True)
            yield Button("New", id="new", compact=True)

    def read(self) -> None:
        """Look at every provider; a keyring may take a moment."""
        self.load(self.app.ledger.models.status, self._show)

    def _show(self, statuses: list[ProviderStatus]) -> None:
        self._statuses = {status.name: status for status in statuses}
        rows = [(status.name, list(self._cells(status))) for status in statuses]
        table = self.query_one(RowTable)
        table.fill(["provider", "key", ">models"], rows)
        if self._added in self._statuses:
            table.move_cursor(row=[status.name for status in statuses].index(self._added))
            self._added = ""
        self._describe()

    def _cells(self, status: ProviderStatus) -> tuple[Cell, Cell, Cell]:
        key: Cell = SOURCES.get(status.key_source, (status.key_source, ""))
        if not status.enabled:
            key = ("⊘ switched off", "$text-muted")
        elif status.problem:
            key = ("✗ " + status.problem, "$error")
        return status.title or status.name, key, str(status.model_count or "")

    @property
    def chosen(self) -> ProviderStatus | None:
        """The provider under the cursor."""
        return self._statuses.get(self.query_one(RowTable).selected_key or "")

    @on(RowTable.RowHighlighted)
    def _describe(self) -> None:
        status = self.chosen
        if status is None:
            return
        error = status.refresh_error
        facts = [
            ("name", status.name),
            ("address", status.base_url or "—"),
            ("protocol", status.wire),
            ("key", SOURCES.get(status.key_source, (status.key_source, ""))[0]),
            ("variables", ", ".join(status.key_env) or "—"),
            ("models", f"{status.model_count}{_age(status.fetched_us)}"),
        ]
        rows = [
            Content.assemble((f"{name:<11}", "$text-muted"), content(one_line(value, 300))) for name, value in facts
        ]
        for words in (status.problem, " ".join(filter(None, (str(error), error.remedy))) if error else ""):
            if words:
                rows.append(Content.assemble(("\n✗ ", "$error"), content(words)))
        self.query_one("#provider-words", Static).update(Content("\n").join(rows))

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        await self.run_action(event.button.id or "")

    @on(RowTable.RowSelected)
    def action_set_key(self) -> None:
        """Ask for a key; it is kept in a thread, the keyring may be slow."""
        status = self.chosen
        if status is None or status.wire == "offline":
            self.app.notify("This provider needs no key.", markup=False)
            return
        models = self.app.ledger.models
        words = f"Goes to the system's keyring, bound to {status.base_url}."

        def take(secret: str | None) -> None:
            if secret:
                self.load(
                    lambda: models.set_key(status.name, secret), lambda kept: self._kept(status.title, kept), deed="key"
                )

        self.app.push_screen(Ask(f"Key of {status.title}", words, password=True, ok="Keep", check=_some), take)

    def _kept(self, title: str, source: str) -> None:
        where = "in the keyring" if source == "keyring" else "until the workstation is left: there is no safe keyring"
        self.app.notify(printable(f"The key of {title} is kept {where}."), markup=False)
        self.read()

    def action_forget(self) -> None:
        """Forget the saved key, after asking: it cannot be brought back."""
        status = self.chosen
        if status is None:
            return
        models = self.app.ledger.models

        def take(yes: bool | None) -> None:
            if yes:
                self.load(lambda: models.forget_key(status.name), lambda _: self.read(), deed="key")

        words = f"The saved key of {status.title} is removed from the keyring and cannot be brought back."
        self.app.push_screen(Confirm("Forget the key", words, "Forget"), take)

    def action_new(self) -> None:
        """Ask for name and address of another server and write them to the settings."""

        def take(given: tuple[str, str] | None) -> None:
            if given is not None:
                self._added = given[0]
                self.app.save_setting(f"providers.{given[0]}.base_url", given[1])

        self.app.push_screen(NewProvider(self._statuses), take)

    def action_address(self) -> None:
        """Ask for the server's address and write it to the settings."""
        status = self.chosen
        if status is None or status.wire == "offline":
            return

        def take(address: str | None) -> None:
            if address is not None:
                self.app.save_setting(f"providers.{status.name}.base_url", address.strip() or None)

        words = (
            "https, or http on this machine. Empty: the usual address. A key has to be given anew for a new address."
        )

        def wrong(text: str) -> str | None:
            tables = self.app.ledger.settings.providers
            private = status.name in tables and tables[status.name].allow_private
            return (text.strip() and wrong_address(status.name, text.strip(), allow_private=private)) or None

        self.app.push_screen(Ask(f"Address of {status.title}", words, status.base_url, check=wrong, ok="Save"), take)

    def action_refresh(self) -> None:
        """Ask the provider for its models."""
        status = self.chosen
        if status is not None:
            self._run(lambda: self.app.ledger.models.refresh(status.name), lambda _: self.read(), "settings-refresh")

    def action_test(self) -> None:
        """Choose a model and make a short call."""
        status = self.chosen
        if status is None:
            return

        def named(provider: str, model: str | None) -> None:
            self._test(None if model is None else f"{provider}/{model.strip()}")

        def ask(choices: list[Any]) -> None:
            names = [info.name for info in choices if info.provider == status.name]
            if not names:
                words = "Its models are not listed yet (m does that). Name one to call."
                self.app.push_screen(Ask("Test call with", words, ok="Call", check=_some), partial(named, status.name))
            else:
                self.app.push_screen(Choose("Test call with", [(name, name) for name in names[:200]]), self._test)

        self.load(self.app.ledger.models.choices, ask, deed="ask")

    def _test(self, model: str | None) -> None:
        if model is None:
            return
        from ledger_tui.services.run_values import RunRequest

        request = RunRequest(
            PromptContent.of_text(TEST_TEXT), model, params={"max_tokens": 32}, span_name="test call", source="tui"
        )
        self.app.notify(printable(f"◌ Calling {model} …"), timeout=3, markup=False)
        self._run(lambda: self.app.ledger.runs.run(request), self._tested, "settings-test")

    def _tested(self, result: Any) -> None:
        if result.status == "succeeded":
            words = f"✓ {result.model} answered in {result.latency_us / 1e6:.1f} s: {one_line(result.output, 120)}"
            self.app.notify(printable(words), markup=False)
        else:
            self.app.notify(
                printable(f"{result.error or ''} {result.remedy or ''}".strip()),
                title=printable(f"✗ {result.error_title or result.status}"),
                severity="error",
                timeout=12,
                markup=False,
            )

    def _run(self, work: Callable[[], Awaitable[Any]], then: Callable[[Any], Any], group: str) -> None:
        """Asynchronous work of a service, started by the screen."""

        async def run() -> None:
            await self.app.opened.wait()
            try:
                result = await work()
            except LedgerError as error:
                self.place.show_error(error)
            else:
                then(result)

        self.place.run_worker(run(), group=group, exclusive=True, exit_on_error=False)


def _some(text: str) -> str | None:
    return None if text.strip() else "There is nothing in it."


def _age(fetched_us: int | None) -> str:
    if fetched_us is None:
        return ", never asked for"
    minutes = max(0, clock.now_us() - fetched_us) // 60_000_000
    return (
        ", listed just now"
        if minutes < 1
        else f", listed {minutes} m ago"
        if minutes < 120
        else f", listed {minutes // 60} h ago"
    )
