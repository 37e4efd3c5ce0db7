"""Exports: whole or not at all, exact, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.exporting import Encoder, cell, format_of
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import FilterError, InputError, LedgerError
from ledger_tui.paths import Paths
from ledger_tui.services import export
from ledger_tui.services.export import SUBJECTS, Rows, encoded, table_rows, write
from ledger_tui.store import export as reads


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, paths: Paths) -> Iterator[PromptLedger]:
    """A ledger with two runs of a prompt and traces of other programs."""
    target = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with PromptLedger(target, paths=paths) as made:
        made.prepare()
        made.create_prompt("hello", "hi {{ name }}")
        for name in ("=1+1", "ann"):
            made.execute("hello", {"name": name}, model="offline")
        made.traces.record(list(spans()))
        yield made


def spans() -> Iterator[SpanRecord]:
    """Three traces, one of them larger than a small piece; every third call without a price."""
    now_us = clock.now_us()
    for trace, count in (("a", 3), ("big", 23), ("c", 1)):
        for number in range(count):
            priced = number % 3 != 1
            yield SpanRecord(
                trace, f"{trace}-{number}", "step", "llm", "succeeded", now_us - 10**9 + number, 7,
                model="m", provider="p", cost_nusd=1_234_567_891 if priced else None, unpriced=not priced,
                tokens=TokenUsage(input=5, output=2), input="@SUM(A1)", output="a,\"b\"\nc", attributes={"n": number},
            )  # fmt: skip


def read(path: Path) -> list[dict[str, Any]]:
    """What an export holds, by its ending."""
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        return list(csv.DictReader(text.splitlines(keepends=True)))
    found: list[dict[str, Any]] = (
        json.loads(text) if path.suffix == ".json" else list(map(json.loads, text.splitlines()))
    )
    return found


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_format_says_the_same(ledger: PromptLedger, tmp_path: Path, subject: Any) -> None:
    """CSV, JSON and JSON Lines of the same rows are equal, cell by cell."""
    texts = subject in export.HAVE_TEXTS
    found = {}
    for ending in ("csv", "json", "jsonl"):
        target = tmp_path / f"out.{ending}"
        done = write(ledger.exports.rows(subject, texts=texts), target, format_of(target.name) or "csv")
        assert done is not None and done.size == target.stat().st_size
        found[ending] = read(target)
        assert len(found[ending]) == done.rows > 0
    assert found["json"] == found["jsonl"]
    assert found["csv"] == [{key: cell(value) for key, value in row.items()} for row in found["json"]]


def test_sums_of_an_export_are_the_ledgers(ledger: PromptLedger) -> None:
    """Money of spans, traces and days is the same to the nano-dollar, and its USD text is exact."""
    totals = []
    for subject in ("spans", "traces", "costs"):
        rows = [json.loads(text) for text in b"".join(encoded(ledger.exports.rows(subject), "jsonl")).splitlines()]
        priced = [row for row in rows if row["cost_nusd"] is not None]
        assert all(Decimal(row["cost_usd"]) * 10**9 == row["cost_nusd"] for row in priced)
        totals.append(sum(row["cost_nusd"] for row in priced))
        assert any(row["cost_usd"] is None for row in rows if row.get("unpriced") is True) or subject != "spans"
    with ledger.database.lean() as lean:
        assert totals == [int(lean.fetch("SELECT SUM(cost_nusd) FROM spans")[0][0])] * 3


@pytest.mark.parametrize("piece", [1, 2, 5, 100])
def test_pieces_of_any_size_hold_every_row_once(
    ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """However little is read at once, each row comes once and none is left out."""
    monkeypatch.setattr(reads, "PIECE", piece)
    monkeypatch.setattr(reads, "PIECE_OF_TEXTS", piece)
    for subject in SUBJECTS:
        for texts in (False, True):
            rows = ledger.exports.rows(subject, texts=texts)
            found = [tuple(map(repr, row)) for part in rows.pieces for row in part]
            assert len(found) == len(set(found)) == rows.total


def test_a_filter_chooses(ledger: PromptLedger) -> None:
    """Traces and spans take the grammar of the workstation; calls, renders and costs what they know of it."""

    def count(subject: Any, text: str) -> int:
        rows = ledger.exports.rows(subject, text)
        found = sum(len(piece) for piece in rows.pieces)
        assert found == rows.total
        return found

    assert count("traces", "trace:big") == 1 and count("spans", "trace:big") == 23
    assert count("spans", "SUM") == 27 and count("executions", "prompt:hello") == 2
    assert count("executions", "-prompt:hello") == 0 and count("usages", "prompt:h* since:1h") == 2
    assert count("costs", "model:m day:today") == 1 and count("costs", "until:2000-01-01") == 0
    for subject, text in (("usages", "model:m"), ("costs", "status:failed"), ("executions", "word")):
        with pytest.raises(FilterError):
            count(subject, text)
    with pytest.raises(InputError):
        ledger.exports.rows("prices")  # type: ignore[arg-type]


def test_no_cell_is_a_formula() -> None:
    """Texts that begin like one get an apostrophe; numbers and money stay what they are."""
    risky = ["=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    assert [cell(text) for text in risky] == ["'" + text for text in risky]
    assert [cell(value) for value in (-5, -0.5, Decimal("1E-9"), None, True, "", {"a": "=1"})] == [
        "-5", "-0.5", "0.000000001", "", "true", "", '{"a": "=1"}'
    ]  # fmt: skip
    columns = Encoder("csv", ("=1+1",)).head()
    assert columns == b"'=1+1\n"


def test_json_holds_no_nan_and_only_ascii() -> None:
    """What is no number becomes null, at any depth; other scripts and broken text are escaped."""
    rows = [[float("nan"), {"deep": [float("inf"), 1.5]}, "ü\ud800", Decimal("0.1")]]
    for kind in ("json", "jsonl"):
        data = b"".join(encoded(table_rows("abcd", rows), kind))
        assert data.isascii() and b"NaN" not in data and b"Infinity" not in data
    assert json.loads(data) == {"a": None, "b": {"deep": [None, 1.5]}, "c": "ü\ud800", "d": "0.1"}
    assert json.loads(b"".join(encoded(table_rows("a", []), "json"))) == []


def test_what_stands_there_stays(tmp_path: Path) -> None:
    """A file is exchanged only when that was allowed; a link, a folder and a place that cannot be used are refused."""
    rows = table_rows("a", [[1]])
    target = tmp_path / "out.csv"
    before = os.umask(0)
    try:
        write(rows, target, "csv")
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    target.write_text("mine")
    with pytest.raises(InputError):
        write(rows, target, "csv")
    assert target.read_text() == "mine"
    write(rows, target, "csv", replace=True)
    assert target.read_text() == "a\n1\n"
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    (tmp_path / "folder").mkdir()
    for place in (link, tmp_path / "folder", tmp_path / "no" / "x.csv", tmp_path / "a\0b", tmp_path / ("x" * 300)):
        for replace in (False, True):
            with pytest.raises(InputError) as refused:
                write(rows, place, "csv", replace=replace)
            assert refused.value.remedy
    assert target.read_text() == "a\n1\n" and len(list(tmp_path.iterdir())) == 4  # out, link, folder, home


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    """Somebody else's file of the same name, made while ours was written, is not exchanged."""
    target = tmp_path / "out.csv"

    def pieces() -> Iterator[list[list[int]]]:
        yield [[1]]
        target.write_text("theirs")
        yield [[2]]

    with pytest.raises(InputError):
        write(Rows(("a",), pieces()), target, "csv")
    assert target.read_text() == "theirs" and not list(tmp_path.glob(".*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    """A read-only folder is an error in words."""
    tmp_path.chmod(0o500)
    with pytest.raises(InputError):
        write(table_rows("a", [[1]]), tmp_path / "x.csv", "csv")


def test_cancelled_or_failed_leaves_nothing(tmp_path: Path) -> None:
    """An export that is stopped, or whose rows cannot be read further, leaves no file and no part of one."""
    before = set(tmp_path.iterdir())
    answers = iter([False, False, True])
    pieces = [[[number]] for number in range(5)]
    assert write(Rows(("a",), pieces), tmp_path / "x.json", "json", cancelled=answers.__next__) is None

    def broken() -> Iterator[list[list[int]]]:
        yield [[1]]
        raise InputError("gone")

    with pytest.raises(InputError, match="gone"):
        write(Rows(("a",), broken()), tmp_path / "x.json", "json")
    assert set(tmp_path.iterdir()) == before


_FULL_DISK = """
import resource, sys
from pathlib import Path
from ledger_tui.errors import LedgerError
from ledger_tui.services.export import Rows, write
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
pieces = ([["x" * 100]] * 10 for _ in range(100))
try:
    write(Rows(("a",), pieces), Path(sys.argv[1]), "csv")
except LedgerError as error:
    print(error.title)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="POSIX limits")
def test_no_room_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """When the disk is full in mid-export, that is said and no partial file stays."""
    folder = tmp_path / "out"
    folder.mkdir()
    asked = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(folder / "x.csv")], capture_output=True, text=True, check=True
    )
    assert asked.stdout == "There is no room left for this file\n" and not list(folder.iterdir())


def test_progress_counts_rows(tmp_path: Path) -> None:
    """Progress is told after every piece with the rows so far."""
    told: list[tuple[int, int | None]] = []
    pieces = [[[1]] * 3, [[1]] * 2]
    write(
        Rows(("a",), pieces, 5), tmp_path / "x.csv", "csv", on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(3, 5), (5, 5)]
    with pytest.raises(LedgerError):
        Encoder("xml", ("a",))  # type: ignore[arg-type]
