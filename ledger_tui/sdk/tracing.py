"""Spans of code: opened with ``with``, nested by context, written when they end."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ledger_tui.domain import clock, ids
from ledger_tui.domain.span_words import FLAG_CUT, FLAG_LOSSY
from ledger_tui.sdk.context import Here, current, enter, innermost
from ledger_tui.sdk.naming import checked, given, short, words
from ledger_tui.sdk.plain import MAX_NAME, Captured, as_text

if TYPE_CHECKING:
    from ledger_tui.domain.values import SpanRecord
    from ledger_tui.sdk.door import Door

T = TypeVar("T")
MAX_EVENTS = 200
MAX_ATTRIBUTES_BYTES = 200 * 1024
MAX_KIND = 64


class Tracer:
    """Makes the spans of one ledger."""

    def __init__(self, ledger: Any, door: Door) -> None:
        self.ledger = ledger
        self.door = door

    def trace(
        self,
        name: str,
        *,
        trace_id: str | None = None,
        kind: str = "agent",
        session_id: str | None = None,
        user_identifier: str | None = None,
        environment: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        input: Any = None,
        live: bool = True,
    ) -> Span:
        """A new trace and its first span; everything inside the block belongs to it.

        trace_id: any text of 1 to 128 characters; one that exists gets a further span at its top. metadata: attributes
        of the span. live: write the start too, so that it shows as running. Raises InputError for an id that is none.
        """
        return Span(
            self,
            name,
            kind,
            parent=None,
            trace_id=checked(trace_id) if trace_id is not None else None,
            session_id=session_id,
            user_identifier=user_identifier,
            environment=environment,
            attributes=metadata,
            input=input,
            live=live,
        )

    def span(
        self,
        name: str,
        kind: str = "span",
        *,
        input: Any = None,
        attributes: Mapping[str, Any] | None = None,
        trace_id: str | None = None,
        parent_span_id: str | None = None,
        live: bool = False,
    ) -> Span:
        """A step of the span around it; outside of any it begins a trace of its own.

        trace_id and parent_span_id place it elsewhere, for work that came from another process.
        """
        here = current(self.ledger)
        if trace_id is not None and (here is None or here.trace_id != trace_id):
            here = None
        parent = checked(parent_span_id) if parent_span_id is not None else here.span_id if here else None
        return Span(
            self,
            name,
            kind,
            parent=parent,
            around=here,
            trace_id=checked(trace_id) if trace_id is not None else None,
            attributes=attributes,
            input=input,
            live=live,
        )


class Span:
    """One step. Begins when its block is entered (or with ``begin``) and ends with it; all of it may be used from any thread.

    An exception that leaves the block is recorded and goes on. What is set after the end is ignored.
    """

    __slots__ = (
        "_attributes",
        "_before",
        "_begun",
        "_captured",
        "_door",
        "_environment",
        "_error",
        "_here",
        "_input",
        "_ledger",
        "_live",
        "_open_stream",
        "_output",
        "_session_id",
        "_status",
        "_user_identifier",
        "ended",
        "error_type",
        "facts",
        "kind",
        "name",
        "parent_span_id",
        "span_id",
        "started_us",
        "trace_id",
    )  # fmt: skip

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        kind: str,
        *,
        parent: str | None,
        around: Here | None = None,
        trace_id: str | None = None,
        session_id: str | None = None,
        user_identifier: str | None = None,
        environment: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        input: Any = None,
        live: bool = False,
    ) -> None:
        self._door, self._ledger = tracer.door, tracer.ledger
        self.name, self.kind, self.parent_span_id = short(name, MAX_NAME), short(kind, MAX_KIND), parent
        self.trace_id = trace_id or (around.trace_id if around else ids.new_id())
        self.span_id = ids.new_id()
        self._session_id, self._user_identifier = given(session_id), given(user_identifier)
        self._environment = given(environment) or ""
        if around is not None:
            self._session_id = self._session_id or around.session_id
            self._user_identifier = self._user_identifier or around.user_identifier
            self._environment = self._environment or around.environment
        self._captured = Captured(MAX_ATTRIBUTES_BYTES)
        self._attributes: dict[str, Any] = {}
        self._input: Any = None
        self._output: Any = None
        self._status, self.error_type, self._error = "succeeded", "", ""
        self._live, self.ended, self._open_stream = live, False, False
        self._begun = 0
        self.started_us = 0
        self._before: Here | None = None
        self._here: Here | None = None
        self.facts: dict[str, Any] = {}
        if input is not None:
            self.input = input
        if attributes and self._captured.ascii_texts(attributes):
            self._attributes.update(attributes)
        elif attributes:
            self.set(**{str(key): value for key, value in attributes.items()})

    # What a step says of itself

    @property
    def input(self) -> Any:
        """What went in, as captured when it was set: plain JSON or text."""
        return self._input

    @input.setter
    def input(self, value: Any) -> None:
        self._input = self._captured_apart(value, self._ledger.settings.max_rendered_kb)

    @property
    def output(self) -> Any:
        """What came out, as captured when it was set: plain JSON or text."""
        return self._output

    @output.setter
    def output(self, value: Any) -> None:
        self._output = self._captured_apart(value, self._ledger.settings.max_response_kb)

    def set(self, name: str | None = None, value: Any = None, /, **attributes: Any) -> Span:
        """Keep attributes: ``span.set("k", v)`` or ``span.set(k=v, ...)``; the last value of a name counts."""
        if name is not None:
            attributes = {name: value, **attributes}
        plain = self._captured.plain
        for key, item in attributes.items():
            self._attributes[key] = plain(item)
        return self

    def event(self, name: str, **attributes: Any) -> Span:
        """Keep that something happened now; at most 200 a span, of later ones only the count."""
        events = self._attributes.setdefault("events", [])
        if len(events) < MAX_EVENTS:
            events.append(self._captured.plain({"name": name, "at_us": clock.now_us(), **attributes}))
        else:
            self._attributes["events_left_out"] = self._attributes.get("events_left_out", 0) + 1
        return self

    def call(
        self,
        *,
        model: str,
        provider: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> Span:
        """Say that this step was a call to a model; its price is looked up when the span is stored.

        input includes the cached tokens, output the reasoning ones.
        """
        from ledger_tui.domain.values import TokenUsage

        tokens = TokenUsage(input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens)
        self.facts.update(model=short(model, MAX_NAME), provider=given(provider), tokens=tokens)
        return self

    def fail(self, error: BaseException | str, error_type: str = "") -> Span:
        """Record that the step failed, without raising anything."""
        self._status = "failed"
        self.error_type = error_type or (type(error).__name__ if isinstance(error, BaseException) else "error")
        self._error = words(error)
        return self

    def stream(self, items: Iterable[T]) -> Iterable[T]:
        """The same items; the span ends when they do (also when the block was left before), or are given up."""
        from ledger_tui.sdk.iterating import SpanIterator

        self._open_stream = True
        return SpanIterator(self, iter(items))

    def astream(self, items: AsyncIterable[T]) -> AsyncIterable[T]:
        """``stream`` for asynchronous items."""
        from ledger_tui.sdk.iterating import AsyncSpanIterator

        self._open_stream = True
        return AsyncSpanIterator(self, aiter(items))

    # Its life

    def begin(self) -> Span:
        """Start the clock. Blocks do it by themselves; a second call does nothing."""
        if not self._begun:
            self.started_us = clock.now_us()
            self._begun = clock.ticks_us()
            if self._live:
                self._write("running", None)
        return self

    def end(self, duration_us: int | None = None) -> None:
        """Write the span. Blocks do it by themselves; a second call does nothing. duration_us: when it was over before."""
        if self.ended:
            return
        self.ended = True
        self.begin()
        self._write(self._status, self.age_us() if duration_us is None else duration_us)

    def age_us(self) -> int:
        """Microseconds since it began."""
        return max(0, clock.ticks_us() - self._begun)

    def inside(self) -> Here:
        """What code inside this span is inside of."""
        if self._here is None:
            self._here = Here(
                self._ledger,
                self.trace_id,
                self.span_id,
                self._environment,
                self._session_id,
                self._user_identifier,
                innermost(),
            )
        return self._here

    def __enter__(self) -> Span:
        self.begin()
        self._before = enter(self.inside())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        enter(self._before)
        if error is not None:
            self.stopped_by(error)
        if error is not None or not self._open_stream:
            self.end()

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def stopped_by(self, error: BaseException) -> None:
        """Take the status that an exception means: cancelled, ended on purpose, or failed."""
        kind = type(error)
        if kind.__name__ in ("CancelledError", "GeneratorExit", "KeyboardInterrupt"):
            self._status, self.error_type = "canceled", "canceled"
        elif not (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.fail(error)

    def canceled(self) -> None:
        """Record that somebody stopped the step before its end."""
        self._status, self.error_type = "canceled", "canceled"

    def __repr__(self) -> str:
        return f"Span({self.name!r}, trace_id={self.trace_id!r}, span_id={self.span_id!r})"

    def _captured_apart(self, value: Any, limit_kb: int) -> Any:
        taken = Captured(limit_kb * 1024)
        if taken.ascii_text(value):
            return value
        plain = taken.plain(value)
        self._captured.cut |= taken.cut
        self._captured.lossy |= taken.lossy
        return plain

    def _write(self, status: str, duration_us: int | None) -> None:
        try:
            if self.facts or not self._wrote_plain(status, duration_us):
                self._door.record(self._record(status, duration_us))
        except Exception as error:
            self._door.lose(error)

    def _wrote_plain(self, status: str, duration_us: int | None) -> bool:
        """Whether the span could be written as it is, which takes a fraction of the time."""
        lasted = -1 if duration_us is None else duration_us
        environment = self._environment or self._ledger.environment
        return self._door.record_plain(
            (self.started_us, lasted, -1, -1, -1, -1, -1, -1),
            (self.trace_id, self.span_id, self.parent_span_id or "", self.kind, status, "", "", "", environment,
             self.error_type, "", "", "", ""),
            (self.name or "unnamed", self._session_id, self._user_identifier, self._error or None, self._input,
             self._output),
            self._attributes,
            self._flags(),
        )  # fmt: skip

    def _record(self, status: str, duration_us: int | None) -> SpanRecord:
        from ledger_tui.domain.values import SpanRecord

        fields, attributes = self._door.cleaned(
            self.kind,
            {
                "name": self.name,
                "session_id": self._session_id,
                "user_identifier": self._user_identifier,
                "error": self._error or None,
                "input": self._input,
                "output": self._output,
            },
            self._attributes,
        )
        return SpanRecord(
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent_span_id,
            name=fields["name"] or "unnamed",
            kind=self.kind,
            status=status,
            started_us=self.started_us,
            duration_us=duration_us,
            environment=self._environment or self._ledger.environment,
            session_id=fields["session_id"],
            user_identifier=fields["user_identifier"],
            error_type=self.error_type or None,
            error=fields["error"],
            input=as_text(fields["input"]),
            output=as_text(fields["output"]),
            attributes=attributes,
            flags=self._flags(),
            **self.facts,
        )

    def _flags(self) -> int:
        return FLAG_CUT * self._captured.cut | FLAG_LOSSY * self._captured.lossy
