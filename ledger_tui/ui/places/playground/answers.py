"""One answer of a model, from the press of the key to its end, and how it is told in a few words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from textual.content import Content

from ledger_tui.domain import money
from ledger_tui.domain.calls import ToolCall
from ledger_tui.domain.text import one_line, printable
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import LedgerError
from ledger_tui.services.run_values import RunResult

GLYPHS = {"running": "◌", "succeeded": "✓", "failed": "✗", "canceled": "⊘"}
STYLES = {"running": "dim", "succeeded": "$success", "failed": "$error", "canceled": "$warning"}


@dataclass
class Answer:
    """What has come of one run. ``result`` is there once it has ended and was stored."""

    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    status: str = "running"
    result: RunResult | None = None
    trace_id: str | None = None
    output: str = ""
    problem: tuple[str, str, str] | None = None
    """Title, cause and remedy of what went wrong."""
    waiting: str = ""
    """Why the provider is asked again later."""
    thought: int = 0
    """Characters of visible thinking that have come."""
    started: float = field(default_factory=time.perf_counter)

    def end(self, result: RunResult) -> None:
        """Take how it ended."""
        self.result, self.status, self.output = result, result.status, result.output
        if result.error_title:
            self.problem = (result.error_title, result.error, result.remedy)
        elif result.unsaved is not None:
            self.refuse(result.unsaved)
            self.status = result.status

    def refuse(self, error: BaseException) -> None:
        """Take an error that came before anything was sent, or in place of an end."""
        self.status = "failed"
        if isinstance(error, LedgerError):
            self.problem = (error.title, error.cause, error.remedy)
        else:
            self.problem = ("Something went wrong", f"{type(error).__name__}: {error}", "")

    @property
    def shown(self) -> str:
        """The text to show: the output, the tools the model asks for, and what went wrong below."""
        parts = [self.output] if self.output else []
        parts += [_call_words(call) for call in (self.result.tool_calls if self.result else ())]
        return "\n\n".join(parts)


def _call_words(call: ToolCall) -> str:
    fence = "`" * 3
    while fence in call.arguments:
        fence += "`"
    return f"**Tool call** `{one_line(call.name, 80).replace('`', '')}`\n\n{fence}json\n{call.arguments}\n{fence}"


def state_line(answer: Answer) -> Content:
    """Status and times: ``✓ 1.2 s · first 0.3 s · 84 tok/s``."""
    glyph = Content.styled(GLYPHS.get(answer.status, "?"), STYLES.get(answer.status, ""))
    result = answer.result
    if result is None:
        words = [seconds((time.perf_counter() - answer.started) * 1e6)] if answer.status == "running" else []
        if answer.waiting:
            words.append(answer.waiting)
        elif answer.thought and not answer.output:
            words.append(f"thinking, {answer.thought:,} characters")
        return Content.assemble(
            glyph, " ", ("running" if answer.status == "running" else answer.status), *_dotted(words)
        )
    words = [seconds(result.latency_us)]
    if result.first_token_us is not None:
        words.append(f"first {seconds(result.first_token_us)}")
    if (rate := tokens_per_second(result)) is not None:
        words.append(f"{rate:,.0f} tok/s")
    if result.finish_reason not in (None, "stop", "end_turn", "completed"):
        words.append(f"ended by {printable(str(result.finish_reason), keep='')[:20]}")
    if result.attempts > 1:
        words.append(f"{result.attempts} tries")
    return Content.assemble(glyph, " ", answer.status, *_dotted(words))


def cost_line(answer: Answer) -> Content:
    """Tokens and cost: ``in 120 (80 cached) · out 101 (40 reasoning) · $0.0021``."""
    result = answer.result
    if result is None or answer.status == "running":
        return Content("")
    return Content(f"{token_words(result.tokens)} · {cost_words(result)}")


def token_words(tokens: TokenUsage) -> str:
    """Tokens by class; what the provider did not say is a dash."""
    cached = f" ({tokens.cache_read:,} cached)" if tokens.cache_read else ""
    thought = f" ({tokens.reasoning:,} reasoning)" if tokens.reasoning else ""
    return f"in {_count(tokens.input)}{cached} · out {_count(tokens.output)}{thought}"


def cost_words(result: RunResult) -> str:
    """The cost, or that the call is unpriced: never $0 for unknown."""
    if result.cost_nusd is None:
        return "unpriced" if result.unpriced else "—"
    return money.show(result.cost_nusd)


def tokens_per_second(result: RunResult) -> float | None:
    """Output tokens for each second after the first token, None when unknown."""
    if not result.tokens.output or result.first_token_us is None or result.latency_us <= result.first_token_us:
        return None
    return result.tokens.output * 1e6 / (result.latency_us - result.first_token_us)


def seconds(microseconds: float) -> str:
    """A duration in few characters: ``45 ms``, ``1.2 s``, ``2 m 05 s``."""
    if microseconds < 1e6:
        return f"{microseconds / 1000:.0f} ms"
    if microseconds < 60e6:
        return f"{microseconds / 1e6:.1f} s"
    minutes, rest = divmod(int(microseconds / 1e6), 60)
    return f"{minutes} m {rest:02} s"


def _count(number: int | None) -> str:
    return "—" if number is None else f"{number:,}"


def _dotted(words: list[str]) -> list[str]:
    return [part for word in words for part in (" · ", word)]
