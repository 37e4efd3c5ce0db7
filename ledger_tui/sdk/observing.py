"""``@observe``: every call of a function becomes a span, with its arguments and its result."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ledger_tui.errors import InputError
from ledger_tui.sdk.iterating import watched_async_generator, watched_generator

if TYPE_CHECKING:
    from ledger_tui.sdk.tracing import Span, Tracer

F = TypeVar("F", bound=Callable[..., Any])


class Observer:
    """What one decoration decides once. ``tracer`` is asked at every call."""

    def __init__(
        self,
        tracer: Callable[[], Tracer],
        *,
        name: str | None = None,
        kind: str = "span",
        capture_input: bool = True,
        capture_output: bool = True,
        attributes: Mapping[str, Any] | None = None,
        live: bool = False,
    ) -> None:
        self._tracer, self._name, self._kind = tracer, name, kind
        self._capture_input, self._capture_output = capture_input, capture_output
        self._attributes, self._live = attributes, live

    def __call__(self, function: F) -> F:
        """``function`` of the same kind (plain, async, generator, async generator, static or class method), observed."""
        target: Any = function
        if isinstance(target, staticmethod | classmethod):
            return cast(F, type(target)(self(target.__func__)))
        if isinstance(target, type) or not callable(target):
            raise InputError(f"{target!r} is no function", remedy="Put @observe on functions and methods.")
        if inspect.isasyncgenfunction(target):
            return cast(F, self._async_generator(target))
        if inspect.iscoroutinefunction(target):
            return cast(F, self._coroutine(target))
        if inspect.isgeneratorfunction(target):
            return cast(F, self._generator(target))
        return cast(F, self._plain(target))

    def _plain(self, function: Callable[..., Any]) -> Callable[..., Any]:
        opened = self._opener(function)

        @functools.wraps(function)
        def observed(*args: Any, **kwargs: Any) -> Any:
            with opened(args, kwargs) as span:
                result = function(*args, **kwargs)
                if self._capture_output:
                    span.output = result
                return result

        return observed

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        opened = self._opener(function)

        @functools.wraps(function)
        async def observed(*args: Any, **kwargs: Any) -> Any:
            with opened(args, kwargs) as span:
                result = await function(*args, **kwargs)
                if self._capture_output:
                    span.output = result
                return result

        return observed

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        opened = self._opener(function)

        @functools.wraps(function)
        def observed(*args: Any, **kwargs: Any) -> Any:
            source = function(*args, **kwargs)
            return (yield from watched_generator(opened(args, kwargs), source, self._capture_output))

        return observed

    def _async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        opened = self._opener(function)

        def source(*args: Any, **kwargs: Any) -> Any:
            return opened(args, kwargs), function(*args, **kwargs)

        return functools.wraps(function)(watched_async_generator(source, self._capture_output))

    def _opener(self, function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], Span]:
        name = self._name or getattr(function, "__qualname__", type(function).__name__).replace(".<locals>", "")
        arguments = _binder(function) if self._capture_input else None

        def opened(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Span:
            tracer = self._tracer()
            span = tracer.span(name, self._kind, attributes=self._attributes, live=self._live)
            if arguments is not None:
                span.input = arguments(args, kwargs)
            return span

        return opened


def _binder(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]:
    """What turns arguments into names and values; ``self`` and ``cls`` are left out."""
    try:
        names = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        names = []
    positional = [p.name for p in names if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in names if p.kind is p.VAR_POSITIONAL), "args")
    skipped = 1 if positional[:1] in (["self"], ["cls"]) else 0

    def bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        found = dict(zip(positional[skipped:], args[skipped:], strict=False))
        if len(args) > len(positional):
            found[rest] = list(args[len(positional) :])
        return {**found, **kwargs}

    return bound
