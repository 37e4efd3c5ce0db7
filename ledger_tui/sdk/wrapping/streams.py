"""Streams of a library, watched from inside: the caller keeps the very object, only what it iterates over is replaced."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol


class Listener(Protocol):
    """Who hears of a stream. Its methods do not raise."""

    def chunk(self, item: Any) -> None: ...

    def over(self, error: BaseException | None = None, *, given_up: bool = False) -> None: ...


def watch_stream(stream: Any, listener: Listener) -> bool:
    """Let ``listener`` hear what comes out of ``stream``; False when it is no stream that can be watched."""
    inner: Any = getattr(stream, "_iterator", None)
    close = getattr(type(stream), "close", None)
    if close is None or not hasattr(stream, "__dict__"):
        return False
    if hasattr(inner, "__anext__"):
        stream.__dict__["_iterator"] = _AsyncEar(inner, listener)
    elif hasattr(inner, "__next__"):
        stream.__dict__["_iterator"] = _Ear(inner, listener)
    else:
        return False
    stream.__dict__["close"] = _telling_close(stream, close, listener)
    return True


def _telling_close(stream: Any, close: Any, listener: Listener) -> Any:
    """``stream.close`` that tells first; holds the stream weakly, so that a dropped one is freed at once as before."""
    held = weakref.ref(stream)
    if inspect.iscoroutinefunction(close):

        async def close_async() -> None:
            listener.over(given_up=True)
            if (found := held()) is not None:
                await close(found)

        return close_async

    def close_now() -> None:
        listener.over(given_up=True)
        if (found := held()) is not None:
            close(found)

    return close_now


class _Ear(Iterator[Any]):
    def __init__(self, inner: Iterator[Any], listener: Listener) -> None:
        self._inner, self._listener = inner, listener

    def __next__(self) -> Any:
        try:
            item = next(self._inner)
        except StopIteration:
            self._listener.over()
            raise
        except BaseException as error:
            self._listener.over(error)
            raise
        self._listener.chunk(item)
        return item

    def __del__(self) -> None:
        self._listener.over(given_up=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _AsyncEar(AsyncIterator[Any]):
    def __init__(self, inner: AsyncIterator[Any], listener: Listener) -> None:
        self._inner, self._listener = inner, listener

    async def __anext__(self) -> Any:
        try:
            item = await anext(self._inner)
        except StopAsyncIteration:
            self._listener.over()
            raise
        except BaseException as error:
            self._listener.over(error)
            raise
        self._listener.chunk(item)
        return item

    def __del__(self) -> None:
        self._listener.over(given_up=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
