"""What is kept of a run when a ledger has redaction rules; what is sent and returned stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ledger_tui.domain.calls import ChatMessage, ToolCall
from ledger_tui.services.redaction import Redactor, Withheld
from ledger_tui.services.run_values import RunRequest, RunResult


class RunRedaction:
    """Applies one ledger's rules to runs and renders before they are stored."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def request(self, request: RunRequest) -> RunRequest:
        """The request as it is stored: variables, metadata, session and user."""
        kind = request.span_kind
        return replace(
            request,
            variables=self._mapping(kind, "variables", request.variables),
            metadata=self._mapping(kind, "metadata", request.metadata),
            session_id=self._text(kind, "session_id", request.session_id),
            user_identifier=self._text(kind, "user_identifier", request.user_identifier),
            span_name=self._text(kind, "name", request.span_name),
        )

    def messages(self, kind: str, messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
        """The rendered messages as they are stored."""
        return tuple(ChatMessage(one.role, self._text(kind, "input", one.text) or "") for one in messages)

    def params(self, kind: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters as they are stored."""
        return self._mapping(kind, "params", params)

    def result(self, kind: str, result: RunResult) -> RunResult:
        """The answer as it is stored."""
        calls = (ToolCall(c.id, c.name, self._text(kind, "output", c.arguments) or "") for c in result.tool_calls)
        return replace(
            result,
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
