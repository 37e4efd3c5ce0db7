"""Turns a recording call into one append to the program's spool; loaded with the first span.

Each line of ``span`` counts: the common case is checked by a few calls into C for all texts together, and only what looks
unusual goes to the room next door.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock
from ledger_tui.domain.ids import new_id
from ledger_tui.domain.span_words import FLAG_LOSSY
from ledger_tui.sdk import capture
from ledger_tui.sdk.capture import (
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
"""Of an error's text; and of all that is no input or output where the short way is taken."""
_KIND = spool_record.TEXTS.index("kind")
_SEPARATORS = len(spool_record.TEXTS) - 1
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
        self._never_cut_bytes = min(self._input_bytes, self._output_bytes)

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
        now_us = clock.now_us()
        trace_id = new_id(now_us) if trace_id is None else checked_id("trace id", trace_id)
        span_id = new_id(now_us) if span_id is None else checked_id("span id", span_id)
        if parent_span_id is not None:
            checked_id("parent span id", parent_span_id)
        lasted = -1 if duration_ms is None else duration_us(duration_ms)
        state = STATUS_WORDS.get(status) or capture.status_of(status)
        if status == "timeout" and error_type is None:
            error_type = "timeout"
        numbers = (
            start_us(started_at, lasted, now_us),
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
        body = self._plain(numbers, fixed, free, attributes)
        if body is None:
            names = ("name", "session_id", "user_identifier", "error", "input", "output")
            cleaned, attributes = self._door.foreign(kind, dict(zip(names, free, strict=True)), attributes)
            body = self._any(numbers, fixed, cleaned, attributes)
        self._append(body)
        return span_id

    def _plain(
        self, numbers: tuple[int, ...], fixed: tuple[str, ...], free: tuple[Any, ...], attributes: Any
    ) -> bytes | None:
        """The record when it holds nothing but texts within limits of which none is to be hidden, else None."""
        name, session_id, user_identifier, error, given, made = free
        has = 0
        if given is not None:
            has = HAS_INPUT
            if type(given) is not str or len(given) > self._input_bytes:
                return None
        if made is not None:
            has |= HAS_OUTPUT
            if type(made) is not str or len(made) > self._output_bytes:
                return None
        texts = (name, session_id or "", user_identifier or "", error or "", given or "", made or "")
        count = 0
        if attributes:
            if type(attributes) is not dict:
                return None
            count = len(attributes)
            texts = (*texts, *attributes, *attributes.values())
        try:
            shown = "\x00".join(texts)
            data = "\x00".join((*fixed, shown)).encode()
            if len(name) > MAX_NAME or len(fixed[_KIND]) > MAX_KIND:
                return None
        except (TypeError, UnicodeEncodeError):
            return None
        if (
            data.count(b"\x00") != _SEPARATORS + 2 * count
            or (len(data) > self._never_cut_bytes and not shown.isascii())
            or len(shown) - len(given or "") - len(made or "") > MAX_ERROR_BYTES
            or not self._hides_nothing(shown, attributes or ())
        ):
            return None
        return _pack(*numbers, count, 0, has) + data

    def _any(self, numbers: tuple[int, ...], fixed: tuple[str, ...], free: Sequence[Any], attributes: Any) -> bytes:
        """The record of what is redacted already, whatever it holds; raises InputError and ContentRefused."""
        name, session_id, user_identifier, error, given, made = free
        name, flags = capture.names(name, fixed[_KIND])
        has = HAS_INPUT * (given is not None) | HAS_OUTPUT * (made is not None)
        if given is not None:
            given, more = capture.payload(given, "input", self._input_bytes)
            flags |= more
        if made is not None:
            made, more = capture.payload(made, "output", self._output_bytes)
            flags |= more
        if error is not None:
            error, more = capture.text(str(error), "error", MAX_ERROR_BYTES)
            flags |= more
        texts = (*fixed, name, session_id or "", user_identifier or "", error or "", given or "", made or "")
        if attributes:
            noted, more = capture.attributes_text(attributes)
            texts, flags, has = (*texts, noted), flags | more, has | HAS_JSON
        data, more = _joined(texts)
        return _pack(*numbers, 0, flags | more, has) + data

    def record(self, span: SpanRecord) -> None:
        """Record a span that is plain and checked already; raises InputError, ContentRefused or StoreError."""
        from ledger_tui.store.telemetry import check_span

        span = check_span(span)
        attributes = span.attributes_json
        if attributes is None and span.attributes:
            attributes = capture.json_text(span.attributes, "attributes")[0]
        has = HAS_INPUT * (span.input is not None) | HAS_OUTPUT * (span.output is not None)
        texts = tuple(getattr(span, name, None) or "" for name in spool_record.TEXTS)
        if attributes is not None:
            texts, has = (*texts, attributes), has | HAS_JSON
        data, more = _joined(texts)
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
        self._append(_pack(span.started_us, *known, 0, span.flags | more, has) + data)


def _joined(texts: tuple[str, ...]) -> tuple[bytes, int]:
    """The texts of a record in one, and flags; raises InputError for what is no text, or holds a NUL."""
    flags = 0
    try:
        data = "\x00".join(texts).encode()
    except (TypeError, UnicodeEncodeError):
        data, flags = "\x00".join(capture.repaired_texts(texts)).encode(), FLAG_LOSSY
    if data.count(b"\x00") != len(texts) - 1:
        raise capture.misplaced_nul(texts)
    return data, flags


atexit.register(close_all)
