"""Keeping what was rendered: a usage for every render, executed or not, appended to the program's spool.

When ``keep`` returns, the usage outlives the process; the spool's thread brings it into the database, exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import canonical_json, check_text
from ledger_tui.services.run_record import cut_messages
from ledger_tui.store import spool, spool_usage

if TYPE_CHECKING:
    from ledger_tui.domain.calls import ChatMessage
    from ledger_tui.domain.includes import Included
    from ledger_tui.services.run_redaction import RunRedaction
    from ledger_tui.services.run_values import RunRequest
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database


class UsageService:
    """Keeps usages that have no execution yet. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        settings: Settings,
        environment: str,
        append: Callable[[bytes], None],
        redaction: RunRedaction | None = None,
    ) -> None:
        """append: to the spool; raises StoreError when the disk takes nothing."""
        self.append = append
        self.environment = environment
        self.limit_bytes = settings.max_rendered_kb * 1024
        """Of the rendered text that is kept."""
        self.hides = redaction is not None
        """Whether the ledger has rules that may change what is kept."""
        self._database = database
        self._redaction = redaction

    def keep(
        self, request: RunRequest, messages: Sequence[ChatMessage], included: Sequence[Included], usage_id: str = ""
    ) -> str:
        """Record one render and return its id; redacted when the ledger has rules, and cut at ``limit_bytes``.

        Raises ContentRefused for what no text may hold, StoreError when nothing can be written.
        """
        usage_id = usage_id or ids.new_id()
        if self._redaction is not None:
            kind = request.span_kind
            request, messages = self._redaction.request(request), self._redaction.messages(kind, messages)
        fields = {
            "id": usage_id,
            "prompt_id": ids.prompt_id(request.prompt_name) if request.prompt_name else "",
            "version_id": request.version_id or "",
            "environment": request.environment or self.environment,
            "session_id": "" if request.session_id is None else str(request.session_id),
            "user_identifier": "" if request.user_identifier is None else str(request.user_identifier),
            "source": request.source,
            "included": included_ids(included),
            "content": request.stored_content or "",
            "parameters": canonical_json(request.variables),
            "metadata": canonical_json(request.metadata),
        }
        parts = [fields[name] for name in spool_usage.TEXTS]
        for message in cut_messages(messages, self.limit_bytes):
            parts += (message["role"], message["text"])
        body = spool_usage.encode(clock.now_us(), [check_text("a field of the usage", part) for part in parts])
        assert body is not None, "every text was checked"
        if len(body) <= spool.MAX_BODY:
            self.append(body)
        else:
            with self._database.lean_write() as lean:
                spool_usage.insert(lean, [spool_usage.decode(body)])
        return usage_id


def included_ids(included: Sequence[Included]) -> str:
    """The version ids as the table holds them."""
    return canonical_json([one.version_id for one in included]) if included else "[]"
