"""One call of a wrapped client as a span. Only a budget stops a call, before it is sent: what recording fails at is counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from ledger_tui.errors import BudgetExceeded
from ledger_tui.sdk.context import current
from ledger_tui.sdk.wrapping.answers import Answer, as_json, raw_json
from ledger_tui.sdk.wrapping.requests import SeenCall, is_call, seen_call
from ledger_tui.sdk.wrapping.streams import watch_stream

if TYPE_CHECKING:
    from ledger_tui.domain.rate_card import Priced
    from ledger_tui.sdk.tracing import Span, Tracer


class Gate(Protocol):
    """Lets calls pass, or raises BudgetExceeded; waits for nothing while there is money left."""

    def admit(self, environment: str) -> None: ...

    def poke(self) -> None: ...


class Watch:
    """What is decided once for a client."""

    def __init__(self, family: str, tracer: Tracer, gate: Gate | None = None) -> None:
        self.family = family
        self.tracer = tracer
        self.gate = gate

    def admit(self, path: str) -> None:
        """Raise BudgetExceeded when a budget does not allow this call; nothing else is raised."""
        if self.gate is None or not is_call(path):
            return
        try:
            ledger = self.tracer.ledger
            here = current(ledger)
            self.gate.admit(here.environment if here is not None and here.environment else ledger.environment)
        except BudgetExceeded:
            raise
        except Exception as error:
            self.tracer.door.lose(error)

    def begin(self, client: Any, path: str, options: dict[str, Any]) -> WatchedCall | None:
        """The call that is about to be sent, None when it is none to a model."""
        try:
            seen = seen_call(path, options)
            if seen is None:
                return None
            provider, own_address = whom(self.family, str(getattr(client, "base_url", "")))
            span = self.tracer.span(seen.model or self.family, "llm", input=seen.messages)
            attributes = {"params": seen.params, "tools": seen.tools, "source": self.family}
            span.set(**{name: value for name, value in attributes.items() if value})
            span.facts.update(provider=provider, model=seen.model or None)
            after = None if self.gate is None else self.gate.poke
            return WatchedCall(self.tracer, span.begin(), seen, provider, own_address, after)
        except Exception as error:
            self.tracer.door.lose(error)
            return None


class WatchedCall:
    """From sending to the last word."""

    def __init__(
        self,
        tracer: Tracer,
        span: Span,
        seen: SeenCall,
        provider: str,
        own_address: str | None,
        after: Callable[[], None] | None = None,
    ) -> None:
        """after: called when the call is recorded."""
        self._tracer, self._span, self._seen, self._after = tracer, span, seen, after
        self._provider, self._own_address = provider, own_address
        self._first_ms: float | None = None
        self._answer = Answer(seen.wire)
        self._deaf = False

    def failed(self, error: BaseException) -> None:
        """The call raised instead of answering."""
        self.over(error)

    def answered(self, answer: Any) -> Any:
        """``answer`` itself; a stream is listened to, anything else is read."""
        try:
            if self._seen.streams and watch_stream(answer, self):
                return answer
            data = as_json(answer) or raw_json(answer)
            if data is None:
                self._span.set(note="the answer was not read through the client")
                self._write(None)
            else:
                self._answer.whole(data)
                self._write(None)
        except Exception as error:
            self._tracer.door.lose(error)
        return answer

    def chunk(self, item: Any) -> None:
        """A piece of a stream."""
        if self._deaf or self._span.ended:
            return
        try:
            spoke = self._answer.spoke
            self._answer.take(item)
            if self._answer.spoke and not spoke:
                self._first_ms = self._span.age_us() / 1000
        except Exception as error:
            from ledger_tui.errors import ProviderError

            self._deaf = True
            if isinstance(error, ProviderError):
                self._answer.failure = error
            else:
                self._tracer.door.lose(error)

    def over(self, error: BaseException | None = None, *, given_up: bool = False) -> None:
        """The stream ended, failed, or was closed before its end."""
        if self._span.ended:
            return
        try:
            if error is None and not self._deaf:
                self._answer.end()
                if given_up and self._answer.failure is not None:
                    self._answer.failure = None
                    self._span.canceled()
            self._write(error)
        except Exception as problem:
            self._tracer.door.lose(problem)

    def _write(self, error: BaseException | None) -> None:
        span, answer = self._span, self._answer
        duration_us = span.age_us()
        finished = answer.finished
        failure: BaseException | None = error or answer.failure
        if failure is not None:
            self._fail(failure)
        span.output = answer.output
        told = {
            "finish_reason": finished.finish_reason,
            "served_model": finished.served_model,
            "response_id": finished.metadata.get("response_id"),
            "first_token_ms": self._first_ms,
            "receipt": None if (priced := self._price()) is None else priced.receipt,
        }
        span.set(**{name: value for name, value in told.items() if value is not None})
        span.facts.update(
            model=span.facts["model"] or finished.served_model,
            tokens=answer.tokens,
            cost_nusd=None if priced is None else priced.nusd,
            first_token_us=None if self._first_ms is None else round(self._first_ms * 1000),
        )
        span.end(duration_us)
        if self._after is not None:
            self._after()

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            self._span.stopped_by(error)
            return
        from ledger_tui.errors import ProviderError
        from ledger_tui.providers.failures import to_provider_error

        known = error if isinstance(error, ProviderError) else to_provider_error(error, self._provider)
        self._span.fail(f"{known.title}: {known.cause}" if known.cause else known.title, known.error_type)

    def _price(self) -> Priced | None:
        """The price by the public book for an address of its own; other prices are found when the span is stored."""
        finished = self._answer.finished
        if self._own_address is None or finished.usage.total is None:
            return None
        from ledger_tui.pricing.book import price_call

        names = dict.fromkeys(name for name in (finished.served_model, self._seen.model) if name)
        at_us, address = self._span.started_us, self._own_address
        prices = (price_call(self._provider, name, finished.usage, at_us, base_url=address) for name in names)
        return next((price for price in prices if price is not None), None)


@lru_cache(maxsize=256)
def whom(family: str, base_url: str) -> tuple[str, str | None]:
    """The provider that a client asks, and the address when the price book has to be asked for it.

    An address of a known provider is that provider; one on this machine is ``local`` and has no price; any other is
    named by its host, so that nobody takes it for the library's own provider and its prices.
    """
    from ledger_tui.providers.address import is_localhost
    from ledger_tui.providers.catalog import PRESETS

    host = _host(base_url)
    found = next((preset.name for preset in PRESETS if preset.base_url and _host(preset.base_url) == host), None)
    name = host.rpartition("@")[2]
    bare = name.rpartition(":")[0] or name
    if found or not host:
        return found or family, None
    if is_localhost(bare) or bare.startswith("127.") or bare == "[::1]":
        return "local", None
    return name[:128], base_url


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()
