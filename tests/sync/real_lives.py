"""Random lives of real ledgers that share everything there is: what happens to them, and what must hold when it is over.

``world.py`` does this with bare records; here the tables are the typed ones, with telemetry and texts, retention, rules that
change, prices that come late, copies of files, accounts that may do less, and a second sync in the middle of the first.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from ledger_tui import PromptLedger
from ledger_tui.domain import ids
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.sync.digest import digest_of
from ledger_tui.domain.sync.plan import REASONS
from ledger_tui.domain.sync.records import STREAMS, Record, Stream
from ledger_tui.domain.sync.sharing import Sharing
from ledger_tui.domain.values import SpanRecord, TokenUsage
from ledger_tui.errors import BudgetExceeded, Conflict, InputError, NotFound
from ledger_tui.paths import Paths
from ledger_tui.store import (
    backup,
    folds,
    late_prices,
    open_spans,
    recount,
    retention,
    sync_asides,
    sync_facts,
    sync_sharing,
    sync_telemetry,
    sync_texts,
    telemetry,
)
from ledger_tui.store.retention import Kinds
from ledger_tui.store.sync_log import LedgerLog
from ledger_tui.sync.door import Client, RemoteRefused
from ledger_tui.sync.engine import FAILPOINTS, Engine, Receipt
from ledger_tui.sync.memory import MemoryServer

from tests.sync.world import Bomb, Crash

NOW_US = 1_795_000_000_000_000
LATER_US = NOW_US * 2
PRIVATE = "private/"
OPEN = Sharing().with_rule(None, texts=True)
RULES = (
    Sharing(),
    OPEN,
    OPEN.with_rule(PRIVATE, numbers=False),
    OPEN.with_rule(PRIVATE, texts=False),
    Sharing().with_rule("team/", texts=True),
    Sharing().with_rule(None, numbers=False),
)
QUIET = (Sharing(), Sharing().with_rule("team/", texts=True))
SHOWN = {
    "labels": "prompt_id, label, version_id, rid",
    "input_sets": "prompt_id, name, variables, rid",
    "prompt_states": "prompt_id, name, description, tags, team, archived, latest_number, active_version_id, model",
    "version_numbers": "version_id, number",
    "price_entries": "rid, provider, model, prices",
    "budgets": "rid, scope, period, limit_nusd",
}
"""What is derived from the registry's facts."""
ADDED_UP = {
    "daily_costs": "*",
    "daily_uses": "*",
    "traces": "trace_id, status, started_us, ended_us, span_count, open_count, error_count, input_tokens, output_tokens, "
    "cost_nusd, priced_count, unpriced_count",
}
"""What is derived from telemetry; with texts everywhere, ``daily_parties`` too."""
OUTSIDE = tuple(point for point in FAILPOINTS if not point.startswith("apply."))
"""Failpoints at which no transaction is open."""


@cache
def template() -> Path:
    """A prepared database that belongs to nobody yet."""
    folder = Path(mkdtemp(prefix="ledger-template-"))
    with PromptLedger(paths=Paths(data=folder / "data", config=folder / "config")) as ledger:
        ledger.prepare()
    return folder / "data" / "ledger.db"


class Desk:
    """A ledger in a file, its account, and what a person does with it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number, self.steps = number, 0
        self.programs = [ids.new_id()]
        """Those that ran on this file, the running one last."""
        self.paths = Paths(data=folder / "data", config=folder / "config")
        self.paths.data.mkdir(parents=True)
        shutil.copy(template(), self.paths.database)
        self.open()

    def open(self) -> None:
        """Open the file."""
        self.door = PromptLedger(paths=self.paths)
        self.door.prepare()
        self.database = self.door.database

    def close(self) -> None:
        """Let go of the file."""
        self.door.close()

    def rows(self, sql: str) -> list[Any]:
        """What a statement reads."""
        with self.database.lean() as lean:
            return lean.fetch(sql)

    def share(self, rules: Sharing) -> None:
        """Other rules for what leaves."""
        with self.database.lean_write() as lean:
            sync_sharing.set_sharing(lean, rules)

    def sharing(self) -> Sharing:
        """The rules."""
        with self.database.lean() as lean:
            return sync_sharing.sharing(lean)

    def records(self) -> dict[str, tuple[Record, int | None]]:
        """Every finished record that is here, with where it stands."""
        found: dict[str, tuple[Record, int | None]] = {}
        with self.database.lean() as lean:
            facts = [row[0] for row in lean.fetch("SELECT rid FROM journal")]
            found.update((f.record.rid, (f.record, f.commit_seq)) for f in sync_facts.facts_of(lean, facts))
            for shelf in (*sync_telemetry.MY_SHELVES, *sync_texts.MY_SHELVES):
                for held in (*shelf.pending(lean, 100_000), *shelf.accepted(lean, None, 100_000)):
                    found[held.record.rid] = (held.record, held.commit_seq)
        return found

    def shown(self, tables: Mapping[str, str]) -> dict[str, list[Any]]:
        """What tables hold, in an order of its own."""
        return {
            table: sorted(self.rows(f"SELECT {columns} FROM {table}"), key=repr) for table, columns in tables.items()
        }

    # What happens

    def name(self, chance: random.Random) -> str:
        """A prompt."""
        return chance.choice(["a", "team/b", "private/c"])

    def deed(self, chance: random.Random) -> None:
        """Something that a person or a program does, as far as it can be done."""
        deeds: list[tuple[float, Callable[[random.Random], object]]] = [
            (0.3, self._decide), (0.36, self._record), (0.08, self._end), (0.1, self._give_up), (0.08, self._price),
            (0.08, self._run),
        ]  # fmt: skip
        with suppress(InputError, Conflict, NotFound, BudgetExceeded):
            chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0](chance)

    def _decide(self, chance: random.Random) -> None:
        registry, name = self.door.registry, self.name(chance)
        text = PromptContent.of_text(f"text {chance.randrange(4)} {{{{ name }}}}")
        label = chance.choice(["production", "staging"])
        chance.choice([
            lambda: registry.save(name, text), lambda: registry.save(name, text, labels=[label]),
            lambda: registry.set_label(name, label, 1), lambda: registry.remove_label(name, label), registry.undo,
            lambda: registry.set_field(name, "description", f"words {chance.randrange(9)}"),
            lambda: registry.keep_inputs(name, "usual", {"n": chance.randrange(9)}),
            lambda: self.door.budgets.set(str(chance.randint(1, 9)), "day", prompt=name),
            lambda: self.door.prices.add("openai", "gpt-x", {"input": str(chance.randint(1, 9)), "output": "10"}, from_us=1),
        ])()  # fmt: skip

    def _record(self, chance: random.Random) -> None:
        """A call with a price or without one, at few places, so that they meet others; or a step that runs."""
        what = chance.choice(["priced", "unpriced", "running"])
        trace = f"t{chance.randrange(4)}"
        self.steps += 1
        place = (trace, f"{self.programs[-1]}-{self.steps}" if what == "running" else f"s{chance.randrange(6)}")
        fields: dict[str, Any] = {}
        if what == "running":
            fields = {"status": "running", "duration_us": None}
        elif what == "unpriced":
            fields = {"unpriced": True}
        else:
            fields = {"cost_nusd": chance.randrange(100)}
        with self.database.lean_write() as lean:
            prompt, name = chance.choice([(None, "none"), *lean.fetch("SELECT id, name FROM prompts ORDER BY id")])
            span = SpanRecord(
                *place, "ask", "llm", fields.pop("status", "succeeded"), NOW_US + chance.randrange(10**9),
                fields.pop("duration_us", chance.randrange(10**6)), provider="openai", model="gpt-x",
                tokens=TokenUsage(input=chance.randrange(99), output=chance.randrange(99)), environment="prod",
                prompt_id=prompt, input=f"canary {self.number} {name} {chance.random()}",
                session_id=f"session {self.number}", user_identifier="ada", **fields,
            )  # fmt: skip
            telemetry.write_spans(lean, [telemetry.check_span(span)], "here:1:1" if what == "running" else None)

    def _end(self, chance: random.Random) -> None:
        """What runs ends, perhaps after it was given up."""
        with self.database.lean_write() as lean:
            found = lean.fetch(
                "SELECT id, span_id FROM spans "
                f"WHERE status = 'running' OR error_type = '{open_spans.INTERRUPTED}' ORDER BY id"
            )
            mine = [key for key, span_id in found if span_id.rpartition("-")[0] in self.programs]
            if mine:
                key = chance.choice(mine)
                stored = open_spans.stored(lean, key)
                assert stored is not None
                end = replace(
                    stored[0], status="succeeded", duration_us=chance.randrange(10**6), error_type=None,
                    tokens=TokenUsage(input=chance.randrange(99), output=7), unpriced=True, output="that",
                )  # fmt: skip
                telemetry.write_spans(lean, [telemetry.check_span(end)])

    def _give_up(self, chance: random.Random) -> None:
        """End a running step as interrupted, as the next program does for one that died."""
        with self.database.lean_write() as lean:
            running = open_spans.listed(lean)
            if running:
                self._interrupt(lean, chance.choice(running).key)

    def give_up_all(self) -> None:
        """End everything that runs."""
        with self.database.lean_write() as lean:
            for one in open_spans.listed(lean):
                self._interrupt(lean, one.key)

    def _interrupt(self, lean: Any, key: int) -> None:
        found = open_spans.stored(lean, key)
        assert found is not None
        telemetry.end_span(lean, key, open_spans.as_interrupted(*found))

    def _price(self, chance: random.Random) -> None:
        if chance.random() < 0.5:
            self.door.prices.price_unpriced()
            return
        with self.database.lean_write() as lean:
            for one in late_prices.unpriced(lean, None, None, 0, 1):
                price = {"nusd": chance.randrange(1, 50), "card": None}
                late_prices.take_in(lean, one.key, rid=ids.new_id(), at_us=NOW_US, **price)

    def _run(self, chance: random.Random) -> None:
        """A run with its render, as ``execute`` stores them."""
        usage, execution = ids.new_id(), ids.new_id()
        with self.database.lean_write() as lean:
            found = lean.fetch(
                "SELECT v.prompt_id, v.id, p.name FROM prompt_versions v JOIN prompts p ON p.id = v.prompt_id ORDER BY v.id"
            )
            prompt, version, name = chance.choice([(None, None, "none"), *found])
            telemetry.insert(lean, "usages", {
                "id": usage, "prompt_id": prompt, "version_id": version, "included": "[]", "rendered": "[]",
                "parameters": f'{{"name": "canary {self.number} {name} "}}', "environment": "prod", "metadata": "{}",
                "source": "sdk", "content": None, "session_id": f"session {self.number}", "created_us": NOW_US,
            })  # fmt: skip
            from ledger_tui.store import day_sums

            day_sums.add_uses(lean, [usage])
            telemetry.insert(lean, "executions", {
                "id": execution, "usage_id": usage, "prompt_id": prompt, "version_id": version, "provider": "openai",
                "model": "gpt-x", "mode": "full", "params": "{}", "messages": f'["canary {self.number} {name} "]', "attempts": 1,
                "environment": "prod", "response": "that", "response_metadata": "{}", "status": "succeeded",
                "created_us": NOW_US, "ended_us": NOW_US + 5,
            })  # fmt: skip

    def forget(self, chance: random.Random) -> None:
        """Retention, of texts or of whole steps."""
        with self.database.lean_write() as lean:
            what = chance.randrange(3)
            if what == 0:
                retention.drop_texts(lean, LATER_US, Kinds((), False), 0, 100, NOW_US)
            elif what == 1:
                retention.drop_spans(lean, LATER_US, retention.FIRST, chance.randint(1, 8), NOW_US)
            else:
                retention.drop_runs(lean, chance.choice(["usages", "executions"]), LATER_US, "", 100)


class Meddling:
    """A second program that syncs the same file while a first one stands at a failpoint."""

    def __init__(self, point: str, second: Callable[[], object]) -> None:
        self.point, self.second = point, second

    def __call__(self, name: str) -> None:
        if name == self.point:
            self.point = ""
            self.second()


class Lives:
    """Some ledgers and a server; ``counts`` says how often each thing happened."""

    def __init__(
        self, folder: Path, chance: random.Random, *, log: type[LedgerLog] = LedgerLog, desks: int = 3
    ) -> None:
        self.chance, self.log = chance, log
        self.server = MemoryServer()
        self.desks = [Desk(folder / str(number), number) for number in range(desks)]
        self.roles = [
            "maintainer",
            "maintainer",
            *(chance.choice(["maintainer", "member", "reader", "ingest"]) for _ in range(desks - 2)),
        ]
        self.remotes = [self.server.remote(str(n), role) for n, role in enumerate(self.roles)]
        self.counts: Counter[str] = Counter()
        self.rules = chance.choice(["open", "changing"])
        self.forgets = chance.random() < 0.5
        self.quiet = {desks - 1} if self.rules == "changing" else set()
        """Desks that share the texts of one folder at most."""
        for desk in self.desks:
            desk.share(OPEN if self.rules == "open" else Sharing())

    def close(self) -> None:
        """Let go of all files."""
        for desk in self.desks:
            desk.close()

    def engine(self, who: int, at: Any) -> Engine:
        """As ``SyncService`` makes one."""
        desk = self.desks[who]
        streams = desk.sharing().streams
        return Engine(self.log(desk.database), self.remotes[who], Client(str(who), "1"), streams=streams, at=at)

    def sync(self, who: int, at: Any = None, *, only_push: bool = False) -> Receipt | None:
        """One sync; None when it died in it. What is here before is here after."""
        self.counts["sync"] += 1
        engine = self.engine(who, at or Bomb(None))
        try:
            return engine.push_only() if only_push else engine.sync()
        except Crash:
            self.counts["crash"] += 1
            return None

    def step(self) -> None:
        """Something happens."""
        chance = self.chance
        who, other = chance.randrange(len(self.desks)), chance.randrange(len(self.desks))
        deeds: list[tuple[float, Callable[[], object]]] = [
            (0.45, lambda: self.desks[who].deed(chance)),
            (0.22, lambda: self.sync(who, self._accident(who))),
            (0.08, lambda: self.sync(who, self._accident(who), only_push=True)),
            (0.10, lambda: self._exchange(who, other)),
            (0.04, lambda: self._end_late(who)),
            (0.03, lambda: self._clone(who, other)),
            (0.03, lambda: self._restore()),
            (0.01, lambda: self._wipe()),
            (0.05, lambda: self._change_rules(who)),
            (0.05, lambda: self._forget()),
        ]
        chance.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]()

    def _accident(self, who: int) -> Any:
        chance = self.chance.random()
        if chance < 0.3:
            return Bomb(self.chance.choice(FAILPOINTS), self.chance.randint(1, 2))
        if chance < 0.4:
            self.counts["meddled"] += 1
            return Meddling(self.chance.choice(OUTSIDE), lambda: self._meddle(who))
        return None

    def _meddle(self, who: int) -> None:
        for _ in range(3):
            self.desks[who].deed(self.chance)
        if self.chance.random() < 0.7:
            self.sync(who)

    def _end_late(self, who: int) -> None:
        """What was given up ends after all while the answer to that is awaited."""
        desk = self.desks[who]
        desk.give_up_all()
        self.sync(who, lambda point: desk._end(self.chance) if point == "push.after_send" else None)

    def _exchange(self, who: int, other: int) -> None:
        self.desks[who].deed(self.chance)
        self.sync(who, self._accident(who))
        self.sync(other, self._accident(other))

    def _clone(self, who: int, other: int) -> None:
        """A ledger's file is copied over another one's; the account there stays its own."""
        # What the first one forgot stays with the second one.
        forgetful = self.forgets and (0 in (who, other) or other == 1)
        if who == other or forgetful or {who, other} & self.quiet or "ingest" in (self.roles[who], self.roles[other]):
            return
        source, target = self.desks[who], self.desks[other]
        target.close()
        for path in target.paths.data.glob("ledger.db*"):
            path.unlink()
        backup.copy(source.paths.database, target.paths.database)
        target.open()
        target.programs = [*source.programs, ids.new_id()]
        self.counts["clone"] += 1

    def _restore(self) -> None:
        part, announced = self.chance.random(), self.chance.random() < 0.5
        self.server.restore(int(len(self.server.commits) * part), announced=announced)
        self.counts["restore"] += 1

    def _wipe(self) -> None:
        self.server.wipe()
        self.counts["wipe"] += 1

    def _change_rules(self, who: int) -> None:
        if self.rules == "changing":
            rules = self.chance.choice(QUIET if who in self.quiet else RULES)
            self.desks[who].share(rules)
            self.counts["rules"] += 1

    def _forget(self) -> None:
        """The first ledger forgets what the second one holds too."""
        if self.forgets:
            if self.rules == "changing":
                self.desks[0].share(OPEN)
                self.desks[1].share(OPEN)
            self.sync(0)
            self.sync(1)
            self.desks[0].forget(self.chance)
            self.counts["forgot"] += 1

    # The end

    def settle(self) -> None:
        """Nothing goes wrong any more, nobody writes, everything may leave: everybody syncs three times."""
        self.check_quiet()
        for desk in self.desks:
            desk.give_up_all()
            desk.share(OPEN)
        for _ in range(4):
            for who in range(len(self.desks)):
                self.sync(who)

    def check_quiet(self) -> None:
        """I12: no text of a ledger that shares none, or those of one folder, is on the server, but for those."""
        everything = "".join(row.record.body for history in self.server.histories.values() for row in history.rows)
        for who in self.quiet:
            for name in ("none", "a", "private/c"):
                assert f"canary {who} {name} " not in everything, f"I12: a text of {who} left"

    def held(self, stream: Stream) -> dict[str, Record]:
        """What the server holds."""
        return {row.record.rid: row.record for row in self.server.histories[stream].rows}

    def check(self) -> None:
        """I1, I6 to I9 and I14 to I17 at rest."""
        whole = [who for who, role in enumerate(self.roles) if role not in ("reader", "ingest")]
        for who, desk in enumerate(self.desks):
            self._check_desk(who, desk)
        for who in whole:
            forgot = self.forgets and who == 0
            for stream in STREAMS:
                mine, theirs = self.log(self.desks[who].database).digest(stream), digest_of(self.held(stream).values())
                assert mine == theirs, f"I1 I14 I16: {stream} of {who}"
            assert self.engine(who, Bomb(None)).verify() == [], f"I14: {who} cannot prove it"
            first = self.desks[whole[1]]
            assert self.desks[who].shown(SHOWN) == first.shown(SHOWN), f"I14 I19: {who} shows another registry"
            # Whose call was priced after it was forgotten somewhere is not known there, nor which step ended once more.
            once = {"daily_uses": "*"} if self._some_step_ended_twice() else ADDED_UP
            added = once if forgot else {**ADDED_UP, "daily_parties": "*"}
            for table, columns in added.items():
                mine, theirs = (desk.shown({table: columns})[table] for desk in (self.desks[who], first))
                assert mine == theirs, f"I17: {table} of {who}: {set(mine) ^ set(theirs)}"

    def _some_step_ended_twice(self) -> bool:
        spans = [record.content() for record in self.held("telemetry").values() if record.kind == "span"]
        return len({(span["trace_id"], span["span_id"]) for span in spans}) < len(spans)

    def _check_desk(self, who: int, desk: Desk) -> None:
        log, mine = self.log(desk.database), desk.records()
        pulls = {"reader": ("meta",), "ingest": ()}.get(self.roles[who], STREAMS)
        pushes = {"reader": (), "ingest": ("telemetry", "bodies")}.get(self.roles[who], STREAMS)
        with desk.database.lean() as lean:
            wrong = sync_asides.asides(lean)
            assert not any(recount.differences(lean).values()), f"I17: the sums of {who} equal no recount"
            assert lean.fetch("PRAGMA integrity_check") == [("ok",)] and not lean.fetch("PRAGMA foreign_key_check"), (
                "I13"
            )
        # Who only sends does not hear that somebody else priced a call of theirs.
        expected = {REASONS["DENIED"], *([REASONS["HASH_CONFLICT"]] if self.roles[who] == "ingest" else [])}
        assert {one.why for one in wrong} <= expected, f"nothing is wrong with any record: {wrong}"
        for stream in STREAMS:
            theirs = self.held(stream)
            here = {rid: pair for rid, pair in mine.items() if pair[0].stream == stream}
            if stream in pushes:
                waiting = {pair[0] for pair in here.values() if pair[1] is None}
                assert not waiting and log.waiting(stream) == 0, f"L1: {who} {stream} {waiting}"
                lost = {rid for rid, pair in here.items() if pair[1] >= 0} - theirs.keys()
                assert not lost, f"I6 I15: {who} {stream} {[here[rid] for rid in lost]}"
            if stream in pulls and not (self.forgets and who == 0):
                assert theirs.keys() <= here.keys(), f"I7: {who} {stream} {theirs.keys() - here.keys()}"
        before = desk.shown(SHOWN)
        with desk.database.lean_write() as lean:
            folds.rebuild(lean)
        assert desk.shown(SHOWN) == before, f"I8: {who}"
        if self.roles[who] != "ingest":
            again = self.sync(who)
            assert again is not None and not again.did_something, f"I9: {who} {again}"


def story(folder: Path, seed: int, *, log: type[LedgerLog] = LedgerLog, steps: int = 70) -> Counter[str]:
    """One random life, and the checks at its end; the same for the same seed."""
    lives = Lives(folder, random.Random(seed), log=log)
    try:
        for _ in range(steps):
            try:
                lives.step()
            except RemoteRefused:
                lives.counts["refused"] += 1
        lives.settle()
        lives.check()
        return lives.counts
    finally:
        lives.close()
