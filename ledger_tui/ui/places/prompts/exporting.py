"""What Prompts can write into files: all prompts, the versions of one, and its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain import clock, money
from ledger_tui.ui.export_subject import ExportSubject

if TYPE_CHECKING:
    from ledger_tui.domain.values import PromptRow, VersionRow
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.export import Rows

_PROMPTS = (
    "name", "description", "tags", "team", "archived", "mode", "versions", "active", "labels", "model", "updated_at",
)  # fmt: skip
_VERSIONS = (
    "name", "version", "version_id", "sha256", "labels", "author", "message", "created_at", "based_on", "runs", "errors",
    "cost_usd", "cost_nusd", "unpriced",
)  # fmt: skip
_CONTENT = ("model", "params", "messages")
_FACTS = ("at", "actor", "kind", "field", "value", "reason")


def prompt_subjects(name: str | None, list_first: bool) -> list[ExportSubject]:
    """The subjects; ``name`` is the prompt that is open, ``list_first`` whether the list has the focus."""
    every = ExportSubject("Prompts", "All prompts of this ledger, with their labels.", "prompts", _prompts)
    versions = ExportSubject(
        "All versions", "Every version of every prompt.", "versions", _versions(None), has_texts=True
    )
    if name is None:
        return [every, versions]
    of_one = ExportSubject("Versions", f"The versions of {name}.", f"{name}-versions", _versions(name), has_texts=True)
    history = ExportSubject("History", f"What was done to {name}, fact by fact.", f"{name}-history", _history(name))
    return [every, of_one, history, versions] if list_first else [of_one, history, every, versions]


def _rows(columns: Sequence[str], rows: list[list[Any]]) -> Rows:
    from ledger_tui.services.export import table_rows

    return table_rows(columns, rows)


def _moment(value_us: int) -> str:
    return clock.from_us(value_us).isoformat()


def _prompts(ledger: PromptLedger, _: bool) -> Rows:
    return _rows(_PROMPTS, [_prompt(row) for row in ledger.registry.prompts(archived=True)])


def _prompt(row: PromptRow) -> list[Any]:
    facts = [row.name, row.description, list(row.tags), row.team, row.archived, row.mode, row.version_count]
    return [*facts, row.active_number, dict(row.labels), row.model, _moment(row.updated_us)]


def _versions(name: str | None) -> Callable[[PromptLedger, bool], Rows]:
    def read(ledger: PromptLedger, texts: bool) -> Rows:
        names = [name] if name is not None else [row.name for row in ledger.registry.prompts(archived=True)]
        found: list[list[Any]] = []
        for one in names:
            for row in ledger.registry.versions(one):
                found.append([*_version(one, row), *(_content(ledger, row.id) if texts else ())])
        return _rows((*_VERSIONS, *(_CONTENT if texts else ())), found)

    return read


def _version(name: str, row: VersionRow) -> list[Any]:
    cost = row.cost_nusd
    usd = None if cost is None else money.to_usd(cost)
    facts = [name, row.number, row.id, row.sha256, list(row.labels), row.author, row.message, _moment(row.created_us)]
    return [*facts, row.base_number, row.run_count, row.error_count, usd, cost, row.unpriced_count]


def _content(ledger: PromptLedger, version_id: str) -> list[Any]:
    content = ledger.registry.content(version_id)
    messages = [{"role": message.role, "text": message.text} for message in content.messages]
    return [content.model, dict(content.params), messages]


def _history(name: str) -> Callable[[PromptLedger, bool], Rows]:
    def read(ledger: PromptLedger, _: bool) -> Rows:
        facts = ledger.registry.history(name, limit=100_000)
        return _rows(_FACTS, [[_moment(f.at_us), f.actor, f.kind, f.field, f.value, f.reason] for f in facts])

    return read
