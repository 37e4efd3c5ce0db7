"""A program of the chaos: works on a ledger like a person and a recording program at once, syncs it, and notes what returned.

Notes are lines in a file of its own outside of the ledger, appended after the call returned: a killed program wrote no more than
that it knew to be kept.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger_tui import PromptLedger
from ledger_tui.domain import clock
from ledger_tui.domain.content import PromptContent
from ledger_tui.errors import LedgerError, SyncError
from ledger_tui.paths import Paths
from ledger_tui.services.sync import SyncService
from ledger_tui.sync.dsn import Target
from ledger_tui.sync.engine import Engine
from ledger_tui.sync.postgres import PostgresRemote

DAY_US = 86_400_000_000
NAMES = ("a", "team/b", "team/c")


@dataclass(frozen=True)
class Job:
    """What a program is to do. ``days``: how far its clock is off. ``chance``: of dying at a failpoint each time one is passed."""

    folder: Path
    notes: Path
    address: str
    workspace: str
    seed: int
    seconds: float
    days: int = 0
    chance: float = 0.01
    runs: bool = False


class ChaoticSync(SyncService):
    """The service, with an engine that may die at its failpoints, and often without its lock."""

    def __init__(
        self, *args: Any, rng: random.Random, chance: float, note: Callable[[str], None], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._rng, self._dies, self._say = rng, chance, note

    def _engine(self, remote: Any, on_progress: Any) -> Engine:
        engine = super()._engine(remote, on_progress)
        engine.at = self._maybe_die
        return engine

    def _maybe_die(self, point: str) -> None:
        if self._rng.random() < self._dies:
            self._say(f"dies {point}")
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # What the lock saves is work: two syncs of one file at once must be as correct.
        with nullcontext() if self._rng.random() < 0.5 else super()._alone():
            yield


class Program:
    """One of them."""

    def __init__(self, job: Job) -> None:
        clock._moved_us = job.days * DAY_US
        self.job, self.rng = job, random.Random(job.seed)
        self.file = os.open(job.notes, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self.ledger = PromptLedger(
            paths=Paths(data=job.folder / "data", config=job.folder / "config"), environment="test"
        )
        self.ledger.prepare()
        self.seen = 0
        self.open: list[tuple[str, str]] = []
        self.remote = PostgresRemote(Target(job.address), job.workspace, vouched=True)
        self.sync = ChaoticSync(
            self.ledger.database, self.ledger.paths, device=self.ledger.device, before_read=self.ledger._settle,
            rng=self.rng, chance=job.chance, note=self.note,
        )  # fmt: skip

    def note(self, line: str) -> None:
        """Keep a line, whatever happens next."""
        os.write(self.file, f"{line}\n".encode())

    def live(self) -> None:
        """Work until the time is over."""
        until = time.monotonic() + self.job.seconds
        deeds = [self.decide, self.record, self.record, self.exchange, self.price]
        if self.job.runs:
            deeds.append(self.run)
        while time.monotonic() < until:
            with suppress(LedgerError):
                self.rng.choice(deeds)()
            time.sleep(self.rng.random() * 0.02)
        self.ledger.close()

    def decide(self) -> None:
        """Something a person does to a prompt."""
        registry, name = self.ledger.registry, self.rng.choice(NAMES)
        text = PromptContent.of_text(f"text {self.rng.randrange(6)} {{{{ name }}}}")
        label = self.rng.choice(["production", "staging"])
        deeds: list[Callable[[], object]] = [
            lambda: registry.save(name, text), lambda: registry.save(name, text, labels=[label]),
            lambda: registry.set_label(name, label, self.rng.randint(1, 3)), lambda: registry.remove_label(name, label),
            registry.undo, lambda: registry.set_field(name, "description", f"words {self.rng.randrange(9)}"),
            lambda: registry.keep_inputs(name, "usual", {"n": self.rng.randrange(9)}),
            lambda: self.ledger.budgets.set(str(self.rng.randint(1, 9)), "day", prompt=name),
        ]  # fmt: skip
        self.rng.choice(deeds)()
        self._note_facts()

    def _note_facts(self) -> None:
        # Whatever can be read was committed.
        with self.ledger.database.lean() as lean:
            for seq, rid in lean.fetch(
                "SELECT seq, rid FROM journal WHERE seq > :seen ORDER BY seq", {"seen": self.seen}
            ):
                self.seen = int(seq)
                self.note(f"fact {rid}")

    def record(self) -> None:
        """Some steps, as a program records them."""
        trace = f"trace {self.rng.randrange(20)} {self.job.seed}"
        if self.open and self.rng.random() < 0.5:
            self._step(*self.open.pop(), status="ok")
            return
        for _ in range(self.rng.randint(1, 20)):
            self._step(trace, None, status="ok" if self.rng.random() < 0.9 else "running")

    def _step(self, trace: str, span: str | None, *, status: str) -> None:
        model = self.rng.choice((None, "gpt-4", "house/made"))
        counts = (
            {"prompt_tokens": self.rng.randrange(900), "completion_tokens": self.rng.randrange(90)} if model else {}
        )
        made = self.ledger.log_external_span(
            trace, span_id=span, name="step", kind="llm" if model else "tool", model=model, input_data="canary text",
            attributes={"canary": self.job.seed}, user_identifier="canary person", status=status,
            duration_ms=None if status == "running" else self.rng.random() * 100, **({} if status == "running" else counts),
        )  # fmt: skip
        self.note(f"span {trace}\t{made}")
        if status == "running":
            self.open.append((trace, made))

    def price(self) -> None:
        """A price of one's own for a model that had none, and what lacked one."""
        self.ledger.prices.add("house", "made", {"input": str(self.rng.randint(1, 9)), "output": "10"}, from_us=1)
        self.ledger.prices.price_unpriced()
        self._note_facts()

    def run(self) -> None:
        """A run with the model that is always there."""
        done = self.ledger.execute(self.rng.choice(NAMES), {"name": "canary"}, model="offline")
        self.note(f"run {done.execution_id}")

    def exchange(self) -> None:
        """One sync, and often only the first part of one."""
        try:
            receipt = self.sync.sync_once(self.remote)
        except SyncError as error:
            self.note(f"failed {type(error).__name__} {error.cause}")
        else:
            self.note(f"synced {receipt.resyncs}")


def work(job: Job) -> int:
    """The program, from its beginning; what it exits with."""
    program: Program | None = None
    try:
        program = Program(job)
        program.live()
    except BaseException:
        broken = traceback.format_exc().replace("\n", " | ")
        with job.notes.open("a") as notes:
            notes.write(f"broke {broken}\n")
        return 1
    return 0


class Nursery:
    """Starts programs by forking one that has loaded everything, so that another one costs milliseconds."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.sync.chaos_worker"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ask("ready")

    def begin(self, job: Job) -> int:
        """A new program; its process id."""
        return int(self._ask("begin", job))

    def kill(self, pid: int) -> int:
        """End a program; what it exited with, as ``os.waitstatus_to_exitcode`` says it."""
        return int(self._ask("kill", pid))

    def ended(self, pid: int) -> int | None:
        """What a program exited with; None while it runs. A program that ended is asked about once."""
        found: int | None = self._ask("ended", pid)
        return found

    def close(self) -> None:
        """Start no more; programs that still run were killed before."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, what: str, about: Any = None) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump((what, about), self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def _warm_up() -> None:
    """Load what programs load when they first do something: once, here."""
    from ledger_tui.sync.memory import MemoryServer

    with tempfile.TemporaryDirectory() as folder:
        program = Program(
            Job(Path(folder), Path(folder) / "notes", "postgresql://nobody@127.0.0.1/x", "", 0, 0, chance=0)
        )
        program.ledger.registry.save("a", PromptContent.of_text("text"), labels=["production"])
        program.ledger.registry.undo()
        program.record()
        program.price()
        program.ledger.budgets.set("1", "day", prompt="a")
        program.ledger.flush()
        program.sync.sync_once(MemoryServer().remote("a", "maintainer"))
        with suppress(SyncError):
            program.exchange()
        os.close(program.file)
        program.ledger.close()


def _nurse() -> None:
    """The other end of a ``Nursery``."""
    _warm_up()
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            what, about = pickle.load(asked)
        except EOFError:
            return
        answer: Any = None
        if what == "begin":
            answer = os.fork()
            if answer == 0:
                asked.close()
                os._exit(work(about))
        elif what in ("kill", "ended"):
            if what == "kill":
                os.kill(about, signal.SIGKILL)
            done, status = os.waitpid(about, os.WNOHANG if what == "ended" else 0)
            answer = os.waitstatus_to_exitcode(status) if done else None
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    _nurse()
