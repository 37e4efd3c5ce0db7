"""What linking a call to its version notes in the attributes of a span: ``variables``, and ``linked`` with how it was told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_COMPACT = {"ensure_ascii": False, "separators": (",", ":")}


def noted(attributes: str, values: Mapping[str, Any], how: Mapping[str, Any]) -> str:
    """Attributes (JSON text, or none) with the recovered ``values`` as ``variables`` and ``how`` under ``linked``.

    Variables that the program recorded itself stay; then the recovered ones stand under ``linked`` too.
    """
    own = json.loads(attributes) if attributes else {}
    told = dict(how)
    if values:
        where = own if "variables" not in own else told
        where["variables"] = dict(values)
        told["recovered"] = sorted(values)
    return json.dumps({**own, "linked": told}, **_COMPACT)  # type: ignore[arg-type]


def carried(first: str, later: str) -> str:
    """The attributes of a span that has those of its first record, and a linked record that ends it with ``later``.

    Attributes of the later record's own replace the first's, as without a link; where it has none, the notes join them.
    """
    notes = json.loads(later)
    told = notes.get("linked")
    if not isinstance(told, dict) or "variables" in told or ("variables" in notes) != ("recovered" in told):
        return later
    if not notes.keys() <= {"linked", "variables"}:
        return later
    values = notes.get("variables", {})
    return noted(first, values, {name: value for name, value in told.items() if name != "recovered"})
