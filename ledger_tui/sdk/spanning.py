"""Spans of code, as methods of `PromptLedger`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import ParamSpec

    from ledger_tui.sdk.door import Door
    from ledger_tui.sdk.recorder import Recorder
    from ledger_tui.sdk.tracing import Span, Tracer
    from ledger_tui.services.budget_watch import BudgetWatch
    from ledger_tui.services.redaction import RedactionRule
    from ledger_tui.settings import Settings

    P = ParamSpec("P")
    R = TypeVar("R")
    F = TypeVar("F", bound=Callable[..., Any])
    Client = TypeVar("Client")


class Spanning:
    """The part of `PromptLedger` about what code does."""

    _redact: Sequence[RedactionRule] = ()

    if TYPE_CHECKING:

        @property
        def _recorder(self) -> Recorder: ...
        @property
        def budget_watch(self) -> BudgetWatch: ...
        @property
        def settings(self) -> Settings: ...

    @cached_property
    def tracer(self) -> Tracer:
        """Makes spans of code; ``tracer.door`` redacts and records them."""
        from ledger_tui.sdk.tracing import Tracer

        return Tracer(self, self._door)

    @cached_property
    def _door(self) -> Door:
        from ledger_tui.sdk.door import Door
        from ledger_tui.services.redaction import Redactor

        return Door(lambda: self._recorder, Redactor(self._redact))

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
        """``with ledger.trace("name") as trace:`` a new trace; steps, runs and wrapped clients inside belong to it.

        trace_id: any text of 1 to 128 characters; one that exists gets a further span at its top. metadata: attributes
        of the span. live: write the start too, so that it shows as running. Works with ``async with`` too. Raises
        InputError for an id that is none.
        """
        return self.tracer.trace(
            name,
            trace_id=trace_id,
            kind=kind,
            session_id=session_id,
            user_identifier=user_identifier,
            environment=environment,
            metadata=metadata,
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
        """``with ledger.span("name", kind="tool") as span:`` a step of what is around it, else a trace of its own.

        trace_id and parent_span_id place it elsewhere, for work that came from another process. live: write the start
        too. Works with ``async with`` too.
        """
        return self.tracer.span(
            name,
            kind,
            input=input,
            attributes=attributes,
            trace_id=trace_id,
            parent_span_id=parent_span_id,
            live=live,
        )

    @overload
    def observe(self, function: F, /) -> F: ...

    @overload
    def observe(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        kind: str = "span",
        capture_input: bool = True,
        capture_output: bool = True,
        attributes: Mapping[str, Any] | None = None,
        live: bool = False,
    ) -> Callable[[F], F]: ...

    def observe(self, function: Any = None, /, **options: Any) -> Any:
        """``@ledger.observe`` or ``@ledger.observe(kind="tool")``: every call of the function is a span.

        Functions, methods, async functions, generators and async generators stay what they are.
        """
        from ledger_tui.sdk.observing import Observer

        observer = Observer(lambda: self.tracer, **options)
        return observer if function is None else observer(function)

    def wrap(self, client: Client) -> Client:
        """The same client of ``openai`` or ``anthropic``, sync or async, whose model calls are recorded from now on.

        A call raises BudgetExceeded and is not sent while a budget for it is spent, unless the setting
        ``budgets_stop_wrapped_calls`` is off. Raises InputError for anything else.
        """
        from ledger_tui.sdk.wrapping import wrap

        watch = self.budget_watch
        return wrap(client, self.tracer, watch if self.settings.budgets_stop_wrapped_calls else watch.unstopping)

    def run_in_context(self, function: Callable[P, R]) -> Callable[P, R]:
        """``function`` that runs inside the span of here, also when a thread or an executor calls it."""
        from ledger_tui.sdk.context import carried

        return carried(function)
