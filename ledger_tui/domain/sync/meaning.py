"""Whether a registry fact from elsewhere says something that can be: its fields have their types, its ids fit its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import InvalidOperation
from typing import Any

from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.domain.names import check_label, check_prompt_name
from ledger_tui.domain.sync.records import Record
from ledger_tui.errors import LedgerError

_FIELDS: Mapping[str, type] = {"description": str, "tags": list, "team": str, "archived": bool, "mode": str}
_MODES = ("full", "tracking")
_OPTIONAL = {"undoes": str}
_NEEDED: Mapping[str, type] = {"field": str, "value": str, "base": list, "at_us": int, "action": str, "actor": str}
_TEXTS = ("device", "reason")


def fact_fault(record: Record) -> str | None:
    """Why a registry record of a known kind cannot be a fact of a ledger, as a short phrase; None when it can."""
    content = record.content()
    if record.kind == "purge":
        return _purge_fault(content)
    for name, kind in _NEEDED.items():
        if not isinstance(content.get(name), kind) or isinstance(content.get(name), bool):
            return f"its {name} is malformed"
    texts = [content.get(name, "") for name in (*_TEXTS, *_OPTIONAL)] + content["base"]
    if not all(isinstance(text, str) for text in texts):
        return "a field of it is malformed"
    try:
        value = json.loads(content["value"])
        # What no database takes (broken characters, numbers beyond all sense) can stand in a text of JSON.
        canonical_json(value)
        return _meaning_fault(record.kind, content, value)
    except (LedgerError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return "what it says makes no sense"


def _meaning_fault(kind: str, content: Mapping[str, Any], value: Any) -> str | None:
    if kind in ("price", "budget"):
        _check_entry(kind, value)
        return None
    if kind == "pricing":
        return None if isinstance(value, dict) else "its value is malformed"
    name = content.get("prompt")
    if not isinstance(name, str):
        return "it names no prompt"
    check_prompt_name(name)
    if kind == "version":
        return _version_fault(name, content)
    if kind == "label":
        check_label(content["field"])
        return None if value is None or isinstance(value, str) else "its value is malformed"
    if kind == "inputs":
        return None if value is None or isinstance(value, dict) else "its value is malformed"
    return _field_fault(content["field"], value)


def _purge_fault(content: Mapping[str, Any]) -> str | None:
    rids, steps = content.get("rids"), content.get("steps", [])
    fits = isinstance(content.get("stream"), str) and _are_texts(rids) and _are_texts(content.get("runs", []))
    fits = fits and isinstance(steps, list)
    fits = fits and all(_are_texts(step) and len(step) == 2 for step in steps)
    return None if fits else "it does not say what goes"


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def _field_fault(field: str, value: Any) -> str | None:
    wanted = _FIELDS.get(field)
    if wanted is None:
        return None
    fits = isinstance(value, wanted) and (field != "mode" or value in _MODES)
    if field == "tags" and fits:
        fits = all(isinstance(tag, str) for tag in value)
    return None if fits else "its value is malformed"


def _version_fault(name: str, content: Mapping[str, Any]) -> str | None:
    version = content.get("version")
    if not isinstance(version, dict) or not isinstance(version.get("content"), str):
        return "it has no content"
    texts = [version.get(field) for field in ("author", "message", "git_commit", "git_path")]
    created, dirty = version.get("created_us"), version.get("git_dirty")
    if not all(text is None or isinstance(text, str) for text in texts):
        return "a field of its version is malformed"
    if not isinstance(created, int) or isinstance(created, bool) or not isinstance(dirty, bool | None):
        return "a field of its version is malformed"
    found = PromptContent.from_json(version["content"])
    if found.canonical != version["content"]:
        return "its content is not canonical"
    if content["field"] != ids.version_id(ids.prompt_id(name), found.sha256):
        return "its id does not fit its content"
    return None


def _check_entry(kind: str, value: Any) -> None:
    """Raises for a value that the fold of prices or budgets could not read."""
    if value is None:
        return
    if kind == "price":
        from ledger_tui.domain import price_entries

        price_entries.from_value(value)
        if "until_us" not in value or not isinstance(value["source"], str):
            raise KeyError("source")
    else:
        from ledger_tui.domain import budgets

        spec = budgets.from_value(value)
        if spec.period not in budgets.PERIODS or not 1 <= spec.warn_percent <= 100:
            raise ValueError("period")
