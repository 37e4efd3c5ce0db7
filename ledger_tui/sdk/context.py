"""Which span the running code is inside: follows await and tasks by itself, and threads through ``carried``."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Here:
    """The innermost open span of one ledger, and what its children inherit. Nobody changes it."""

    __slots__ = ("environment", "ledger", "outer", "session_id", "span_id", "trace_id", "user_identifier")

    def __init__(
        self,
        ledger: Any,
        trace_id: str,
        span_id: str,
        environment: str,
        session_id: str | None,
        user_identifier: str | None,
        outer: Here | None = None,
    ) -> None:
        """outer: what was around it, also of other ledgers."""
        self.ledger, self.trace_id, self.span_id, self.environment = ledger, trace_id, span_id, environment
        self.session_id, self.user_identifier, self.outer = session_id, user_identifier, outer


_here: contextvars.ContextVar[Here | None] = contextvars.ContextVar("ledger_tui_here", default=None)


innermost = _here.get
"""``innermost()``: the innermost open span of any ledger, or None."""


def current(ledger: Any) -> Here | None:
    """The innermost open span of ``ledger`` around the running code, None outside of any."""
    here = _here.get()
    while here is not None and here.ledger is not ledger:
        here = here.outer
    return here


def enter(here: Here | None) -> Here | None:
    """Make ``here`` what running code is inside, and return what it was inside before."""
    before = _here.get()
    _here.set(here)
    return before


def placed(ledger: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a program's run with what the span around it decides where they say nothing.

    A run that names another trace stays there; one that names the same trace, or none, becomes a child of the span. Its
    texts are the program's own, so they are rendered in this process when the settings allow it.
    """
    here, given = current(ledger), {"in_process": ledger.settings.render_in_process, **options}
    if here is None:
        return given
    if given.get("trace_id") in (None, here.trace_id):
        given["trace_id"] = here.trace_id
        if given.get("parent_span_id") is None:
            given["parent_span_id"] = here.span_id
    for name in ("environment", "session_id", "user_identifier"):
        if given.get(name) is None and getattr(here, name):
            given[name] = getattr(here, name)
    return given


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` that runs in a copy of the present context, wherever and however often it is called."""
    context = contextvars.copy_context()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return run
