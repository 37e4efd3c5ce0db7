"""Every action with its keys, from the one list of actions; enter asks for new keys and writes keymap.toml."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Static

from ledger_tui.ui import watch
from ledger_tui.ui.actions import KnownAction, show_key
from ledger_tui.ui.dialogs.base import Dialog
from ledger_tui.ui.keymap import conflicts, normal_key, write_keys
from ledger_tui.ui.places.settings.section import Section
from ledger_tui.ui.safe import content
from ledger_tui.ui.widgets.row_table import Cell, RowTable


class PressKey(Dialog[str | None]):
    """Takes the next key, whichever it is; "" asks for the default keys, None leaves things as they are."""

    def __init__(self, action: KnownAction) -> None:
        super().__init__(action.title or action.id, "press the new key · esc cancel")
        self._action = action

    def compose_dialog(self) -> Iterable[Widget]:
        """What is being changed, and the two ways out by mouse."""
        action = self._action
        yield Static(
            content(f"{action.tooltip or action.title}.\n\nPress the key that shall do this."), classes="dialog-text"
        )
        with Horizontal(classes="dialog-buttons"):
            yield Button("Cancel", id="cancel", compact=True)
            yield Button(f"Default: {', '.join(map(show_key, action.default_keys))}", id="default", compact=True)

    def on_mount(self) -> None:
        """No button takes the key."""
        self.set_focus(None)

    def on_key(self, event: events.Key) -> None:
        """The key that was pressed is the answer."""
        if event.key not in ("escape", "ctrl+q"):
            event.stop()
            event.prevent_default()
            self.dismiss(event.key)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss("" if event.button.id == "default" else None)


class Keys(Section):
    """All actions of all places."""

    HELP = """
    ## Keys
    `enter` changes the key of the action under the cursor. The file is *keymap.toml*, one line an action:
    `prompts.save = "ctrl+s,f10"`. Two actions that would share a key are told.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._actions: dict[str, KnownAction] = {}

    def compose(self) -> ComposeResult:
        """The table."""
        with Vertical(classes="pane") as pane:
            pane.border_title = "Actions and their keys"
            pane.border_subtitle = "enter change"
            yield RowTable(id="actions")

    def read(self) -> None:
        """List the actions of every loaded place."""
        keymap = self.app.keymap
        self._actions = {action.id: action for action in watch.known_actions()}
        rows: list[tuple[str, list[Cell]]] = []
        for action in self._actions.values():
            mine = keymap.get(action.id)
            keys = mine.split(",") if mine is not None else list(action.default_keys)
            words = action.tooltip or action.title
            shown = "  ".join(show_key(key) for key in keys)
            rows.append(
                (action.id, [action.group, (shown, "bold $primary" if mine is not None else "bold"), words, action.id])
            )
        self.query_one(RowTable).fill(["place", "keys", "what it does", "id"], rows)

    @on(RowTable.RowSelected)
    def _change(self, event: RowTable.RowSelected) -> None:
        action = self._actions[str(event.row_key.value)]
        self.app.push_screen(PressKey(action), lambda key: self._take(action, key))

    def _take(self, action: KnownAction, key: str | None) -> None:
        if key is None:
            return
        keys: Sequence[str] | None = [normal_key(key)] if key else None
        wanted = {**self.app.keymap, action.id: ",".join(keys or action.default_keys)}
        clash = next((pair for pair in conflicts(self._actions.values(), wanted) if action.id in pair), None)
        if clash is not None:
            other = self._actions[clash[0] if clash[1] == action.id else clash[1]]
            words = f"{show_key(clash[2])} is already the key for: {other.tooltip or other.title} ({other.id})."
            self.app.notify(words, title="Nothing was changed", severity="warning", markup=False)
            return
        self.load(
            lambda: write_keys(self.app.ledger.paths.keymap, action.id, keys), lambda _: self._written(), deed="keymap"
        )

    def _written(self) -> None:
        self.app.read_keymap()
        self.read()
