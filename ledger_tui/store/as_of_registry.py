"""The registry's folds as they stood at a moment: the facts up to then, replayed in a scratch database.

Only prompts with later facts are replayed; the folds of all others are the same then and now. Facts without a prompt
(prices, budgets) are few and are always replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Table, create_engine, insert, select
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, SQLModel

import ledger_tui.domain.tables  # noqa: F401 - declares the tables
from ledger_tui.store import folds, sqlite
from ledger_tui.store.session_lean import lean_of

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean

BY_PROMPT = ("version_numbers", "labels", "prompt_states", "input_sets")
"""Folds with a row or more a prompt."""
WHOLE = ("price_entries", "budgets")
"""Folds of facts without a prompt."""
_CHUNK = 400


class Replayed(NamedTuple):
    """What differs from now."""

    prompts: tuple[str, ...]
    """Ids of the prompts with facts after the moment."""
    rows: Mapping[str, list[dict[str, Any]]]
    """Rows of each fold: those of ``prompts`` for the folds by prompt, all for the whole ones."""


def replay(lean: Lean, at_us: int) -> Replayed:
    """The folds of the facts up to ``at_us`` (microseconds since 1970), read from the real tables of ``lean``."""
    later = lean.fetch(
        "SELECT DISTINCT prompt_id FROM journal WHERE at_us > :at_us AND prompt_id IS NOT NULL ORDER BY 1",
        {"at_us": at_us},
    )
    prompts = tuple(row[0] for row in later)
    facts = _facts(lean, at_us, "prompt_id IS NULL", {})
    kept: dict[str, list[dict[str, Any]]] = {"prompts": [], "prompt_versions": []}
    for start in range(0, len(prompts), _CHUNK):
        chunk = {f"p{n}": prompt_id for n, prompt_id in enumerate(prompts[start : start + _CHUNK])}
        names = f"({', '.join(':' + name for name in chunk)})"
        facts += _facts(lean, at_us, f"prompt_id IN {names}", chunk)
        kept["prompts"] += _rows(lean, "prompts", f"id IN {names}", chunk)
        kept["prompt_versions"] += _rows(lean, "prompt_versions", f"prompt_id IN {names}", chunk)
    facts.sort(key=lambda fact: int(fact["seq"]))
    return Replayed(prompts, _folded({**kept, "journal": facts}))


def table(name: str) -> Table:
    """The declared table of this name."""
    return SQLModel.metadata.tables[name]


def columns(name: str) -> list[str]:
    """The column names of a table as the database knows them."""
    return [column.name for column in table(name).columns]


def insert_rows(lean: Lean, name: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if rows:
        names = list(rows[0])
        lean.executemany(f"INSERT INTO {name} ({', '.join(names)}) VALUES ({', '.join(':' + n for n in names)})", rows)


def _facts(lean: Lean, at_us: int, condition: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _rows(lean, "journal", f"at_us <= :at_us AND {condition}", {"at_us": at_us, **parameters})


def _rows(lean: Lean, name: str, condition: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = columns(name)
    found = lean.fetch(f"SELECT {', '.join(names)} FROM {name} WHERE {condition}", parameters)
    return [dict(zip(names, row, strict=True)) for row in found]


def _folded(given: Mapping[str, Iterable[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    engine = create_engine("sqlite://", module=sqlite.library(), poolclass=StaticPool)
    try:
        SQLModel.metadata.create_all(engine, [table(name) for name in (*given, *BY_PROMPT, *WHOLE, "open_registers")])
        with Session(engine, expire_on_commit=False) as session, session.begin():
            for name, rows in given.items():
                if listed := list(rows):
                    session.connection().execute(insert(table(name)), listed)
            folds.rebuild(lean_of(session))
        with engine.connect() as connection:
            return {
                name: [dict(row) for row in connection.execute(select(table(name))).mappings()]
                for name in (*BY_PROMPT, *WHOLE)
            }
    finally:
        engine.dispose()
