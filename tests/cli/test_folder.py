"""``export`` and ``import`` from the command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Call


def test_prompts_go_out_and_come_in(call: Call, welcome: str, tmp_path: Path) -> None:
    """Both say what they did, as words and as JSON; a second time nothing is done."""
    out = str(tmp_path / "out")
    first = call("export", out, "--json").json
    assert first["exported"] == [{"name": welcome, "path": f"{welcome}.prompty", "written": True}]
    assert call("export", out).text == f"= {welcome}.prompty\n"
    assert call("import", out).text.split() == ["unchanged", welcome, "v2"]
    (tmp_path / "out" / "new.md").write_text("new")
    dry = call("import", out, "--dry-run", "--json").json
    assert dry["dry_run"] and dry["imported"][1] == {"name": "new", "path": "new.md", "action": "new", "version": None}
    assert "new" not in call("prompts", "list").text
    assert call("import", out, "--json").json["imported"][1]["version"] == 1
    assert call("prompts", "show", "new").out == b"new"


def test_a_pattern_chooses(call: Call, welcome: str, tmp_path: Path) -> None:
    """Only prompts whose names fit are written."""
    assert call("export", str(tmp_path / "out"), "--prompt", "other/*", "--json").json["exported"] == []


def test_what_cannot_be_taken_is_said(call: Call, tmp_path: Path) -> None:
    """A folder that is not there and a file that cannot be read end with 1 and say which."""
    assert call("import", str(tmp_path / "nowhere")).code == 1
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.md").write_bytes(b"\xff\x00")
    answer = call("import", str(tmp_path / "in"))
    assert answer.code == 1 and "bad.md" in answer.err and not answer.out
