"""Telling one trace of the demo: steps with a running clock, model calls with tokens, prices and rendered prompts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ledger_tui.domain.calls import ChatMessage
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.pricing.book import price_call

Render = Callable[[PromptContent, Mapping[str, Any]], Sequence[ChatMessage]]


@dataclass(frozen=True)
class KnownVersion:
    """A saved version, as the stories find it."""

    prompt_id: str
    version_id: str
    created_us: int
    content: PromptContent


class Failed(Exception):
    """A step that ends its trace early."""


@dataclass
class World:
    """What all stories share: the prompts by name (oldest version first), the renderer and the dice."""

    versions: Mapping[str, Sequence[KnownVersion]]
    render: Render
    rng: random.Random
    rendered: dict[str, str] = field(default_factory=dict)

    def version(self, name: str, at_us: int) -> KnownVersion:
        """The newest version of a prompt at a moment."""
        known = self.versions[name]
        return next((version for version in reversed(known) if version.created_us <= at_us), known[0])

    def messages(self, version: KnownVersion, variables: Mapping[str, Any]) -> str:
        """The rendered messages as the runs store them (JSON)."""
        key = version.version_id + json.dumps(variables, sort_keys=True, default=str)
        if key not in self.rendered:
            messages = self.render(version.content, variables)
            shown = [{"role": message.role, "text": message.text} for message in messages]
            self.rendered[key] = json.dumps(shown, ensure_ascii=False)
        return self.rendered[key]


class Story:
    """One trace in the making. Steps are appended in time; ``spans`` is what is to be recorded."""

    def __init__(self, world: World, trace_id: str, start_us: int, **where: Any) -> None:
        self.world = world
        self.rng = world.rng
        self.trace_id = trace_id
        self.now_us = start_us
        self.where = where
        self.spans: list[SpanRecord] = []
        self._open: list[str] = []
        self._count = 0

    @contextmanager
    def inside(self, name: str, kind: str, *, output: Any = None, **facts: Any) -> Iterator[None]:
        """A step that holds others; it fails with them when they raise Failed."""
        place, span_id, start_us = len(self.spans), self._new_id(), self.now_us
        parent = self._open[-1] if self._open else None
        self._open.append(span_id)
        status, error, error_type = "succeeded", None, None
        self._pass(1, 4)
        try:
            yield
        except Failed as failure:
            status, error, error_type = "failed", str(failure), "child_failed"
            raise
        finally:
            self._open.pop()
            self._pass(1, 6)
            record = self._record(
                span_id, parent, name, kind, start_us, status, output=output if error is None else None, **facts
            )
            self.spans.insert(place, _with(record, error=error, error_type=error_type))

    def step(
        self, name: str, kind: str, ms: tuple[float, float], *, error_type: str = "", error: str = "", **facts: Any
    ) -> None:
        """A step of its own, lasting between two numbers of milliseconds; with ``error_type`` it failed."""
        start_us = self.now_us
        self._pass(*ms)
        status = "failed" if error_type else "succeeded"
        parent = self._open[-1] if self._open else None
        record = self._record(self._new_id(), parent, name, kind, start_us, status, **facts)
        self.spans.append(_with(record, error=error or None, error_type=error_type or None))

    def fail(self, name: str, kind: str, ms: tuple[float, float], error_type: str, error: str, **facts: Any) -> None:
        """A failed step that ends everything around it."""
        self.step(name, kind, ms, error_type=error_type, error=error, **facts)
        raise Failed(f"{name}: {error}")

    def call(
        self,
        prompt: str,
        variables: Mapping[str, Any],
        output: str,
        *,
        name: str = "",
        model: str = "",
        kind: str = "llm",
        context: tuple[int, int] = (200, 900),
        cached: float = 0.0,
        status: str = "succeeded",
        error_type: str = "",
        error: str = "",
    ) -> None:
        """A model call with a saved prompt. ``context``: tokens around the prompt; ``cached``: their cached share."""
        version = self.world.version(prompt, self.now_us)
        provider, _, model_name = (model or version.content.model or "offline").partition("/")
        sent = self.world.messages(version, variables)
        tokens = TokenUsage()
        if not error_type:
            tokens = self._tokens(sent, output, context, cached)
        start_us = self.now_us
        made = tokens.output or 0
        self._pass(500 + made * 11, 1_300 + made * 19) if not error_type else self._pass(200, 900)
        priced = price_call(provider, model_name or provider, tokens, start_us)
        attributes: dict[str, Any] = {"variables": dict(variables), "params": dict(version.content.params)}
        first_token_ms = None if error_type else self.rng.randint(180, 900)
        if first_token_ms is not None:
            attributes |= {"finish_reason": "stop", "first_token_ms": first_token_ms}
        if priced is not None:
            attributes["receipt"] = priced.receipt
        record = self._record(
            self._new_id(),
            self._open[-1] if self._open else None,
            name or prompt,
            kind,
            start_us,
            "failed" if error_type and status == "succeeded" else status,
            input=sent,
            output=output if not error_type else None,
            attributes=attributes,
        )
        self.spans.append(
            _with(
                record,
                provider=provider,
                model=model_name or provider,
                prompt_id=version.prompt_id,
                version_id=version.version_id,
                tokens=tokens,
                cost_nusd=None if priced is None else priced.nusd,
                unpriced=priced is None and not error_type,
                error_type=error_type or None,
                error=error or None,
                first_token_us=None if first_token_ms is None else first_token_ms * 1_000,
            )
        )

    def together(self, *branches: Callable[[], None]) -> None:
        """Steps that run side by side: all start now, and time goes on with the last of them."""
        start_us, latest_us = self.now_us, self.now_us
        for branch in branches:
            self.now_us = start_us + self.rng.randint(200, 3_000)
            branch()
            latest_us = max(latest_us, self.now_us)
        self.now_us = latest_us

    def _tokens(self, sent: str, output: str, context: tuple[int, int], cached: float) -> TokenUsage:
        around = self.rng.randint(*context)
        given = len(sent) // 4 + around
        read = int(around * cached) // 128 * 128
        return TokenUsage(
            input=given, cache_read=read, cache_write=0, output=max(4, len(output) * 10 // 36), reasoning=0
        )

    def _record(
        self,
        span_id: str,
        parent: str | None,
        name: str,
        kind: str,
        start_us: int,
        status: str,
        *,
        input: Any = None,
        output: Any = None,
        attributes: Mapping[str, Any] | None = None,
        agent: str | None = None,
    ) -> SpanRecord:
        return SpanRecord(
            trace_id=self.trace_id,
            span_id=span_id,
            parent_span_id=parent,
            name=name,
            kind=kind,
            status=status,
            started_us=start_us,
            duration_us=self.now_us - start_us,
            input=_text(input),
            output=_text(output),
            attributes=dict(attributes or {}),
            agent_id=agent,
            **self.where,
        )

    def _new_id(self) -> str:
        self._count += 1
        return f"{self.rng.getrandbits(48):012x}{self._count:04x}"

    def _pass(self, low_ms: float, high_ms: float) -> None:
        self.now_us += int(self.rng.uniform(low_ms, high_ms) * 1_000)


def _with(record: SpanRecord, **changes: Any) -> SpanRecord:
    from dataclasses import replace

    return replace(record, **changes)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
