"""Eight devices and a server, all that can happen to them, and what must hold when it is over."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ledger_tui.domain import ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.sync import chain, digest, records
from ledger_tui.domain.sync.chain import START
from ledger_tui.domain.sync.records import STREAMS, Record, Stream
from ledger_tui.sync.door import Client, Page
from ledger_tui.sync.engine import FAILPOINTS, Receipt

from tests.sync.faults import Parts
from tests.sync.file_log import FileLog, fold

DEVICES = 8
PROMPTS = ("team/a", "team/b", "c")
DAY_US = 86_400_000_000
NOW_US = 1_795_000_000_000_000


class Crash(Exception):
    """The program ends here."""


class Bomb:
    """Ends the program when a failpoint is passed for the nth time."""

    def __init__(self, point: str | None, nth: int = 1) -> None:
        self.point, self.left = point, nth

    def __call__(self, name: str) -> None:
        if name == self.point:
            self.left -= 1
            if self.left == 0:
                raise Crash(name)


class Device:
    """A ledger file, a clock, and what its writes returned to their caller."""

    def __init__(self, folder: Path, number: int, parts: Parts) -> None:
        self.name = f"d{number}"
        self.path = folder / f"{self.name}.db"
        self.parts = parts
        self.log: FileLog = parts.log(self.path)
        self.written: set[str] = set()
        self.clock_us = NOW_US

    def reopen(self) -> None:
        """What happens after a crash."""
        self.log.close()
        self.log = self.parts.log(self.path)


class World:
    """Everything; ``counts`` says how often each thing happened."""

    def __init__(self, folder: Path, parts: Parts | None = None, shared: Any = None, devices: int = DEVICES) -> None:
        """shared: the server (``tests.sync.shared``); None for one in memory, as ``parts`` say."""
        self.parts = parts or Parts()
        self.server: Any = shared or self.parts.server()
        self.devices = [Device(folder, number, self.parts) for number in range(devices)]
        self.remotes = [self.server.remote(device.name, "maintainer") for device in self.devices]
        self.counts: Counter[str] = Counter()

    def close(self) -> None:
        """Let go of all files."""
        for device in self.devices:
            device.log.close()

    def _write(self, who: int, stream: Stream, kind: str, **content: object) -> str:
        device = self.devices[who]
        device.clock_us += 1_000
        body = canonical_json({"rv": 1, "device": device.name, "at_us": device.clock_us, **content})
        rid = device.log.write(Record(stream, ids.new_id(device.clock_us), kind, body))
        device.written.add(rid)
        return rid

    def edit(self, who: int, prompt: int, text: int) -> None:
        """Save a version on what this device serves; the same text on the same base is the same version."""
        name = PROMPTS[prompt % len(PROMPTS)]
        log = self.devices[who].log
        tree = log.view()["versions"].get(name)
        parents = [] if tree is None else [tree.served]
        base = [] if tree is None else [rid for rid in tree.candidates if log.version_of(rid) == tree.served]
        version = hashlib.sha256(f"{name} {text} {parents}".encode()).hexdigest()[:12]
        self._write(who, "meta", "version", prompt=name, field=version, parents=parents, base=base)

    def label(self, who: int, prompt: int, field: str) -> None:
        """Point a label to what this device serves, having seen its candidates."""
        name, view = PROMPTS[prompt % len(PROMPTS)], self.devices[who].log.view()
        tree, before = view["versions"].get(name), view["registers"].get((name, field))
        if tree is not None:
            base = [] if before is None else list(before.candidates)
            self._write(who, "meta", "label", prompt=name, field=field, value=f'"{tree.served}"', base=base)

    def call(self, who: int, cost: int) -> None:
        """A recorded call."""
        self._write(who, "telemetry", "span", name="call", cost_nusd=cost)

    def sync(self, who: int, bomb: Bomb | None = None, *, only_push: bool = False) -> Receipt | None:
        """One sync of a device; None when it died in it, with its file opened again."""
        device, at = self.devices[who], bomb or Bomb(None)
        engine = self.parts.engine(device.log, self.remotes[who], Client(device.name, "1"), at=at)
        self.counts["sync"] += 1
        try:
            return engine.push_only() if only_push else engine.sync()
        except Crash:
            self.counts["crash"] += 1
            device.reopen()
            return None

    def clone(self, source: int, target: int) -> None:
        """Copy a ledger over another one, with what it remembers of the server."""
        if source == target:
            return
        a, b = self.devices[source], self.devices[target]
        a.log.close()
        b.log.close()
        shutil.copy(a.path, b.path)
        a.log, b.log, b.written = self.parts.log(a.path), self.parts.log(b.path), set(a.written)
        self.counts["clone"] += 1

    def restore(self, part: float, announced: bool) -> None:
        """The server goes back to a part of its commits."""
        commits = sum(len(self.history(stream)) for stream in STREAMS)
        self.server.restore(int(commits * part), announced=announced)
        self.counts["restore"] += 1

    def history(self, stream: Stream) -> list[Page]:
        """What the server has, a page for each push."""
        pages: list[Page] = []
        while not pages or pages[-1].more:
            after = pages[-1].upto if pages else START
            pages.append(self.remotes[0].pull(stream, after, 1))
        return [page for page in pages if page.rows]

    def jump(self, who: int, days: int) -> None:
        """The clock of a device is put elsewhere."""
        self.devices[who].clock_us = max(0, self.devices[who].clock_us + days * DAY_US)

    def settle(self) -> None:
        """Nothing goes wrong any more and nobody writes: everybody syncs three times, as timers do."""
        for _ in range(3):
            for who in range(len(self.devices)):
                self.sync(who)

    def check(self) -> None:
        """I3 to I6, I8 and I14 to I20 at rest."""
        self._check_server()
        rows = {stream: [row for page in self.history(stream) for row in page.rows] for stream in STREAMS}
        on_server = {stream: [row.record for row in rows[stream]] for stream in STREAMS}
        everything = [(row.record, row.seq, 0) for stream in STREAMS for row in rows[stream]]
        rids = {record.rid for record, _, _ in everything}
        expected, told = fold(everything), set()
        for device in self.devices:
            state = device.log.state()
            assert device.written <= rids, f"I15 nothing-lost: {device.name} wrote what the server lacks"
            assert device.log.rids() == rids, f"I7 I15 I16: {device.name} and the server hold different records"
            assert sum(device.log.waiting(stream) for stream in STREAMS) == 0, "L1: something still waits"
            assert device.log.set_aside() == 0 and state.resyncing is None, "nothing is wrong with any record"
            view = device.log.view()
            assert view["cost_nusd"] == expected["cost_nusd"], "I17 money"
            assert view == expected, f"I8 I14 I19: {device.name} shows something else than the server's records say"
            for stream in STREAMS:
                same = digest.digest_of(on_server[stream])
                assert device.log.digest(stream) == same, "I14: digests differ"
            told.add(digest.agreement({stream: state.cursor(stream) for stream in STREAMS}))
        assert len(told) == 1, "I14: all devices say the same four digits"
        self._check_conflicts(expected, on_server["meta"])

    def _check_server(self) -> None:
        for stream in STREAMS:
            pages = self.history(stream)
            rows = [row for page in pages for row in page.rows]
            assert len({row.record.rid for row in rows}) == len(rows), "I4 no-dup"
            assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "I2 dense"
            known, link = set(), ""
            for page in pages:
                link = chain.extend(link, [row.hash for row in page.rows])
                assert page.upto.chain == link, f"I3 chain of {stream}"
            for row in rows:
                version = records.version_of(row.record)
                if version is not None:
                    assert set(version[1]) <= known, "I5 parents-first"
                    known.add(version[0])

    def _check_conflicts(self, view: dict[str, Any], meta: list[Record]) -> None:
        """I18: every version is reachable from a head, and every label value that nobody saw is listed."""
        for prompt, tree in view["versions"].items():
            written_on = {
                record.rid: record.content()["base"]
                for record in meta
                if record.kind == "version" and record.content()["prompt"] == prompt
            }
            reached, left = set(), list(tree.candidates)
            while left:
                rid = left.pop()
                if rid not in reached:
                    reached.add(rid)
                    left += written_on[rid]
            assert reached == set(written_on), "I18 both-kept"
        values = {record.rid: record.content().get("value") for record in meta}
        for register in view["registers"].values():
            others = [rid for rid in register.candidates if values[rid] != register.value]
            assert list(register.contested) == others, "I18: who wants another value is listed"
            assert register.candidates, "I18: somebody's value always stands"


def story(folder: Path, seed: int, parts: Parts | None = None, shared: Any = None, steps: int = 60) -> Counter[str]:
    """One random life of eight devices, and the checks at its end; the same for the same seed."""
    chance = random.Random(seed)
    world = World(folder, parts, shared)
    try:
        for _ in range(steps):
            _step(world, chance)
        world.settle()
        world.check()
        return world.counts
    finally:
        world.close()


def _step(world: World, chance: random.Random) -> None:
    who, other = chance.randrange(DEVICES), chance.randrange(DEVICES)

    def write() -> None:
        kind = chance.random()
        if kind < 0.5:
            world.edit(who, chance.randrange(3), chance.randrange(3))
        elif kind < 0.75:
            world.label(who, chance.randrange(3), chance.choice(["production", "staging"]))
        else:
            world.call(who, chance.randrange(10**9))

    def bomb() -> Bomb | None:
        return Bomb(chance.choice(FAILPOINTS), chance.randint(1, 2)) if chance.random() < 0.4 else None

    def exchange() -> None:
        write()
        world.sync(who, bomb())
        world.sync(other, bomb())

    def lose() -> None:
        # The server goes back after a device was told of what it forgets, and before that device reads again.
        write()
        world.sync(who, only_push=True)
        world.restore(chance.random(), announced=False)
        world.call(other, 1)
        world.sync(other)

    deeds: list[tuple[float, Callable[[], object]]] = [
        (0.30, write),
        (0.30, exchange),
        (0.22, lambda: world.sync(who, bomb())),
        (0.06, lambda: world.sync(who, bomb(), only_push=True)),
        (0.04, lambda: world.clone(who, other)),
        (0.03, lambda: world.restore(chance.random(), announced=chance.random() < 0.5)),
        (0.02, lose),
        (0.03, lambda: world.jump(who, chance.choice([-10_000, -10, 1, 10, 10_000]))),
    ]
    weights = [weight for weight, _ in deeds]
    with suppress(Crash):
        chance.choices([deed for _, deed in deeds], weights)[0]()
