"""The spool under trouble: kills, torn and poisoned records, full disks, locked databases, too many at once."""

from __future__ import annotations

import logging
import os
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import DatabaseFull
from ledger_tui.ledger import PromptLedger
from ledger_tui.services import spool_drain
from ledger_tui.services.spool_drain import Known
from ledger_tui.services.spooling import Spooler
from ledger_tui.settings import Settings
from ledger_tui.store import spool, spool_marks, spool_record
from ledger_tui.store.lean import Lean
from ledger_tui.store.spool import SpoolFile

from tests.sdk.chaos_spool import campaign
from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, program, ran, spool_files, stored, until
from tests.store.helpers import in_child, other_program

DIE = "\nos.kill(os.getpid(), 9)"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[PromptLedger]:
    """A prepared ledger."""
    made = ledger_in(tmp_path)
    made.prepare()
    yield made
    made.close()


def killed(code: str, folder: Path) -> None:
    """Run a program that kills itself in the end."""
    started = program(code + DIE, folder)
    _, err = started.communicate(timeout=60)
    assert started.returncode == -signal.SIGKILL, err


@contextmanager
def locked(ledger: PromptLedger) -> Iterator[None]:
    """Another program holds the write lock of the database."""
    assert ledger.database.path is not None
    with other_program(ledger.database.path) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def orphan(ledger: PromptLedger, data: bytes) -> str:
    """A spool file that a program has left, with these bytes."""
    spool.files.private_folder(ledger.paths.spool)
    made = spool.new_file(ledger.paths.spool)
    os.write(made.descriptor, data)
    made.close()
    return made.name


def bodies(folder: Path, count: int) -> list[bytes]:
    """The bodies of records as a program writes them."""
    source = ledger_in(folder / "source")
    for number in range(count):
        source.log_external_span("t", name=f"n{number}", span_id=f"s{number}")
    (file,) = source._recorder.spooler._writer.files
    data = file.read(0, file.end)
    source.close()
    frames, _ = spool.read_frames(data, whole=True)
    return [frame.body for frame in frames if frame.body is not None]


@given(st.lists(st.binary(max_size=200), max_size=8), st.data())
def test_a_cut_file_gives_its_whole_records(made: list[bytes], data: st.DataObject) -> None:
    """Wherever a file ends, exactly the records before that place are read, and a torn one is told."""
    frames = [spool.frame(body) for body in made]
    whole = b"".join(frames)
    end = data.draw(st.integers(0, len(whole)))
    read, torn = spool.read_frames(whole[:end], 10, whole=True)
    ends = [10 + sum(map(len, frames[: number + 1])) for number in range(len(frames))]
    expected = [body for body, stop in zip(made, ends, strict=True) if stop <= 10 + end]
    assert [frame.body for frame in read] == expected
    assert torn == (end not in {0, *(stop - 10 for stop in ends)})


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=8), st.data())
def test_a_damaged_byte_costs_one_record(made: list[bytes], data: st.DataObject) -> None:
    """A changed byte spoils the record that it is in and no other; the stretches cover the file without a gap."""
    frames = [spool.frame(body) for body in made]
    whole = bytearray(b"".join(frames))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    read, torn = spool.read_frames(bytes(whole), whole=True)
    hit = next(n for n in range(len(frames)) if place < sum(map(len, frames[: n + 1])))
    intact = [body for n, body in enumerate(made) if n != hit]
    found = [frame.body for frame in read if frame.body is not None]
    # The format byte and padding carry nothing that the checksum covers.
    assert found == intact or (place - sum(map(len, frames[:hit]))) == 3
    edges = [(frame.start, frame.stop) for frame in read]
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    assert torn or not edges or edges[-1][1] == len(whole)


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    """What was recorded before kill -9 is there once for the next reader, priced and summed."""
    killed(
        "for n in range(300): ledger.log_external_span('t', name='n', span_id=f's{n}', model='gpt-4', "
        "prompt_tokens=10, completion_tokens=5)",
        tmp_path,
    )
    ledger = ledger_in(tmp_path)
    assert ledger.get_trace("t")["span_count"] == 300
    assert sorted(stored(ledger)) == sorted(f"s{n}" for n in range(300))
    assert_sums_are_a_recount(ledger)
    assert spool_files(ledger) == []
    ledger.close()


def test_opening_the_workspace_is_enough(tmp_path: Path) -> None:
    """A program that only opens and reads the workspace brings in what a killed one left, without being asked."""
    killed("ledger.log_external_span('t', name='n')", tmp_path)
    reader = ledger_in(tmp_path)
    reader.prepare()
    until(lambda: len(reader.traces.page().rows) == 1)
    reader.close()


def test_a_living_program_is_left_alone(tmp_path: Path, ledger: PromptLedger) -> None:
    """Nobody drains or removes the file of a program that still runs."""
    with locked(ledger):
        started = program(
            "ledger.log_external_span('t', name='n'); print('kept', flush=True); sys.stdin.read()", tmp_path
        )
        assert started.stdout is not None
        assert started.stdout.readline() == "kept\n"
        assert spool.orphans(ledger.paths.spool) == []
        assert len(spool_files(ledger)) == 1
        ledger.prepare()
        assert not [thread for thread in threading.enumerate() if thread.name == "ledger-spool"]
    started.communicate(timeout=60)
    assert len(stored(ledger)) == 1


def test_a_torn_record_is_dropped_and_counted(tmp_path: Path, ledger: PromptLedger) -> None:
    """Half a record at the end of a dead program's file is no span; those before it are, and the file goes."""
    first, second = (spool.frame(one) for one in bodies(tmp_path, 2))
    orphan(ledger, first + second[:-3])
    assert ledger.flush()
    assert stored(ledger) == ["s0"]
    assert ledger.spool_state()["torn"] == 1
    assert spool_files(ledger) == []


class FailingPrices:
    """Prices of which one part raises."""

    def __init__(self, part: str) -> None:
        self.part = part

    def _reach(self, part: str) -> None:
        if part == self.part:
            raise ZeroDivisionError(part)

    def begin(self) -> None:
        """A look at the prices."""
        self._reach("begin")

    def __call__(self, provider: str | None, model: str, tokens: TokenUsage, at_us: int) -> Known:
        """Every call costs five nano-dollars by a card that is not stored yet."""
        self._reach("call")
        return provider, model, 5, -1

    def intern(self, lean: Lean) -> dict[int, int]:
        """Storing the cards."""
        self._reach("intern")
        return {}

    def keep(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("part", ["begin", "call", "intern"])
def test_a_price_that_cannot_be_told_costs_no_record(
    part: str, tmp_path: Path, ledger: PromptLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """Where looking up a price raises, calls are stored as unpriced, given costs stay, and the log says it once."""
    killed(
        "for n in range(3): ledger.log_external_span('t', name='n', span_id=f's{n}', model='gpt-4', "
        "prompt_tokens=10, completion_tokens=5, cost=0.5 if n == 2 else None)",
        tmp_path,
    )
    spooler = Spooler(ledger.database, ledger.paths, device="d", limit_bytes=2**24, prices=lambda: FailingPrices(part))
    assert spooler.flush()
    with ledger.database.lean() as lean:
        rows = lean.fetch("SELECT span_id, model, cost_nusd, unpriced, card_id FROM spans ORDER BY id")
    assert rows == [
        ("s0", "gpt-4", None, 1, None),
        ("s1", "gpt-4", None, 1, None),
        ("s2", "gpt-4", 500_000_000, 0, None),
    ]
    assert (spooler.state()["put_aside"], spool_files(ledger)) == (0, [])
    assert [one.getMessage() for one in caplog.records if one.name == "ledger_tui.spool"] == [
        "calls are stored without a price: ZeroDivisionError"
    ]
    spooler.close()
    assert_sums_are_a_recount(ledger)


def body(*texts: str, started: int = 1, count: int = 0, flags: int = 0, has: int = 0) -> bytes:
    """The body of a record with these first texts; the others are empty."""
    padded = [*texts, *[""] * (len(spool_record.TEXTS) - len(texts))]
    numbers = spool_record.NUMBERS.pack(started, *[-1] * 7, count, flags, has)
    return numbers + "\x00".join(padded).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        bytes(range(97, 127)),
        body("t", "s", "", "tool", "succeeded")[:-3],
        body("t", "s", "", "tool", "succeeded", count=3),
        body("t", "s", "", "tool", "succeeded", has=4),
        body("t", "s", "", "tool", "succeeded", has=8),
        body("t", "s", "", "tool", "succeeded") + b"\xff",
        body("t", "s", "", "tool", "done"),
        body("t", "", "", "tool", "succeeded"),
        body("t", "s", "", "tool", "succeeded", started=-5),
        body("t", "s", "", "tool", "succeeded", started=2**62),
        body("\ud800", "s", "", "tool", "succeeded"),
    ],
)
def test_a_poisoned_record_does_not_block(poison: bytes, tmp_path: Path, ledger: PromptLedger) -> None:
    """A record that cannot be read or stored lies beside the spool, counted; all others are in the database."""
    before, after = (spool.frame(one) for one in bodies(tmp_path, 2))
    name = orphan(ledger, before + spool.frame(poison) + after)
    assert ledger.flush()
    assert stored(ledger) == ["s0", "s1"]
    assert ledger.spool_state()["put_aside"] == 1
    bad = f"{name}-{len(before)}.bad"
    assert spool_files(ledger) == [bad]
    assert (ledger.paths.spool / bad).read_bytes() == spool.frame(poison)
    assert (ledger.paths.spool / bad).stat().st_mode & 0o777 == 0o600


def test_a_record_that_the_database_refuses_does_not_block(tmp_path: Path, ledger: PromptLedger) -> None:
    """When the database itself refuses one row of many, that one is put aside and the others are stored."""
    assert ledger.database.path is not None
    with other_program(ledger.database.path) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON spans WHEN NEW.span_id = 's7' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    orphan(ledger, b"".join(spool.frame(one) for one in bodies(tmp_path, 20)))
    assert ledger.flush()
    assert stored(ledger) == [f"s{number}" for number in range(20) if number != 7]
    assert ledger.spool_state()["put_aside"] == 1
    assert_sums_are_a_recount(ledger)


def test_rubbish_in_a_file_does_not_block(tmp_path: Path, ledger: PromptLedger) -> None:
    """Bytes that are no record between records are put aside."""
    before, after = (spool.frame(one) for one in bodies(tmp_path, 2))
    orphan(ledger, before + os.urandom(5000) + after + b"rubbish")
    assert ledger.flush()
    assert stored(ledger) == ["s0", "s1"]
    assert ledger.spool_state()["put_aside"] == 2


def test_strange_files_are_left_alone(ledger: PromptLedger, tmp_path: Path) -> None:
    """Links, folders and other programs' files in the spool's folder are neither followed nor removed."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"not ours")
    spool.files.private_folder(ledger.paths.spool)
    (ledger.paths.spool / "link.spool").symlink_to(secret)
    (ledger.paths.spool / "folder.spool").mkdir()
    (ledger.paths.spool / "notes.txt").write_text("mine")
    ledger.log_external_span("t", name="n")
    assert ledger.flush()
    assert len(stored(ledger)) == 1
    assert secret.read_bytes() == b"not ours"
    assert {"link.spool", "folder.spool", "notes.txt"} <= set(spool_files(ledger))


FULL = """
import resource
from ledger_tui.domain.values import TokenUsage
from ledger_tui.errors import DatabaseFull
ledger.prepare()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
kept, error = [], None
for n in range(100):
    try:
        kept.append(ledger.log_external_span('t', name='n', span_id=f's{n}', input_data='x' * 3000))
    except DatabaseFull as found:
        error = found
        break
print(error.title); print(len(kept)); print(ledger.spool_state()['refused'])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.append(ledger.log_external_span('t', name='n', span_id='afterwards'))
print(ledger.flush(), ledger.get_trace('t')['span_count'])
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="POSIX limits")
def test_a_full_disk_is_told_at_the_call(tmp_path: Path) -> None:
    """When the disk takes no more, the call says so and is counted; what returned before is kept, and it goes on later."""
    title, kept, refused, flushed = ran(FULL, tmp_path).splitlines()
    assert title == DatabaseFull.default_title
    assert (kept, refused) == ("6", "1")
    assert flushed == "True 7"


def test_a_locked_database_is_waited_for(tmp_path: Path, ledger: PromptLedger) -> None:
    """While another program holds the database, calls return at once; when it lets go, everything arrives."""
    with locked(ledger):
        for number in range(50):
            ledger.log_external_span("t", name="n", span_id=f"s{number}")
        assert not ledger.flush(0.2)
        state = ledger.spool_state()
        assert (state["written"], state["drained"]) == (50, 0)
        assert state["pending_bytes"] > 0
        assert stored(ledger) == []
    assert ledger.flush()
    assert len(stored(ledger)) == 50
    assert ledger.spool_state()["pending_bytes"] == 0


def test_a_program_may_end_while_the_database_is_locked(tmp_path: Path, ledger: PromptLedger) -> None:
    """Closing gives up in time, says what waits, and the next program brings it in."""
    with locked(ledger):
        out = ran(
            "ledger.log_external_span('t', name='n')\nspooler = ledger._recorder.spooler\n"
            "spooler.close()\nprint(spooler.state()['drained'])",
            tmp_path,
        )
        assert out == "0\n"
        assert stored(ledger) == []
    assert ledger.flush()
    assert len(stored(ledger)) == 1


def test_a_bounded_spool_waits_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At its bound a call waits until there is room: counted, logged, and without losing anything."""
    ledger = ledger_in(tmp_path, settings=Settings(spool_mb=1))
    ledger.prepare()
    count = 60
    text = "x" * 30_000

    def work() -> None:
        for number in range(count):
            ledger.log_external_span("t", name="n", span_id=f"s{number}", input_data=text)

    with caplog.at_level(logging.WARNING, "ledger_tui.spool"):
        with locked(ledger):
            thread = threading.Thread(target=work)
            thread.start()
            until(lambda: ledger.spool_state()["waits"])
            assert thread.is_alive()
            assert spool.total_bytes(ledger.paths.spool) <= 1024 * 1024
        thread.join(60)
    assert any("is full, recording waits" in record.message for record in caplog.records)
    assert ledger.flush()
    assert sorted(stored(ledger)) == sorted(f"s{number}" for number in range(count))
    ledger.close()
    assert spool_files(ledger) == []


def test_files_are_rotated_and_go(tmp_path: Path) -> None:
    """A long recording uses file after file, and each goes when it is in the database."""
    ledger = ledger_in(tmp_path, settings=Settings(spool_mb=1))
    ledger.prepare()
    with locked(ledger):
        for _ in range(20):
            ledger.log_external_span("t", name="n", input_data="x" * 30_000)
        assert len(spool_files(ledger)) > 1
    assert ledger.flush()
    assert len(spool_files(ledger)) == 1
    assert len(stored(ledger)) == 20
    ledger.close()


def test_two_drains_of_one_file_write_it_once(
    tmp_path: Path, ledger: PromptLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without their locks, two programs that drain the same file leave each span once."""
    monkeypatch.setattr(spool_drain, "BATCH_BYTES", 2000)
    data = b"".join(spool.frame(one) for one in bodies(tmp_path, 200))
    orphan(ledger, data)
    (file,) = spool.orphans(ledger.paths.spool)
    twin = SpoolFile(file.path, os.dup(file.descriptor), end=file.end, orphan=True)
    other = ledger_in(tmp_path)
    threads = []
    for one, source in ((ledger, file), (other, twin)):
        drain = one._recorder.spooler._drain

        def work(drain: object = drain, source: SpoolFile = source) -> None:
            while source.done < source.end:
                drain.move(source, source.end)  # type: ignore[attr-defined]

        threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(ledger)) == 200
    twin.close()
    file.close()
    other.close()


def test_an_older_copy_of_the_database_gets_what_it_lacks(tmp_path: Path, ledger: PromptLedger) -> None:
    """After a backup is put back, spans that are still in the spool are brought in again, and only those it lacks."""
    assert ledger.database.path is not None
    ledger.log_external_span("t", name="n", span_id="in the copy")
    assert ledger.flush()
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(ledger.database.path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    ledger.log_external_span("t", name="n", span_id="later")
    assert ledger.flush()
    ledger.database.close()
    for suffix in ("-wal", "-shm"):
        ledger.database.path.with_name(ledger.database.path.name + suffix).unlink(missing_ok=True)
    copy.replace(ledger.database.path)
    ledger.log_external_span("t", name="n", span_id="last")
    assert ledger.flush()
    assert stored(ledger) == ["in the copy", "later", "last"]


def test_marks_go_with_their_files(tmp_path: Path, ledger: PromptLedger) -> None:
    """No mark is left of files that are gone, also when a program was killed between removing and forgetting."""
    with ledger.database.lean_write() as lean:
        spool_marks.advance(lean, "gone", ledger.device(), 5, 0)
        spool_marks.advance(lean, "elsewhere", "another device", 5, 0)
    ledger.log_external_span("t", name="n")
    ledger.close()
    with ledger.database.lean() as lean:
        assert lean.fetch("SELECT file FROM spool_marks") == [("elsewhere",)]


def test_a_kill_anywhere_in_the_draining(tmp_path: Path) -> None:
    """A drain that is killed at any of its steps leaves each span once for the next one."""
    ledger = ledger_in(tmp_path)
    ledger.prepare()
    made = bodies(tmp_path, 60)
    for step in range(1, 14):
        place = spool_record.NUMBERS.size
        orphan(ledger, b"".join(spool.frame(one[:place] + b"%c" % (96 + step) + one[place + 1 :]) for one in made))

        def drain(step: int = step) -> None:
            import sqlite3 as library

            from ledger_tui.store import sqlite

            seen = 0

            class Dying(library.Connection):
                def execute(self, *arguments: object) -> object:  # type: ignore[override]
                    nonlocal seen
                    seen += 1
                    if seen == step * 4:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return super().execute(*arguments)  # type: ignore[arg-type]

            sqlite.library.cache_clear()
            sqlite.library = lambda: library  # type: ignore[assignment]
            real = library.connect
            library.connect = lambda *a, **k: real(*a, **{**k, "factory": Dying})  # type: ignore[assignment]
            ledger_in(tmp_path).flush()

        in_child(drain)
        assert ledger.flush()
        with ledger.database.lean() as lean:
            counted = lean.fetch("SELECT count(*), count(DISTINCT span_id) FROM spans GROUP BY trace_key")
        assert counted == [(60, 60)] * step
    assert_sums_are_a_recount(ledger)
    ledger.close()


@pytest.mark.long
def test_killed_at_random_under_load(tmp_path: Path) -> None:
    """Four programs that record and are killed one after another lose nothing, double nothing, and sums stay true."""
    outcome = campaign(tmp_path, seconds=4.0, rate=400.0, seed=7)
    assert outcome.errors == ()
    assert outcome.killed > 4
    assert outcome.noted > 300


def test_no_time_is_lost_between_record_and_row(ledger: PromptLedger) -> None:
    """The thread moves what is recorded while more comes, not only when it is asked to."""
    stop = time.monotonic() + 60
    while not stored(ledger) and time.monotonic() < stop:
        ledger.log_external_span("t", name="n")
    assert stored(ledger)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork()")
def test_a_fork_while_the_drain_loads_modules(tmp_path: Path) -> None:
    """A module that is loaded while fork() waits for the drain, and has fork hooks of its own, upsets neither process."""
    code = """
assert "logging" not in sys.modules
spooler = ledger._recorder.spooler
main, taken = threading.get_ident(), threading.Event()
def load():
    with spooler._turn:
        taken.set()
        while sys._current_frames()[main].f_code.co_name != "before_fork":
            time.sleep(0.001)
        import logging
threading.Thread(target=load).start()
taken.wait()
child = os.fork()
import logging
logging.getLogger("x").debug("the lock of the module is free")
ledger.log_external_span("t", name="child" if child == 0 else "parent")
ledger.close()
assert threading.Thread(target=logging.basicConfig).start() is None
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    with ledger_in(tmp_path) as reader:
        reader.prepare()
        started = program(code, tmp_path)
        _, err = started.communicate(timeout=60)
        assert started.returncode == 0, err
        # On a busy machine closing may leave a record to the next program, and say so; nothing else may be said.
        assert [line for line in err.splitlines() if "for the next program" not in line] == []
        assert reader.flush()
        assert len(stored(reader)) == 2
