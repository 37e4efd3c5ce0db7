"""``sync verify`` and what to do when it finds a difference, at a real server."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.conftest import Call


def test_a_difference_is_told_until_it_is_mended(pair: tuple[Call, Call], tmp_path: Path) -> None:
    """A record that is gone from one end is found by verify, which names the command that helps; until then no exchange says
    that both ends are equal, and after it all do."""
    ada, grace = pair
    assert ada("sync").code == grace("sync").code == 0
    with sqlite3.connect(tmp_path / "grace.db") as file:
        file.execute("DELETE FROM journal WHERE kind = 'label'")
    found = grace("sync", "verify")
    assert found.code == 3 and "sync --anew" in found.err
    assert "both ends hold the same" not in grace("sync").text, "no digits"
    assert grace("sync", "status", "--json").json["agreed"] is None
    assert grace("sync", "--anew", "--watch").code == 2, "they exclude each other"
    mended = grace("sync", "--anew")
    assert mended.code == 0 and "both ends hold the same" in mended.text
    assert grace("sync", "verify").code == 0
