"""What the tabs of a span's details say, as plain texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from ledger_tui.domain import measure
from ledger_tui.domain.conversation import read_conversation
from ledger_tui.domain.receipt import receipt_lines
from ledger_tui.domain.retention import MARK, PURGE, removed_words
from ledger_tui.domain.text import one_line
from ledger_tui.domain.trace_tree import MARK_NOTES, Mark
from ledger_tui.domain.values import FLAG_CUT, FLAG_LINKED, FLAG_LOSSY
from ledger_tui.ui.places.traces.reading import SpanFacts, message_text

TABS = ("Input", "Output", "Messages", "Attributes", "Receipt", "Error", "Facts")


STAYED = (
    "No texts of this step are here. Of a colleague's step they stayed on the machine that made it: only numbers and names are "
    "shared. They come when texts are shared there and here, in Settings ▸ Sync."
)


@dataclass(frozen=True, slots=True)
class TabText:
    """The text of one tab; ``present`` False when there is nothing and the text only says why."""

    text: str
    kind: Literal["auto", "plain", "markdown", "json"] = "plain"
    present: bool = True


def tab_texts(facts: SpanFacts, mark: Mark) -> dict[str, TabText]:
    """The text of every tab of ``TABS``."""
    if gone := removed(facts) or elsewhere(facts):
        return _without_texts(facts, mark, gone)
    return {
        "Input": _captured(facts.payload.input if facts.payload else None, "No input was recorded."),
        "Output": _output(facts),
        "Messages": _messages(facts),
        "Attributes": _attributes(facts),
        "Receipt": _receipt(facts),
        "Error": _error(facts),
        "Facts": TabText(_facts(facts, mark)),
    }


def removed(facts: SpanFacts) -> str:
    """Says when retention or a purge took the texts of a span, empty when none did."""
    kept = facts.payload.attributes if facts.payload else {}
    words = removed_words(kept.get(MARK), "Its texts were", kept.get(PURGE))
    return words and words + "."


def elsewhere(facts: SpanFacts) -> str:
    """Says of a span that came with its numbers only where its texts are, empty for any other."""
    payload, call = facts.payload, facts.execution
    kept = call is not None and (call.messages or call.response)
    if payload is None or not payload.is_shared or not payload.is_empty or kept:
        return ""
    return STAYED


def _without_texts(facts: SpanFacts, mark: Mark, gone: str) -> dict[str, TabText]:
    """The tabs of a span whose texts are gone; what its call kept is shown."""
    taken = TabText(gone, present=False)
    call = facts.execution
    error = _error(facts)
    return {
        "Input": taken,
        "Output": _output(facts) if call is not None and call.response else taken,
        "Messages": _messages(facts) if call is not None and call.messages else taken,
        "Attributes": taken,
        "Receipt": _receipt(facts),
        "Error": TabText(f"{error.text}\n\n{gone}") if error.present else error,
        "Facts": TabText(f"⊘ {gone}\n\n{_facts(facts, mark)}"),
    }


def best_tab(texts: dict[str, TabText], wanted: str) -> str:
    """The wanted tab when it has something, else what tells most: the error, the output, the input."""
    order = (wanted, "Error", "Output", "Input", "Attributes", "Facts")
    return next((name for name in order if name in texts and texts[name].present), "Facts")


def _captured(text: str | None, missing: str) -> TabText:
    return TabText(missing, present=False) if text is None or text == "" else TabText(text, "auto")


def _output(facts: SpanFacts) -> TabText:
    output = facts.payload.output if facts.payload else None
    if not output and facts.execution is not None:
        output = facts.execution.response
    running = facts.span.duration_us is None
    return _captured(output, "It is still running." if running else "No output was recorded.")


def _messages(facts: SpanFacts) -> TabText:
    if facts.execution is None and facts.version is not None and link_words(facts):
        return _linked_messages(facts, *facts.version)
    if facts.execution is None or not facts.execution.messages:
        return TabText("No messages are kept: this span is not a call made through the ledger.", present=False)
    parts = []
    if facts.version is not None:
        name, number = facts.version
        parts.append(f"*From {name} v{number}. v opens it, p takes it to the playground.*")
    for message in facts.execution.messages:
        parts.append(f"## {message.get('role', 'message')}\n\n{message_text(message)}")
    return TabText("\n\n".join(parts), "markdown")


def _linked_messages(facts: SpanFacts, name: str, number: int) -> TabText:
    """What a linked call was asked, under the variables that were recovered from it."""
    parts = [f"*From {name} v{number}, {link_words(facts)}. v opens it, p takes it to the playground.*"]
    values = recovered(facts)
    if values:
        lines = (f"- **{key}** {one_line(_as_text(value), 200)}" for key, value in values.items())
        parts.append("Recovered variables:\n\n" + "\n".join(lines))
    for message in read_conversation(facts.payload.input if facts.payload else None):
        parts.append(f"## {message.role}\n\n{message.text}")
    return TabText("\n\n".join(parts), "markdown")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _attributes(facts: SpanFacts) -> TabText:
    attributes = facts.payload.attributes if facts.payload else {}
    if not attributes:
        return TabText("No attributes were recorded.", present=False)
    return TabText(json.dumps(attributes, ensure_ascii=False, indent=1), "json")


def _receipt(facts: SpanFacts) -> TabText:
    execution, span = facts.execution, facts.span
    if execution is None and span.cost_nusd is None and not span.unpriced:
        return TabText("This span is not a call that costs anything.", present=False)
    if facts.receipt is not None and facts.receipt.how not in ("running", "free of charge"):
        return TabText("\n".join(receipt_lines(facts.receipt.receipt, facts.receipt.cost_nusd)))
    receipt, cost = (None, span.cost_nusd) if execution is None else (execution.receipt, execution.cost_nusd)
    return TabText("\n".join(receipt_lines(receipt, cost)))


def _error(facts: SpanFacts) -> TabText:
    text = facts.payload.error if facts.payload else None
    if not text and facts.execution is not None:
        text = facts.execution.error
    kind = facts.span.error_type or (facts.execution.error_type if facts.execution else None)
    if not text and not kind:
        return TabText("It did not fail.", present=False)
    return TabText("\n\n".join(part for part in (kind, text) if part))


def _facts(facts: SpanFacts, mark: Mark) -> str:
    span, execution = facts.span, facts.execution
    pairs: list[tuple[str, str | None]] = [
        ("name", span.name),
        ("kind", span.kind),
        ("status", span.status),
        ("started", measure.moment(span.started_us)),
        ("duration", measure.duration(span.duration_us) if span.duration_us is not None else "still running"),
        ("span id", span.span_id),
        ("parent id", span.parent_span_id),
        ("agent", span.agent_id),
        ("provider", span.provider),
        ("model", span.model),
        ("prompt", f"{facts.version[0]} v{facts.version[1]}" if facts.version else None),
        ("included", ", ".join(f"{name} v{number}" for _, name, number in facts.included)),
        ("execution", span.execution_id),
        ("tokens", _tokens(facts)),
    ]
    if execution is not None:
        first = execution.first_token_us
        pairs += [
            ("served model", execution.served_model),
            ("first token", measure.duration(first) if first is not None else None),
            ("finished by", execution.finish_reason),
            ("attempts", str(execution.attempts) if execution.attempts else None),
            ("parameters", json.dumps(execution.params, ensure_ascii=False) if execution.params else None),
            ("variables", json.dumps(execution.variables, ensure_ascii=False) if execution.variables else None),
        ]
    pairs += _link(facts)
    lines = [f"{title:<13} {one_line(value, 1000)}" for title, value in pairs if value]
    notes = [f"⚠ {note}" for sign, note in MARK_NOTES.items() if sign in mark]
    notes += [f"⚠ {note}" for flag, note in _FLAG_NOTES.items() if span.flags & flag]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def link_words(facts: SpanFacts) -> str:
    """How the version of a call from outside was told; empty when the call itself said so."""
    if not facts.span.flags & FLAG_LINKED:
        return ""
    noted = facts.payload.attributes.get("linked") if facts.payload else None
    how = noted if isinstance(noted, dict) else {}
    words = "linked by its text" + (", as rendered here" if how.get("by") == "rendered" else "")
    others = how.get("ambiguous")
    return words + (f"; {len(others)} more fit as well" if isinstance(others, list) and others else "")


def recovered(facts: SpanFacts) -> dict[str, Any]:
    """The variables that were recovered from a linked call's text."""
    attributes = facts.payload.attributes if facts.payload and facts.span.flags & FLAG_LINKED else {}
    how = attributes.get("linked")
    if not isinstance(how, dict) or not how.get("recovered"):
        return {}
    found = how.get("variables", attributes.get("variables"))
    return found if isinstance(found, dict) else {}


def _link(facts: SpanFacts) -> list[tuple[str, str | None]]:
    """What is known of a linked call: how, its variables one a line, and which could not be told."""
    if not facts.span.flags & FLAG_LINKED:
        return []
    noted = facts.payload.attributes.get("linked") if facts.payload else None
    unsure = noted.get("uncertain") if isinstance(noted, dict) else None
    pairs: list[tuple[str, str | None]] = [("version", link_words(facts))]
    for number, (name, value) in enumerate(recovered(facts).items()):
        pairs.append(("" if number else "recovered", f"{one_line(name, 60)} = {_as_text(value)}"))
    if isinstance(unsure, list) and unsure:
        pairs.append(("not told", ", ".join(map(str, unsure))))
    return pairs


_FLAG_NOTES = {
    FLAG_CUT: "a text of it was longer than is kept; its end was cut",
    FLAG_LOSSY: "broken characters in it were replaced",
}


def _tokens(facts: SpanFacts) -> str | None:
    span = facts.span
    named = (
        ("input", span.input_tokens),
        ("cache read", span.cache_read_tokens),
        ("cache write", span.cache_write_tokens),
        ("output", span.output_tokens),
        ("reasoning", span.reasoning_tokens),
    )
    return ", ".join(f"{name} {count:,}" for name, count in named if count) or None
