"""Rendering a prompt without sending it: the usage is stored, as it is for every render."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger_tui.domain import clock, ids
from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.content import canonical_json
from ledger_tui.services.run_record import stored_messages, usage_row
from ledger_tui.services.run_values import RunRequest
from ledger_tui.store import telemetry

if TYPE_CHECKING:
    from ledger_tui.services.run_redaction import RunRedaction
    from ledger_tui.services.templates import TemplateService
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database


class UsageService:
    """Renders and keeps what was rendered. Thread-safe."""

    def __init__(
        self,
        database: Database,
        templates: TemplateService,
        *,
        settings: Settings,
        environment: str,
        redaction: RunRedaction | None = None,
    ) -> None:
        self._database = database
        self._templates = templates
        self._settings = settings
        self._environment = environment
        self._redaction = redaction

    def render(self, request: RunRequest) -> tuple[str, tuple[ChatMessage, ...]]:
        """Render and store one usage with no execution; its id and the messages. Raises what a run raises before sending."""
        canonical_json(request.variables)
        messages = self._templates.render(request.content, dict(request.variables))
        usage_id = ids.new_id()
        stored = messages
        if (redaction := self._redaction) is not None:
            request, stored = redaction.request(request), redaction.messages(request.span_kind, messages)
        with self._database.lean_write() as lean:
            named = ids.prompt_id(request.prompt_name) if request.prompt_name else None
            row = usage_row(
                request,
                usage_id=usage_id,
                prompt_id=named if named and telemetry.is_prompt(lean, named) else None,
                rendered=stored_messages(stored, self._settings.max_rendered_kb * 1024),
                environment=request.environment or self._environment,
                at_us=clock.now_us(),
            )
            telemetry.insert(lean, "usages", row)
        return usage_id, messages
