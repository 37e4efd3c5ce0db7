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
from ledger_tui.domain.span_words import FLAG_LOSSY, MAX_ID
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
from ledger_tui.sdk.context import innermost
from ledger_tui.services.spooling import Spooler, close_all
from ledger_tui.store import spool_record
from ledger_tui.store.spool_record import HAS_FIRST, HAS_INPUT, HAS_JSON, HAS_OUTPUT

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger_tui.domain.values import SpanRecord
    from ledger_tui.paths import Paths
    from ledger_tui.sdk.context import Here
    from ledger_tui.sdk.door import Door
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.spool_drain import Price
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database

MAX_ERROR_BYTES = 16 * 1024
"""Of an error's text; and of all that is no input or output where the short way is taken."""
_NUL = "\0"
_SCALARS = frozenset((float, bool, type(None)))
_LONG = 10_000_000
"""Longer numbers may be of cards or telephones."""
_A_YEAR_MS = 366 * 86_400_000
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

        def prices() -> Price:
            from ledger_tui.services.span_prices import SpanPrices

            return SpanPrices(models, database)

        self.spooler = Spooler(
            database,
            paths,
            device=device,
            limit_bytes=settings.spool_mb * 1024 * 1024,
            prices=prices,
        )
        self.append = self.spooler.append
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
        if (here := innermost()) is not None:
            trace_id, parent_span_id, environment, session_id, user_identifier = self._inside(
                here, span_id, trace_id, parent_span_id, environment, session_id, user_identifier
            )
        now_us = clock.now_us()
        if trace_id is None:
            trace_id = new_id(now_us)
        elif type(trace_id) is not str or not 0 < len(trace_id) <= MAX_ID or not trace_id.isascii():
            checked_id("trace id", trace_id)
        if span_id is None:
            span_id = new_id(now_us)
        else:
            checked_id("span id", span_id)
        if parent_span_id is not None:
            checked_id("parent span id", parent_span_id)
        if type(duration_ms) is float and 0.0 <= duration_ms <= _A_YEAR_MS:
            lasted = round(duration_ms * 1000.0)
        else:
            lasted = -1 if duration_ms is None else duration_us(duration_ms)
        state = STATUS_WORDS.get(status) or capture.status_of(status)
        if status == "timeout" and error_type is None:
            error_type = "timeout"
        numbers = (
            now_us - lasted if started_at is None and 0 <= lasted <= now_us else start_us(started_at, lasted, now_us),
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
        body = self.plain(numbers, fixed, free, attributes)
        if body is None:
            names = ("name", "session_id", "user_identifier", "error", "input", "output")
            cleaned, attributes = self._door.foreign(kind, dict(zip(names, free, strict=True)), attributes)
            body = self._any(numbers, fixed, cleaned, attributes)
        self.append(body)
        return span_id

    def _inside(self, here: Here | None, span_id: str | None, *said: str | None) -> tuple[str | None, ...]:
        """Trace, parent, environment, session and user as the caller said, else as the open span of this ledger has them.

        That holds for a record of the same trace, and for one that names none.
        """
        while here is not None and getattr(here.ledger, "_made_recorder", None) is not self:
            here = here.outer
        trace_id, parent, environment, session_id, user_identifier = said
        if here is None or (trace_id is not None and trace_id != here.trace_id):
            return said
        if parent is None and span_id != here.span_id:
            parent = here.span_id
        return (
            here.trace_id,
            parent,
            here.environment or None if environment is None else environment,
            here.session_id if session_id is None else session_id,
            here.user_identifier if user_identifier is None else user_identifier,
        )

    def plain(
        self,
        numbers: tuple[int, ...],
        fixed: tuple[str, ...],
        free: tuple[Any, ...],
        attributes: Mapping[str, Any] | None,
        flags: int = 0,
    ) -> bytes | None:
        """The record when it holds nothing but texts within limits, and flat attributes, of which none is to be hidden.

        None when it does not: then ``_any`` takes it after everything was redacted one by one.
        """
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
        if attributes and type(attributes) is not dict:
            return None
        count = len(attributes) if attributes else 0
        try:
            shown = _NUL.join((*texts, *attributes, *attributes.values()) if attributes else texts)
            data = f"{_NUL.join(fixed)}\0{shown}".encode()
        except UnicodeEncodeError:
            return None
        except TypeError:
            return self._scalars(numbers, fixed, texts, attributes, flags, has) if attributes else None
        if data.count(b"\0") != _SEPARATORS + 2 * count or not self._goes_out(fixed, texts, shown, data, attributes):
            return None
        return _pack(*numbers, count, flags, has) + data

    def _scalars(
        self,
        numbers: tuple[int, ...],
        fixed: tuple[str, ...],
        texts: tuple[str, ...],
        attributes: Mapping[str, Any],
        flags: int,
        has: int,
    ) -> bytes | None:
        """``plain`` where some attributes are numbers, true, false or None: those are written as JSON."""
        strings = [item for item in attributes.values() if type(item) is str]
        for item in attributes.values():
            kind = type(item)
            if kind is not str and kind not in _SCALARS and not (kind is int and -_LONG < item < _LONG):
                return None
        try:
            shown = _NUL.join((*texts, *attributes, *strings))
            noted = capture.encoder()(attributes)
            data = f"{_NUL.join(fixed)}\0{_NUL.join(texts)}\0{noted}".encode()
        except (TypeError, ValueError):
            return None
        if (
            data.count(b"\0") != _SEPARATORS + 1
            or shown.count(_NUL) != len(texts) - 1 + len(attributes) + len(strings)
            or not self._goes_out(fixed, texts, shown, data, attributes)
        ):
            return None
        return _pack(*numbers, 0, flags, has | HAS_JSON) + data

    def _goes_out(
        self, fixed: tuple[str, ...], texts: tuple[str, ...], shown: str, data: bytes, attributes: Any
    ) -> bool:
        """Whether nothing is cut or hidden in what was joined."""
        return (
            len(texts[0]) <= MAX_NAME
            and len(fixed[_KIND]) <= MAX_KIND
            and (len(data) <= self._never_cut_bytes or shown.isascii())
            and len(shown) - len(texts[4]) - len(texts[5]) <= MAX_ERROR_BYTES
            and self._hides_nothing(shown, attributes or ())
        )

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
        if span.first_token_us is not None:
            has, data = has | HAS_FIRST, spool_record.FIRST.pack(span.first_token_us) + data
        self.append(_pack(span.started_us, *known, 0, span.flags | more, has) + data)


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
