"""Rates, renders and calls from elsewhere, written into their tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledger_tui.domain.sync import numbers
from ledger_tui.store import day_sums, sync_links
from ledger_tui.store.sync_coming import Coming, present, residue
from ledger_tui.store.sync_standing import Taken

if TYPE_CHECKING:
    from ledger_tui.store.lean import Lean


def take_cards(lean: Lean, rows: Sequence[Coming], taken: Taken) -> None:
    """Write rates."""
    made = [(one.row.record.rid, numbers.card_of(one.content), one.row.seq) for one in rows]
    if made:
        lean.insert_rows("rate_cards", ("sha256", "body", "commit_seq"), made)
    taken.new += len(made)


def take_usages(lean: Lean, rows: Sequence[Coming], taken: Taken) -> None:
    """Write renders; a prompt or version that is not here is kept beside the row."""
    contents = [one.content for one in rows]
    prompts = present(lean, "prompts", {c["prompt_id"] for c in contents if "prompt_id" in c})
    versions = present(lean, "prompt_versions", {c["version_id"] for c in contents if "version_id" in c})
    made, open_links = [], False
    for one, content in zip(rows, contents, strict=True):
        links = {
            "prompt_id": _if_in(content.get("prompt_id"), prompts),
            "version_id": _if_in(content.get("version_id"), versions),
        }
        open_links |= any(content.get(name) != value for name, value in links.items())
        made.append(
            (one.row.record.rid, links["prompt_id"], links["version_id"], "[]", "{}", "[]", content.get("environment", ""),
             "{}", content.get("source", ""), content["created_us"], one.row.seq, residue("usage", one, **links))
        )  # fmt: skip
    if made:
        lean.insert_rows("usages", _USAGE, made)
        day_sums.add_uses(lean, [row[0] for row in made])
    if open_links:
        sync_links.note_open(lean)
    taken.new += len(made)


_USAGE = (
    "id", "prompt_id", "version_id", "included", "parameters", "rendered", "environment", "metadata", "source",
    "created_us", "commit_seq", "extra",
)  # fmt: skip


def _if_in(value: str | None, present: Collection[str]) -> str | None:
    return value if value in present else None


def take_executions(lean: Lean, rows: Sequence[Coming], taken: Taken) -> None:
    """Write ended calls; what they name and is not here is kept beside the row."""
    contents = [one.content for one in rows]
    known = {
        name: present(lean, table, {content[name] for content in contents if name in content})
        for name, table in (("prompt_id", "prompts"), ("version_id", "prompt_versions"), ("usage_id", "usages"))
    }
    made, open_links = [], False
    for one, content in zip(rows, contents, strict=True):
        links = {name: _if_in(content.get(name), found) for name, found in known.items()}
        open_links |= any(content.get(name) != value for name, value in links.items())
        usual = {name: content.get(name, nothing) for name, nothing in _ALWAYS.items()}
        values = {**{name: content.get(name) for name in _EXECUTION}, **usual, **links}
        extra = residue("execution", one, **links, attempts=usual["attempts"])
        fixed = (one.row.record.rid, "{}", "[]", "{}", one.row.seq, extra)
        made.append((*fixed, *(values[name] for name in _EXECUTION)))
    if open_links:
        sync_links.note_open(lean)
    columns = ("id", "params", "messages", "response_metadata", "commit_seq", "extra", *_EXECUTION)
    here = present(lean, "executions", {row[0] for row in made})
    fresh = [row for row in made if row[0] not in here]
    if fresh:
        lean.insert_rows("executions", columns, fresh)
    # One that is here gave way (``_gives_way``): its numbers are the server's, its texts stay.
    changes = ", ".join(f"{name} = :{name}" for name in ("commit_seq", "extra", *_EXECUTION))
    changed = [dict(zip(columns, row, strict=True)) for row in made if row[0] in here]
    lean.executemany(f"UPDATE executions SET {changes} WHERE id = :id", changed)
    taken.new += len(made)


_ALWAYS: Mapping[str, Any] = {"mode": "", "attempts": 0, "environment": ""}
_EXECUTION = tuple(name for name in numbers.ORDER["execution"] if name != "rv")
