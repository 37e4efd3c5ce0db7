"""Bodies of registry records made from rows of the typed tables, and read back: the same to the byte.

A row keeps what its columns can say; whatever a body says beyond or besides that (fields of a newer release, the author of a
version that somebody else had written already) is kept in the row's ``extra`` column by ``residue`` and put back by ``whole``.
Rows are mappings of column names; None is never written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync.records import MAX_PARENTS

RV = 1
Row = Mapping[str, Any]

_JOURNAL = ("field", "value", "action", "undoes", "actor", "device", "at_us", "reason")
_VERSION = ("content", "author", "message", "git_commit", "git_path", "git_dirty", "created_us")


def journal_content(row: Row, prompt: str | None, version: Row | None = None) -> dict[str, Any]:
    """The content of a registry fact.

    row: a row of `journal`. prompt: the name of its prompt, None for a fact about none. version: the row of
    `prompt_versions` that a fact of kind ``version`` made. Texts of JSON in the row stay texts, so that they keep their bytes.
    """
    content = {"rv": RV, **_given(row, _JOURNAL), "base": json.loads(row["base"])}
    if prompt is not None:
        content["prompt"] = prompt
    if version is not None:
        content["version"] = _given(version, _VERSION)
        lineage = version_lineage(row["value"])
        base = version.get("base_version_id")
        content["parents"] = list(lineage.parents) if lineage else [] if base is None else [base]
    return content


class WrittenOn(NamedTuple):
    """What the value of a version's fact says."""

    base: str | None
    """The version whose text was edited."""
    parents: tuple[str, ...]
    """The versions that it stands on, without itself: ``base`` and the heads there were."""


def version_value(version_id: str, base: str | None, heads: Iterable[str]) -> dict[str, Any]:
    """The value of the fact of a version that was edited from ``base`` while ``heads`` were the newest."""
    parents = [parent for parent in dict.fromkeys([base, *heads]) if parent not in (None, version_id)]
    return {"base": base, "parents": parents[:MAX_PARENTS]}


def version_lineage(value: str) -> WrittenOn | None:
    """What the JSON text of a version fact's value says of its parents; None for one of before ledgers could be shared."""
    parents = _object(value).get("parents")
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        return None
    return WrittenOn(edited_from(value), tuple(parents))


def edited_from(value: str) -> str | None:
    """The version whose text was edited, as the JSON text of a version fact's value says."""
    base = _object(value).get("base")
    return base if isinstance(base, str) else None


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def journal_row(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The columns of a fact's row, and of its version's row, as ``content`` says them (without ids, hash and ``extra``).

    A value of another type than its column's is left out, so that a fact of a newer release has a row too.
    """
    row: dict[str, Any] = {name: content[name] if isinstance(content.get(name), str) else "" for name in _JOURNAL}
    at_us = content.get("at_us")
    row["at_us"] = at_us if isinstance(at_us, int) and not isinstance(at_us, bool) else 0
    row["undoes"] = row["undoes"] or None
    row["value"] = row["value"] or "null"
    base = content.get("base")
    row["base"] = canonical_json(base if isinstance(base, list) else [])
    found = content.get("version")
    if not isinstance(found, dict):
        return row, None
    version = {name: found.get(name) for name in _VERSION}
    version["author"], version["message"] = version["author"] or "", version["message"] or ""
    lineage = version_lineage(row["value"])
    if lineage is not None:
        return row, {**version, "base_version_id": lineage.base}
    parents = content.get("parents") or [None]
    return row, {**version, "base_version_id": parents[0] if isinstance(parents, list) else None}


def residue(content: Mapping[str, Any], made: Mapping[str, Any]) -> str | None:
    """What a row's columns do not say of ``content``, as JSON for its ``extra`` column; None when they say it all.

    made: the content that the row alone would give.
    """
    fields = {name: value for name, value in content.items() if name not in made or not _same(made[name], value)}
    absent = sorted(name for name in made if name not in content)
    if not fields and not absent:
        return None
    return canonical_json({"fields": fields, "absent": absent})


def whole(made: Mapping[str, Any], extra: str | None) -> str:
    """The canonical body of a row: the content that its columns give, with what ``extra`` kept."""
    if extra is None:
        return canonical_json(made)
    kept = json.loads(extra)
    content = {name: value for name, value in made.items() if name not in kept.get("absent", ())}
    return canonical_json({**content, **kept.get("fields", {})})


def _given(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names if row.get(name) is not None}


def _same(mine: Any, theirs: Any) -> bool:
    """Equal in bytes: True and 1 are not, nor are 0.0 and -0.0."""
    if type(mine) is not type(theirs):
        return False
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(_same(value, theirs[name]) for name, value in mine.items())
    if isinstance(mine, list):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    return repr(mine) == repr(theirs) if isinstance(mine, float) else bool(mine == theirs)
