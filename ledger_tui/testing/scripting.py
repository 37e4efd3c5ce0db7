"""A provider that answers what a test wrote down, in the place of every real one; nothing leaves the machine."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

from ledger_tui.domain import clock
from ledger_tui.domain.calls import Finished, ModelEvent, ModelInfo, ModelRequest, ReasoningDelta, TextDelta
from ledger_tui.errors import ProviderError
from ledger_tui.testing.replies import Answer, Reply, ScriptedCall, When, as_reply

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger

Replies = Iterable[Answer | When] | Callable[[ScriptedCall], Answer | None]


class ScriptExhausted(ProviderError):
    """A call that the script has no answer for; its cause names what was asked."""

    default_title = "The script has no answer for this call"
    default_remedy = "Give testing.script(ledger, [...]) one more answer."
    error_type = "script"


def script(ledger: PromptLedger, replies: Replies = ()) -> Script:
    """Answer every call to a model that ``ledger`` makes from now on, whichever provider and model it names.

    replies: texts, ``Reply`` and ``failure`` are used up in order; those of ``when`` come first, for every call that
    fits. Or a function from the call to an answer, None for none. A call that nothing answers fails, naming what was
    asked; a ``memory_ledger`` raises that as an AssertionError at its end too. Raises InputError for what is no answer.
    """
    made = Script(replies)
    ledger.answer_with(made)
    return made


class Script:
    """What models answer, and what they were asked. Thread-safe."""

    def __init__(self, replies: Replies = ()) -> None:
        self.calls: list[ScriptedCall] = []
        """What was asked, in the order in which it came."""
        self.unanswered: list[str] = []
        """The calls that got no answer, in words; a test that wants that clears it."""
        self._function = replies if callable(replies) else None
        self._conditions: list[tuple[When, Reply]] = []
        self._in_order: list[Reply] = []
        self._taken = 0
        self._lock = threading.Lock()
        if not callable(replies):
            self.add(*replies)

    def add(self, *replies: Answer | When) -> Script:
        """Append answers; raises InputError for what is none."""
        with self._lock:
            for one in replies:
                if isinstance(one, When):
                    self._conditions.append((one, as_reply(one.answer)))
                else:
                    self._in_order.append(as_reply(one))
        return self

    @property
    def left(self) -> int:
        """How many answers nobody has asked for yet."""
        return len(self._in_order) - self._taken

    def __call__(self, provider: str) -> _Door:
        return _Door(self, provider)

    def answer(self, call: ScriptedCall) -> Reply:
        """Note a call and say what it gets; raises ScriptExhausted."""
        with self._lock:
            self.calls.append(call)
            number = len(self.calls)
        try:
            found = self._found(call)
        except Exception as error:
            raise self._refusal(number, call, f"; the script itself raised {type(error).__name__}: {error}") from error
        if found is None:
            raise self._refusal(number, call, "")
        return found

    def _found(self, call: ScriptedCall) -> Reply | None:
        if self._function is not None:
            given = self._function(call)
            return None if given is None else as_reply(given)
        for condition, reply in self._conditions:
            if condition.fits(call):
                return reply
        with self._lock:
            if self._taken == len(self._in_order):
                return None
            self._taken += 1
            return self._in_order[self._taken - 1]

    def _refusal(self, number: int, call: ScriptedCall, why: str) -> ScriptExhausted:
        words = f"call {number}: {call}{why}"
        self.unanswered.append(words)
        return ScriptExhausted(words, provider=call.provider)


class _Door:
    """A script as one provider."""

    def __init__(self, script: Script, name: str) -> None:
        self.name = name
        self._script = script

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer as the script says."""
        call = ScriptedCall(
            self.name,
            request.model,
            request.messages,
            dict(request.params),
            request.tools,
            request.response_schema,
        )
        reply = self._script.answer(call)
        before_s, after_s = reply.waits_s
        await clock.pause(before_s)
        if reply.reasoning:
            yield ReasoningDelta(reply.reasoning)
        for piece in reply.pieces:
            yield TextDelta(piece)
        for wanted in reply.calls:
            yield wanted
        await clock.pause(after_s)
        if (error := reply.failed) is not None:
            raise error
        yield Finished(
            usage=reply.usage(call),
            finish_reason=reply.finish_reason or ("tool_calls" if reply.calls else "stop"),
            served_model=reply.served_model or request.model,
            metadata={"scripted": True},
        )

    async def models(self) -> list[ModelInfo]:
        """None: a script answers for any."""
        return []

    async def aclose(self) -> None:
        """Nothing to close."""
