"""Iterators whose span lasts as long as they do; code that they run is inside of it, code between two items is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ledger_tui.sdk.context import enter
from ledger_tui.sdk.plain import MAX_ITEMS, Captured

if TYPE_CHECKING:
    from ledger_tui.sdk.tracing import Span

T = TypeVar("T")


class Collected:
    """The items that came, as the span's output: texts joined, others as a list."""

    def __init__(self, span: Span, *, keep: bool = True) -> None:
        self._span = span
        self._keep = keep
        self._taken = Captured()
        self._items: list[Any] = []
        self._count = 0

    def add(self, item: Any) -> None:
        """Take an item; past the limits it is only counted."""
        self._count += 1
        if self._keep and self._taken.left > 0 and (isinstance(item, str) or self._count <= MAX_ITEMS):
            self._items.append(self._taken.plain(item))

    def end(self, result: Any = None) -> None:
        """Give the span its output, unless somebody did, and end it; ``result`` is what a generator returned."""
        try:
            self._span.set(items=self._count)
            if self._keep and self._span.output is None:
                joined = bool(self._items) and all(isinstance(item, str) for item in self._items)
                self._span.output = "".join(self._items) if joined else (self._items or None)
            if self._keep and result is not None:
                self._span.set(returned=result)
        finally:
            self._span.end()


class SpanIterator(Iterator[T], Generic[T]):
    """Hands on the items of another iterator."""

    def __init__(self, span: Span, items: Iterator[T], *, keep: bool = True) -> None:
        self._span, self._source = span, items
        self._collected = Collected(span, keep=keep)

    def __next__(self) -> T:
        span = self._span.begin()
        before = enter(span.inside())
        try:
            item = next(self._source)
        except StopIteration as stop:
            self._collected.end(stop.value)
            raise
        except BaseException as error:
            span.stopped_by(error)
            self._collected.end()
            raise
        finally:
            enter(before)
        self._collected.add(item)
        return item

    def close(self) -> None:
        """Give up: the span ends as canceled unless it has ended."""
        if not self._span.ended:
            self._span.canceled()
            self._collected.end()
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        if not self._span.ended:
            self._span.canceled()
            self._collected.end()


class AsyncSpanIterator(AsyncIterator[T], Generic[T]):
    """Hands on the items of another asynchronous iterator."""

    def __init__(self, span: Span, items: AsyncIterator[T], *, keep: bool = True) -> None:
        self._span, self._source = span, items
        self._collected = Collected(span, keep=keep)

    async def __anext__(self) -> T:
        span = self._span.begin()
        before = enter(span.inside())
        try:
            item = await anext(self._source)
        except StopAsyncIteration:
            self._collected.end()
            raise
        except BaseException as error:
            span.stopped_by(error)
            self._collected.end()
            raise
        finally:
            enter(before)
        self._collected.add(item)
        return item

    async def aclose(self) -> None:
        """Give up: the span ends as canceled unless it has ended."""
        if not self._span.ended:
            self._span.canceled()
            self._collected.end()
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    def __del__(self) -> None:
        if not self._span.ended:
            self._span.canceled()
            self._collected.end()


def watched_generator(span: Span, source: Generator[Any, Any, Any], keep: bool) -> Generator[Any, Any, Any]:
    """A generator that does what ``source`` does, also with what is sent and thrown into it."""
    collected = Collected(span, keep=keep)
    span.begin()
    sent: Any = None
    thrown: BaseException | None = None
    try:
        while True:
            before = enter(span.inside())
            try:
                item = source.send(sent) if thrown is None else source.throw(thrown)
            except StopIteration as stop:
                collected.end(stop.value)
                return stop.value
            finally:
                enter(before)
            collected.add(item)
            sent, thrown = None, None
            try:
                sent = yield item
            except GeneratorExit:
                source.close()
                raise
            except BaseException as error:
                # Thrown in by whoever iterates: it is the source's to handle.
                thrown = error
    except BaseException as error:
        span.stopped_by(error)
        collected.end()
        raise


def watched_async_generator(
    opened: Callable[..., tuple[Span, AsyncGenerator[Any, Any]]], keep: bool
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """An async generator function that does what the generator does which ``opened`` makes of its arguments."""

    async def observed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span, source = opened(*args, **kwargs)
        collected = Collected(span, keep=keep)
        span.begin()
        sent: Any = None
        thrown: BaseException | None = None
        try:
            while True:
                before = enter(span.inside())
                try:
                    item = await (source.asend(sent) if thrown is None else source.athrow(thrown))
                except StopAsyncIteration:
                    collected.end()
                    return
                finally:
                    enter(before)
                collected.add(item)
                sent, thrown = None, None
                try:
                    sent = yield item
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:
                    # Thrown in by whoever iterates: it is the source's to handle.
                    thrown = error
        except BaseException as error:
            span.stopped_by(error)
            collected.end()
            raise

    return observed
