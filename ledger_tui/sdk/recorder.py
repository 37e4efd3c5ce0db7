"""Turns a recording call into one append to the program's spool; loaded with the first span."""

from __future__ import annotations

import atexit
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import ids
from ledger_tui.domain.text import repaired
from ledger_tui.domain.values import FLAG_CUT, FLAG_LOSSY
from ledger_tui.errors import InputError
from ledger_tui.sdk import capture
from ledger_tui.services.span_prices import SpanPrices
from ledger_tui.services.spooling import Spooler, close_all
from ledger_tui.store import spool_record

if TYPE_CHECKING:
    from ledger_tui.paths import Paths
    from ledger_tui.services.models import ModelService
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database

MAX_ERROR_BYTES = 16 * 1024
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class Recorder:
    """Checks spans and appends them. Thread-safe."""

    def __init__(
        self,
        database: Database,
        paths: Paths,
        settings: Settings,
        *,
        environment: str,
        device: str,
        models: Callable[[], ModelService],
    ) -> None:
        self.spooler = Spooler(
            database, paths, device=device, limit_bytes=settings.spool_mb * 1024 * 1024, price=SpanPrices(models)
        )
        self._append = self.spooler.append
        self._environment = environment
        self._input_bytes = settings.max_rendered_kb * 1024
        self._output_bytes = settings.max_response_kb * 1024

    def span(
        self,
        trace_id: str | None,
        parent_span_id: str | None,
        name: str,
        kind: str,
        input_data: Any,
        output_data: Any,
        model: str | None,
        prompt_tokens: int | None,
        completion_tokens: int | None,
        duration_ms: float | None,
        status: str,
        attributes: Mapping[str, Any] | None,
        span_id: str | None = None,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_identifier: str | None = None,
        environment: str | None = None,
        started_at: datetime | str | None = None,
        provider: str | None = None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        cost: Decimal | float | str | None = None,
        error: str | None = None,
        error_type: str | None = None,
        prompt_name: str | None = None,
        execution_id: str | None = None,
    ) -> str:
        """Record one span and return its id; the arguments are those of ``PromptLedger.log_external_span``."""
        trace_id = ids.new_id() if trace_id is None else capture.checked_id("trace id", trace_id)
        span_id = ids.new_id() if span_id is None else capture.checked_id("span id", span_id)
        if parent_span_id is not None:
            capture.checked_id("parent span id", parent_span_id)
        lasted = capture.duration_us(duration_ms)
        started = capture.start_us(started_at, lasted)
        known_status = capture.STATUS_WORDS.get(status) or capture.status_of(status)
        if status == "timeout" and error_type is None:
            error_type = "timeout"
        given, flags = capture.payload_bytes(input_data, "input", self._input_bytes)
        made, more = capture.payload_bytes(output_data, "output", self._output_bytes)
        flags |= more
        noted: bytes | None = None
        if attributes:
            noted, more = capture.attributes_bytes(attributes)
            flags |= more
        if error is not None:
            text, more = capture.text_bytes(str(error), "error", MAX_ERROR_BYTES)
            error, flags = text.decode(), flags | more
        if len(name) > capture.MAX_NAME:
            name, flags = name[: capture.MAX_NAME], flags | FLAG_CUT
        if len(kind) > capture.MAX_KIND:
            raise InputError(f"a kind is any text of up to {capture.MAX_KIND} characters")
        fields = [
            trace_id, span_id, parent_span_id, name, kind, known_status, started, lasted, provider, model,
            capture.checked_count("input tokens", prompt_tokens),
            capture.checked_count("cached tokens", cached_tokens),
            capture.checked_count("cache write tokens", cache_write_tokens),
            capture.checked_count("output tokens", completion_tokens),
            capture.checked_count("reasoning tokens", reasoning_tokens),
            None if cost is None else capture.cost_nusd(cost),
            agent_id, self._environment if environment is None else environment, session_id, user_identifier,
            error_type, error, flags, prompt_name, None, None, execution_id,
        ]  # fmt: skip
        self._append(spool_record.encode(_head(fields), given, made, noted))
        return span_id


_FLAGS = spool_record.FIELDS.index("flags")
_TEXTS = tuple(
    spool_record.FIELDS.index(name)
    for name in ("name", "kind", "provider", "model", "agent_id", "environment", "session_id", "user_identifier",
                 "error_type", "prompt_name", "execution_id")
)  # fmt: skip


def _head(fields: list[Any]) -> bytes:
    for place in _TEXTS:
        value = fields[place]
        if value is not None and type(value) is not str:
            raise InputError(f"{spool_record.FIELDS[place]} is a text, not {type(value).__name__}")
    text = _encode(fields)
    if "\\u0000" in text:
        for place in _TEXTS:
            if fields[place] and "\x00" in fields[place]:
                capture.text_bytes(fields[place], spool_record.FIELDS[place], len(fields[place]))
    if len(text) > 64 * 1024:
        raise InputError("the names and ids of a span take more than 64 kB together")
    try:
        return text.encode()
    except UnicodeEncodeError:
        fields[_FLAGS] |= FLAG_LOSSY
        return repaired(_encode(fields))[0].encode()


atexit.register(close_all)
