"""Clients of other libraries, watched: they stay the same objects and behave as before, and their model calls are recorded.

Both families of clients send every call through one method, ``post``, which gets the path and the body as they go out:
that is the one place that is watched. Neither library is imported here; a client is known by the module of its class.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from ledger_tui.errors import InputError
from ledger_tui.sdk.wrapping.calls import Gate, Watch

if TYPE_CHECKING:
    from ledger_tui.sdk.tracing import Tracer

Client = TypeVar("Client")
_MARK = "_ledger_watch"
_FAMILIES = ("openai", "anthropic")
_MAX_DEPTH = 6


def wrap(client: Client, tracer: Tracer, gate: Gate | None = None) -> Client:
    """``client`` itself, watched for ``tracer``; wrapping again only changes whose it is. Raises InputError.

    gate: asked before each call.
    """
    family = _family(client)
    post = getattr(client, "post", None)
    if family is None or not callable(post):
        raise InputError(
            f"{type(client).__name__} is no client of openai or anthropic",
            title="This client cannot be wrapped",
            remedy="Give an OpenAI, AsyncOpenAI, Anthropic or AsyncAnthropic object.",
        )
    held: Any = client
    watch = held.__dict__.get(_MARK)
    if isinstance(watch, Watch):
        watch.tracer, watch.gate = tracer, gate
        return client
    watch = Watch(family, tracer, gate)
    held.__dict__[_MARK] = watch
    watched = _watched_post(held, watch)
    held.__dict__["post"] = watched
    _reach_resources(held, watched, _MAX_DEPTH)
    for name in ("copy", "with_options"):
        if callable(getattr(type(client), name, None)):
            held.__dict__[name] = _wrapping_copies(held, name, watch)
    return client


def _family(client: Any) -> str | None:
    for base in type(client).__mro__:
        name = base.__module__.partition(".")[0]
        if name in _FAMILIES:
            return name
    return None


def _watched_post(client: Any, watch: Watch) -> Any:
    original = client.post

    if inspect.iscoroutinefunction(original):

        async def post_async(path: str, **options: Any) -> Any:
            watch.admit(path)
            call = watch.begin(client, path, options)
            if call is None:
                return await original(path, **options)
            try:
                answer = await original(path, **options)
            except BaseException as error:
                call.failed(error)
                raise
            return call.answered(answer)

        return post_async

    def post(path: str, **options: Any) -> Any:
        watch.admit(path)
        call = watch.begin(client, path, options)
        if call is None:
            return original(path, **options)
        try:
            answer = original(path, **options)
        except BaseException as error:
            call.failed(error)
            raise
        return call.answered(answer)

    return post


def _wrapping_copies(client: Any, name: str, watch: Watch) -> Any:
    original = getattr(client, name)

    def copied(*args: Any, **kwargs: Any) -> Any:
        return wrap(original(*args, **kwargs), watch.tracer, watch.gate)

    return copied


def _reach_resources(holder: Any, post: Any, depth: int) -> None:
    """Give ``post`` to the resources (``client.chat.completions`` ...) that were made before."""
    if depth == 0:
        return
    for item in list(vars(holder).values()):
        if ".resources." in type(item).__module__ and hasattr(item, "__dict__"):
            if "_post" in vars(item):
                vars(item)["_post"] = post
            _reach_resources(item, post, depth - 1)
