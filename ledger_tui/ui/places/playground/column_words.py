"""The small texts around an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.content import Content

from ledger_tui.errors import InputError
from ledger_tui.ui.dialogs.forecast import answer_words, cost_words
from ledger_tui.ui.places.playground.answers import Answer
from ledger_tui.ui.safe import content

if TYPE_CHECKING:
    from ledger_tui.services.forecast import Forecast


def problem_words(answer: Answer | None) -> Content:
    """Title, cause and remedy of a failure."""
    if answer is None or answer.problem is None:
        return Content("")
    title, cause, remedy = answer.problem
    rows = [content(f"✗ {title}", "bold $error")]
    rows += [content(cause[:600])] if cause else []
    rows += [content(remedy, "dim")] if remedy else []
    return Content("\n").join(rows)


def forecast_words(one: Forecast | None, runs: int = 1) -> Content:
    """What a run would take: ``~120 tokens in, ~84 back (95 % up to 210) · ~$0.0012 (95 % up to $0.0031)``."""
    if one is None:
        return Content("")
    times = f" · {runs} runs {cost_words(one.times(runs))}" if runs > 1 else ""
    return Content(f"~{one.input_tokens:,} tokens in, {answer_words(one)} · {cost_words(one)}{times}")


def params_words(params: Mapping[str, Any]) -> str:
    """``temperature=0.2 max_tokens=300``, as ``read_params`` takes it."""
    return " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in params.items())


def read_params(text: str) -> dict[str, Any]:
    """Parameters from a JSON object or from ``key=value`` pairs; raises InputError."""
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            found = json.loads(stripped)
        except ValueError as error:
            raise InputError(f"not JSON: {error}", remedy='Example: {"temperature": 0.2}') from None
        if not isinstance(found, dict):
            raise InputError("not a JSON object")
        return found
    params: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    while stripped:
        key, equals, rest = stripped.partition("=")
        if not equals or not key.strip().replace("_", "").isalnum():
            raise InputError(f"{stripped[:40]!r} is no key=value", remedy="Example: temperature=0.2 max_tokens=300")
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError:
            value, _, tail = rest.partition(" ")
            end = len(rest) - len(tail)
        params[key.strip()] = value
        stripped = rest[end:].strip()
    return params
