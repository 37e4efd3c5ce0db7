"""Programs that record and are killed at random: ``python -m tests.sdk.chaos_spool --seconds 60``.

Each program notes the id of a span in a file of its own after the call has returned. In the end every noted id must be
in the database exactly once, nothing may be there twice, and the kept sums must be what a recount gives.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.sdk.spooling import assert_sums_are_a_recount, ledger_in, program, stored

RECORD = """
import random
notes = os.open(sys.argv[2], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
rate, seed = float(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
text = "words " * 160
def record(count):
    begun, n = time.monotonic(), 0
    while count is None or n < count:
        n += 1
        model = rng.choice((None, None, "gpt-4", "house-made"))
        known = dict(prompt_tokens=rng.randrange(5000), completion_tokens=rng.randrange(900)) if model else {}
        span_id = ledger.log_external_span(
            f"trace {seed % 7} {n // 50}", name="step", kind="llm" if model else "tool", input_data=text, model=model,
            status="error" if n % 11 == 0 else "ok", duration_ms=rng.random() * 100, attributes={"n": n, "seed": seed}, **known)
        os.write(notes, f"{span_id}\\n".encode())
        late = begun + n / rate - time.monotonic()
        if late > 0:
            time.sleep(late)
print("begun", flush=True)
if rng.random() < 0.2:
    record(int(rate * 0.2))
    if os.fork() == 0:
        rng.seed(seed + 1)
        record(int(rate * 0.5))
        os._exit(0)
record(None)
"""


@dataclass(frozen=True)
class Outcome:
    """What a campaign saw."""

    killed: int
    noted: int
    stored: int
    torn: int
    errors: tuple[str, ...]


def campaign(folder: Path, *, seconds: float, processes: int = 4, rate: float = 1000.0, seed: int = 0) -> Outcome:
    """Let ``processes`` programs record ``rate`` spans a second each and kill one after another; then check all."""
    rng = random.Random(seed)
    ledger_in(folder).prepare()
    reader = ledger_in(folder)
    running: list[subprocess.Popen[str]] = []
    errors: list[str] = []
    killed = 0

    def begin() -> None:
        number = killed + len(running)
        running.append(program(RECORD, folder, str(folder / f"notes-{number}"), str(rate), str(rng.randrange(2**31))))

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        while len(running) < processes:
            begin()
        time.sleep(rng.random() * min(1.0, seconds / 6))
        reader.traces.page()
        victim = running.pop(rng.randrange(len(running)))
        victim.send_signal(signal.SIGKILL)
        killed += 1
        errors += _errors(victim)
    for victim in running:
        victim.send_signal(signal.SIGKILL)
        killed += 1
        errors += _errors(victim)
    outcome = _outcome(folder, killed, errors)
    reader.close()
    return outcome


def _errors(ended: subprocess.Popen[str]) -> list[str]:
    # A forked child may hold the pipe a little longer than its parent lives.
    try:
        _, err = ended.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        return ["a program's child did not end"]
    return [err] if err.strip() else []


def _outcome(folder: Path, killed: int, errors: list[str]) -> Outcome:
    last = ledger_in(folder)
    assert last.flush(120.0)
    noted = [line for path in sorted(folder.glob("notes-*")) for line in path.read_text().split("\n")[:-1]]
    there = stored(last)
    assert len(set(there)) == len(there), "a span is there twice"
    missing = set(noted) - set(there)
    assert not missing, f"{len(missing)} of {len(noted)} spans are lost"
    assert_sums_are_a_recount(last)
    state = last.spool_state()
    assert state["put_aside"] == 0
    last.close()
    assert not list((folder / "data" / "spool").iterdir()), "files are left"
    return Outcome(killed, len(noted), len(there), state["torn"], tuple(errors))


def main() -> int:
    """The long form, with its length on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"seed {given.seed}")
        print(
            campaign(Path(folder), seconds=given.seconds, processes=given.processes, rate=given.rate, seed=given.seed)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
