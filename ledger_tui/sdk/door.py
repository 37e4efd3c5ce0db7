"""The one way in which spans of code go out: redacted first, then one append to the program's spool.

Nothing here raises: what cannot be recorded is counted, and said once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ledger_tui.errors import LedgerError
from ledger_tui.services.redaction import Redactor, Withheld

if TYPE_CHECKING:
    from ledger_tui.domain.values import SpanRecord
    from ledger_tui.sdk.recorder import Recorder


class Door:
    """``record`` keeps a span: when it returns, the span outlives the process. ``lost`` counts what could not be kept."""

    def __init__(self, recorder: Callable[[], Recorder], redactor: Redactor) -> None:
        self._recorder = recorder
        self.redactor = redactor
        self.lost = 0
        self._warned = False

    def record(self, span: SpanRecord) -> None:
        """Append a span whose fields are redacted. A running one is ended by a later one of the same ids."""
        try:
            self._recorder().record(span)
        except Exception as error:
            self.lose(error)

    def record_plain(
        self,
        numbers: tuple[int, ...],
        fixed: tuple[str, ...],
        free: tuple[Any, ...],
        attributes: dict[str, Any],
        flags: int,
    ) -> bool:
        """Append a span as it is, and say so, when nothing in it has to be redacted or put in another form."""
        recorder = self._recorder()
        body = recorder.plain(numbers, fixed, free, attributes, flags)
        if body is None:
            return False
        recorder.append(body)
        return True

    def cleaned(
        self, kind: str, fields: dict[str, Any], attributes: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fields and attributes as they may be written; what is withheld stands in the attributes with its reason."""
        withheld: dict[str, str] = {}
        kept = {field: self.clean(kind, field, value, withheld) for field, value in fields.items()}
        noted = self.clean_attributes(kind, attributes, withheld) if attributes else {}
        if withheld:
            noted["withheld"] = withheld
        return kept, noted

    def clean(self, kind: str, field: str, value: Any, withheld: dict[str, str]) -> Any:
        """Plain JSON as it may be written; None when it is withheld, and then the reason is put into ``withheld``."""
        if value is None:
            return None
        try:
            return self.redactor.value(kind, field, value)
        except Withheld as reason:
            withheld[field] = str(reason)
        except Exception as error:
            withheld[field] = f"redaction failed: {type(error).__name__}"
        return None

    def clean_attributes(self, kind: str, attributes: dict[str, Any], withheld: dict[str, str]) -> dict[str, Any]:
        """``clean`` for attributes: names and values that have secret names too, and each on its own for hooks."""
        cleaned = self.redactor.plain(attributes)
        if not self.redactor.asks_others:
            return cleaned
        return {name: self.clean(kind, f"attributes.{name}", value, withheld) for name, value in cleaned.items()}

    def foreign(
        self, kind: str, fields: dict[str, Any], attributes: Mapping[str, Any] | None
    ) -> tuple[list[Any], Mapping[str, Any] | None]:
        """Fields and attributes that a program hands over as they are, redacted.

        What is no JSON stays as it is, for whoever records it to refuse.
        """
        withheld: dict[str, str] = {}
        cleaned = [self._foreign(kind, field, value, withheld) for field, value in fields.items()]
        if attributes and isinstance(attributes, Mapping):
            noted = self._foreign(kind, "attributes", dict(attributes), withheld)
            attributes = noted if isinstance(noted, dict) else {}
        return cleaned, ({**(attributes or {}), "withheld": withheld} if withheld else attributes)

    def _foreign(self, kind: str, field: str, value: Any, withheld: dict[str, str]) -> Any:
        if value is None:
            return None
        try:
            return self.redactor.value(kind, field, value)
        except Withheld as reason:
            withheld[field] = str(reason)
            return None
        except (TypeError, ValueError, RecursionError):
            return value

    def lose(self, error: BaseException) -> None:
        """Count a span that could not be kept, and warn the first time."""
        self.lost += 1
        if not self._warned:
            self._warned = True
            why = str(error) if isinstance(error, LedgerError) else type(error).__name__
            import logging

            logging.getLogger("ledger_tui").warning("a span could not be recorded (%s); more are only counted", why)

    def close(self) -> None:
        """End the redactor's helpers."""
        self.redactor.close()
