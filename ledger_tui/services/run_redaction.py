"""What is kept of a run when a ledger has redaction rules; what is sent and returned stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ledger_tui.domain.calls import ChatMessage, ToolCall
from ledger_tui.domain.content import Message, PromptContent
from ledger_tui.services.redaction import Redactor, Withheld
from ledger_tui.services.run_values import RunRequest, RunResult


class RunRedaction:
    """Applies one ledger's rules to runs and renders before they are stored."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def request(self, request: RunRequest) -> RunRequest:
        """The request as it is stored: names, variables, metadata, environment, session, user, and text that was never saved.

        What is sent (content, messages, parameters) stays in it as it is.
        """
        kind = request.span_kind
        return replace(
            request,
            kept_content=None if request.version_id else self._content(kind, request.content),
            environment=self._text(kind, "environment", request.environment),
            variables=self._mapping(kind, "variables", request.variables),
            metadata=self._mapping(kind, "metadata", request.metadata),
            session_id=self._text(kind, "session_id", request.session_id),
            user_identifier=self._text(kind, "user_identifier", request.user_identifier),
            span_name=self._text(kind, "name", request.span_name or request.prompt_name),
        )

    def _content(self, kind: str, content: PromptContent) -> PromptContent:
        schema = content.response_schema
        return PromptContent(
            tuple(Message(one.role, self._text(kind, "template", one.text) or "") for one in content.messages),
            content.model,
            self._mapping(kind, "params", content.params),
            tuple(self._mapping(kind, "tools", tool) for tool in content.tools),
            None if schema is None else self._mapping(kind, "response_schema", schema),
        )

    def messages(self, kind: str, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        """The rendered messages as they are stored."""
        return tuple(ChatMessage(one.role, self._text(kind, "input", one.text) or "") for one in messages)

    def params(self, kind: str, params: Mapping[str, Any], field: str = "params") -> Mapping[str, Any]:
        """Parameters, or what a provider said of an answer, as they are stored."""
        return self._mapping(kind, field, params)

    def result(self, kind: str, result: RunResult) -> RunResult:
        """The answer as it is stored."""
        calls = (
            ToolCall(c.id, self._text(kind, "output", c.name) or "", self._text(kind, "output", c.arguments) or "")
            for c in result.tool_calls
        )
        return replace(
            result,
            served_model=self._text(kind, "model", result.served_model),
            output=self._text(kind, "output", result.output) or "",
            error=self._text(kind, "error", result.error) or "",
            tool_calls=tuple(calls),
        )

    def _text(self, kind: str, field: str, text: str | None) -> str | None:
        if not text:
            return text
        try:
            return self._redactor.text(kind, field, text)
        except Withheld as reason:
            return f"(withheld: {reason})"

    def _mapping(self, kind: str, field: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not values:
            return values
        try:
            kept = self._redactor.value(kind, field, dict(values))
        except Withheld as reason:
            return {"withheld": str(reason)}
        return kept if isinstance(kept, dict) else {"redacted": kept}
