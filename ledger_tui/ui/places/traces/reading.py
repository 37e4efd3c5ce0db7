"""What the traces place reads from the ledger, as plain functions that run in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_tui.domain.calls import ModelName
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.domain.trace_tree import SpanTree
from ledger_tui.domain.values import ExecutionRow, SpanPayloadRow, SpanRow, TraceRow
from ledger_tui.errors import InputError, NotFound
from ledger_tui.ui.subject import PlaygroundSubject

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.receipts import Receipt


@dataclass(frozen=True, slots=True)
class OpenTrace:
    """A trace with its tree and the names of the prompts in it."""

    row: TraceRow
    tree: SpanTree
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Names by prompt id."""


@dataclass(frozen=True, slots=True)
class SpanFacts:
    """All that is kept of one span."""

    span: SpanRow
    payload: SpanPayloadRow | None = None
    execution: ExecutionRow | None = None
    version: tuple[str, int] | None = None
    """Prompt name and version number."""
    included: tuple[tuple[str, str, int], ...] = ()
    """Version id, prompt name and number of what its messages were made from besides."""
    receipt: Receipt | None = None
    """What it cost and why."""


def read_trace(ledger: PromptLedger, trace_id: str) -> OpenTrace:
    """A trace and its settled tree; raises NotFound."""
    row = ledger.traces.trace(trace_id)
    tree = ledger.traces.tree(trace_id).settle()
    names: dict[str, str] = {}
    if tree.by_prompt():
        names = {prompt.id: prompt.name for prompt in ledger.registry.prompts(archived=True)}
    return OpenTrace(row, tree, names)


def read_span(ledger: PromptLedger, span: SpanRow) -> SpanFacts:
    """A span with its texts, its call and its prompt version, as far as they are there."""
    payload: SpanPayloadRow | None = None
    execution: ExecutionRow | None = None
    receipt: Receipt | None = None
    try:
        receipt = ledger.traces.receipt(span.key)
        payload = ledger.traces.payload(span.key)
    except NotFound:
        payload = None
    if span.execution_id is not None:
        try:
            execution = ledger.traces.execution(span.execution_id)
        except NotFound:
            execution = None
    included = execution.included if execution is not None else ()
    names = ledger.traces.version_names([one for one in (span.version_id, *included) if one])
    version = names.get(span.version_id) if span.version_id else None
    written = tuple((one, *names[one]) for one in included if one in names)
    return SpanFacts(span, payload, execution, version, written, receipt)


def playground_subject(ledger: PromptLedger, span: SpanRow) -> PlaygroundSubject:
    """What a span ran, for the playground: its prompt, its variables, its model. Raises InputError without a call."""
    if span.execution_id is None and span.version_id is not None:
        return _linked_subject(ledger, span, span.version_id)
    if span.execution_id is None:
        raise InputError(
            "only a call to a model that went through the ledger keeps what it was made from",
            title="There is nothing to run here",
            remedy="Choose a span of kind llm that has a receipt.",
        )
    execution = ledger.traces.execution(span.execution_id)
    version_id = execution.version_id
    name: str | None = None
    if version_id is not None:
        found = ledger.traces.version_names([version_id]).get(version_id)
        name = found[0] if found else None
        version_id = version_id if found else None
    if execution.content is not None:
        content = PromptContent.from_json(execution.content)
    elif version_id is None and not execution.messages:
        raise InputError(
            "its texts were removed",
            title="There is nothing to run here",
            remedy="Choose a span whose texts are still kept.",
        )
    elif version_id is not None:
        content = ledger.registry.content(version_id)
    else:
        content = _as_sent(execution)
    model = str(ModelName(execution.provider, execution.model))
    return PlaygroundSubject(content, name, version_id, execution.variables, (model,))


def _linked_subject(ledger: PromptLedger, span: SpanRow, version_id: str) -> PlaygroundSubject:
    """A call from outside that was linked to its version: with the variables that were recovered."""
    attributes = ledger.traces.payload(span.key).attributes
    how = attributes.get("linked")
    found = how.get("variables") if isinstance(how, dict) and "variables" in how else attributes.get("variables")
    name = ledger.registry.version_owner(version_id)[0]
    model = f"{span.provider}/{span.model}" if span.provider and span.model else None
    variables = found if isinstance(found, dict) else {}
    return PlaygroundSubject(
        ledger.registry.content(version_id), name, version_id, variables, (model,) if model else ()
    )


def _as_sent(execution: ExecutionRow) -> PromptContent:
    """The messages that were sent, protected from being read as templates."""
    messages = tuple(
        Message(str(message.get("role", "user")), _raw(message_text(message))) for message in execution.messages
    )
    return PromptContent(messages, params=execution.params)


def message_text(message: Mapping[str, object]) -> str:
    """The text of a sent message, whichever way it is kept."""
    found = message.get("text", message.get("content", ""))
    if isinstance(found, list):
        return "".join(str(part.get("text", "")) for part in found if isinstance(part, Mapping))
    return str(found)


def _raw(text: str) -> str:
    if not any(sign in text for sign in ("{{", "{%", "{#")):
        return text
    return "{% raw %}" + text.replace("{% endraw %}", "{% endraw %}{{ '{% endraw %}' }}{% raw %}") + "{% endraw %}"
