"""For the tests of programs that use Prompt Ledger: a ledger that leaves nothing behind, models that say what a test wants,
ids and times that are the same in every run.

::

    from ledger_tui import testing

    with testing.memory_ledger() as ledger:
        script = testing.script(ledger, ["Hello Ada", testing.Reply(error="rate_limit"), "Hello Bob"])
        ...

With pytest the fixture ``prompt_ledger`` is there by itself. What this room needs is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger_tui.domain.calls import ToolCall
    from ledger_tui.domain.values import TokenUsage
    from ledger_tui.testing.memory import MemoryLedger, memory_ledger
    from ledger_tui.testing.replies import Answer, FailureName, Reply, ScriptedCall, When, failure, when
    from ledger_tui.testing.scripting import Script, ScriptExhausted, script
    from ledger_tui.testing.steady import START, StoppedClock, counted_ids, stopped_clock

_HOMES = {
    "domain.calls": ("ToolCall",),
    "domain.values": ("TokenUsage",),
    "testing.memory": ("MemoryLedger", "memory_ledger"),
    "testing.replies": ("Answer", "FailureName", "Reply", "ScriptedCall", "When", "failure", "when"),
    "testing.scripting": ("Script", "ScriptExhausted", "script"),
    "testing.steady": ("START", "StoppedClock", "counted_ids", "stopped_clock"),
}
__all__ = [
    "START", "Answer", "FailureName", "MemoryLedger", "Reply", "Script", "ScriptExhausted", "ScriptedCall",
    "StoppedClock", "TokenUsage", "ToolCall", "When", "counted_ids", "failure", "memory_ledger", "script",
    "stopped_clock", "when",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"ledger_tui.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
