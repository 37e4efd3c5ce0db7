"""Turns a recording call into one append to the program's spool; loaded with the first span.

Each line of ``span`` counts: the common case is checked by a few calls into C for all texts together, and only what looks
unusual goes to the room next door.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.content import MAX_KEYS
from ledger_tui.domain.ids import new_id
from ledger_tui.domain.values import FLAG_LOSSY
from ledger_tui.sdk import capture
from ledger_tui.sdk.capture import (
    MAX_ATTRIBUTES_BYTES,
    MAX_KIND,
    MAX_NAME,
    STATUS_WORDS,
    checked_count,
    checked_id,
    duration_us,
    start_us,
)
from ledger_tui.services.span_prices import SpanPrices
from ledger_tui.services.spooling import Spooler, close_all
from ledger_tui.store import spool_record
from ledger_tui.store.spool_record import HAS_INPUT, HAS_JSON, HAS_OUTPUT
from ledger_tui.store.telemetry import check_span

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger_tui.domain.values import SpanRecord
    from ledger_tui.paths import Paths
    from ledger_tui.sdk.door import Door
    from ledger_tui.services.models import ModelService
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database

MAX_ERROR_BYTES = 16 * 1024
_ONLY_TEXT = {str}
_TEXT_OR_NOTHING = (str, type(None))
_FREE = spool_record.TEXTS.index("name")
"""From here on texts are looked at for what is to be hidden; before are ids and names of models and the like."""
_pack = spool_record.NUMBERS.pack


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
        door: Door,
    ) -> None:
        """door: redacts what ``span`` is given."""
        self.spooler = Spooler(
            database, paths, device=device, limit_bytes=settings.spool_mb * 1024 * 1024, price=SpanPrices(models)
        )
        self._append = self.spooler.append
        self._door = door
        self._hides_nothing = door.redactor.hides_nothing
        self._environment = environment
        self._input_bytes = settings.max_rendered_kb * 1024
        self._output_bytes = settings.max_response_kb * 1024

    def span(
        self,
        trace_id: str | None = None,
        parent_span_id: str | None = None,
        name: str = "",
        kind: str = "llm",
        input_data: Any = None,
        output_data: Any = None,
        model: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        duration_ms: float | None = None,
        status: str = "ok",
        attributes: Mapping[str, Any] | None = None,
        *,
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
        """Record one span and return its id, as ``PromptLedger.log_external_span`` says."""
        trace_id = new_id() if trace_id is None else checked_id("trace id", trace_id)
        span_id = new_id() if span_id is None else checked_id("span id", span_id)
        if parent_span_id is not None:
            checked_id("parent span id", parent_span_id)
        lasted = -1 if duration_ms is None else duration_us(duration_ms)
        state = STATUS_WORDS.get(status) or capture.status_of(status)
        if status == "timeout" and error_type is None:
            error_type = "timeout"
        numbers = (
            start_us(started_at, lasted),
            lasted,
            -1 if prompt_tokens is None else checked_count("input tokens", prompt_tokens),
            -1 if cached_tokens is None else checked_count("cached tokens", cached_tokens),
            -1 if cache_write_tokens is None else checked_count("cache write tokens", cache_write_tokens),
            -1 if completion_tokens is None else checked_count("output tokens", completion_tokens),
            -1 if reasoning_tokens is None else checked_count("reasoning tokens", reasoning_tokens),
            -1 if cost is None else capture.cost_nusd(cost),
        )
        fixed = (
            trace_id, span_id, parent_span_id or "", kind, state, provider or "", model or "", agent_id or "",
            self._environment if environment is None else environment, error_type or "", prompt_name or "", "", "",
            execution_id or "",
        )  # fmt: skip
        free = (name, session_id, user_identifier, error, input_data, output_data)
        if (
            type(input_data) in _TEXT_OR_NOTHING
            and type(output_data) in _TEXT_OR_NOTHING
            and (not attributes or (type(attributes) is dict and set(map(type, attributes.values())) == _ONLY_TEXT))
        ):
            body = self._body(numbers, fixed, free, attributes, True)
            if body is not None:
                self._append(body)
                return span_id
        names = ("name", "session_id", "user_identifier", "error", "input", "output")
        cleaned, attributes = self._door.foreign(kind, dict(zip(names, free, strict=True)), attributes)
        self._append(self._body(numbers, fixed, tuple(cleaned), attributes, False) or b"")
        return span_id

    def _body(
        self,
        numbers: tuple[int, ...],
        fixed: tuple[str, ...],
        free: tuple[Any, ...],
        attributes: Mapping[str, Any] | None,
        is_plain: bool,
    ) -> bytes | None:
        """The record; of plain texts (``is_plain``) None when something in it is to be hidden."""
        name, session_id, user_identifier, error, given, made = free
        flags = has = count = 0
        if given is not None:
            has = HAS_INPUT
            if type(given) is not str or len(given) > self._input_bytes or not given.isascii():
                given, flags = capture.payload(given, "input", self._input_bytes)
        if made is not None:
            has |= HAS_OUTPUT
            if type(made) is not str or len(made) > self._output_bytes or not made.isascii():
                made, more = capture.payload(made, "output", self._output_bytes)
                flags |= more
        if error is not None:
            error, more = capture.text(str(error), "error", MAX_ERROR_BYTES)
            flags |= more
        if type(name) is not str or len(name) > MAX_NAME or type(fixed[3]) is not str or len(fixed[3]) > MAX_KIND:
            name, more = capture.names(name, fixed[3])
            flags |= more
        texts: tuple[str, ...] = (
            *fixed, name, session_id or "", user_identifier or "", error or "", given or "", made or "",
        )  # fmt: skip
        if attributes:
            if is_plain and len(attributes) <= MAX_KEYS:
                count = len(attributes)
                texts = (*texts, *attributes, *attributes.values())
            else:
                noted, more = capture.attributes_text(attributes)
                texts, flags, has = (*texts, noted), flags | more, has | HAS_JSON
        try:
            joined = "\x00".join(texts)
            data = joined.encode()
        except (TypeError, UnicodeEncodeError):
            joined, flags = "\x00".join(capture.repaired_texts(texts)), flags | FLAG_LOSSY
            data = joined.encode()
        if joined.count("\x00") != len(texts) - 1:
            raise capture.misplaced_nul(texts)
        if is_plain:
            if len(joined) > MAX_ATTRIBUTES_BYTES and attributes:
                capture.attributes_text(attributes)
            if not self._hides_nothing("\x00".join(texts[_FREE:]), attributes or ()):
                return None
        return _pack(*numbers, count, flags, has) + data

    def record(self, span: SpanRecord) -> None:
        """Record a span that is plain and checked already; raises InputError, ContentRefused or StoreError."""
        span = check_span(span)
        attributes = span.attributes_json
        if attributes is None and span.attributes:
            attributes = capture.json_text(span.attributes, "attributes")[0]
        has = HAS_INPUT * (span.input is not None) | HAS_OUTPUT * (span.output is not None)
        texts = tuple(getattr(span, name, None) or "" for name in spool_record.TEXTS)
        if attributes is not None:
            texts, has = (*texts, attributes), has | HAS_JSON
        flags = span.flags
        joined = "\x00".join(texts)
        if joined.count("\x00") != len(texts) - 1:
            raise capture.misplaced_nul(texts)
        try:
            data = joined.encode()
        except UnicodeEncodeError:
            data, flags = "\x00".join(capture.repaired_texts(texts)).encode(), flags | FLAG_LOSSY
        tokens = span.tokens
        numbers = (
            span.duration_us,
            tokens.input,
            tokens.cache_read,
            tokens.cache_write,
            tokens.output,
            tokens.reasoning,
        )
        known = (-1 if one is None else one for one in (*numbers, span.cost_nusd))
        self._append(_pack(span.started_us, *known, 0, flags, has) + data)


atexit.register(close_all)
