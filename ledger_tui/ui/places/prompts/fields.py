"""Model and parameters as a row of small fields; what is typed is kept as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Static

from ledger_tui.ui.places.prompts.edit import FIELDS, MORE

HINTS = {"temperature": "0.7", "max_tokens": "1024", "top_p": "1", "stop": "END", "seed": "42", MORE: '{"top_k": 40}'}


class Fields(Vertical):
    """The model, five usual parameters, and any others as a JSON object on one line."""

    HELP = """
### Model and parameters
The model is `provider/model`, or empty to choose when it runs. Empty parameters are not sent. `stop` takes one text or
a list like `["END", "STOP"]`; anything else a provider knows goes into the last field as JSON.
"""
    DEFAULT_CSS = """
    Fields {
        height: auto;
        .fields-row { height: auto; }
        .field { width: 1fr; min-width: 6; height: 2; margin: 0 1 0 0; }
        .field-long { min-width: 11; }
        .field-model { width: 2fr; }
        .field-wide { width: 2fr; }
        Button { margin: 1 1 0 0; }
    }
    """

    @dataclass
    class Changed(Message):
        """Model or a parameter was typed into."""

    @dataclass
    class ModelWanted(Message):
        """A person wants to choose the model from a list."""

    def __init__(self) -> None:
        super().__init__()
        self._model = Input(compact=True, classes="bar", id="model", placeholder="choose when it runs")
        self._inputs = {
            key: Input(compact=True, classes="bar", id=f"field-{key}", placeholder=HINTS[key])
            for key in (*FIELDS, MORE)
        }

    def compose(self) -> ComposeResult:
        """Three rows of labelled fields."""
        with Horizontal(classes="fields-row"):
            with Vertical(classes="field field-model"):
                yield Static("model", classes="field-label")
                yield self._model
            yield Button("Choose", compact=True, id="choose-model", tooltip="Choose from the models of your providers")
        with Horizontal(classes="fields-row"):
            for key in ("temperature", "max_tokens"):
                yield from self._field(key, "field field-long")
            for key in ("top_p", "seed"):
                yield from self._field(key)
        with Horizontal(classes="fields-row"):
            yield from self._field("stop")
            yield from self._field(MORE, "field field-wide")

    def _field(self, key: str, classes: str = "field") -> ComposeResult:
        with Vertical(classes=classes):
            yield Static("other parameters" if key == MORE else key, classes="field-label")
            yield self._inputs[key]

    def show(self, model: str, fields: Mapping[str, str]) -> None:
        """Show other values."""
        self._model.value = model
        for key, shown in self._inputs.items():
            shown.value = fields.get(key, "")

    @property
    def model(self) -> str:
        """The model as typed."""
        return self._model.value

    @model.setter
    def model(self, name: str) -> None:
        self._model.value = name

    @property
    def values(self) -> dict[str, str]:
        """The parameters as typed, empty ones left out."""
        return {key: shown.value for key, shown in self._inputs.items() if shown.value}

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())

    @on(Button.Pressed, "#choose-model")
    def _choose(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.ModelWanted())
