"""Everything at once: eight devices on real files, crashes at every step, clones, restores and clocks; and the proof that
this finds faults: each of seven planted ones is caught."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from ledger_tui.sync.engine import FAILPOINTS

from tests.sync.faults import FAULTS
from tests.sync.shared import InPostgres
from tests.sync.world import DEVICES, Bomb, World, story

WHO = st.integers(0, DEVICES - 1)
BOMB = st.none() | st.builds(Bomb, st.sampled_from(FAILPOINTS), st.integers(1, 2))
SMALL = st.integers(0, 2)
SEEN: Counter[str] = Counter()


class Lives(RuleBasedStateMachine):
    """What people, programs and machines do in any order; at the end the invariants hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="ledger-sync-")
        self.world = World(Path(self.folder.name))

    @rule(who=WHO, prompt=SMALL, text=SMALL)
    def edit(self, who: int, prompt: int, text: int) -> None:
        self.world.edit(who, prompt, text)

    @rule(who=WHO, prompt=SMALL, field=st.sampled_from(["production", "staging"]))
    def label(self, who: int, prompt: int, field: str) -> None:
        self.world.label(who, prompt, field)

    @rule(who=WHO, cost=st.integers(0, 10**9))
    def call(self, who: int, cost: int) -> None:
        self.world.call(who, cost)

    @rule(who=WHO, bomb=BOMB)
    def sync(self, who: int, bomb: Bomb | None) -> None:
        self.world.sync(who, bomb)

    @rule(who=WHO, bomb=BOMB)
    def sync_again(self, who: int, bomb: Bomb | None) -> None:
        self.world.sync(who, bomb)

    @rule(who=WHO, bomb=BOMB)
    def push_only(self, who: int, bomb: Bomb | None) -> None:
        self.world.sync(who, bomb, only_push=True)

    @rule(who=WHO, other=WHO, prompt=SMALL, text=SMALL, bomb=BOMB)
    def write_then_exchange(self, who: int, other: int, prompt: int, text: int, bomb: Bomb | None) -> None:
        self.world.edit(who, prompt, text)
        self.world.sync(who)
        self.world.sync(other, bomb)
        self.world.label(other, prompt, "production")
        self.world.sync(other)

    @rule(source=WHO, other=WHO)
    def clone(self, source: int, other: int) -> None:
        self.world.clone(source, other)

    @rule(part=st.sampled_from([0.0, 0.3, 0.6, 0.9]), announced=st.booleans())
    def restore(self, part: float, announced: bool) -> None:
        self.world.restore(part, announced)

    @rule(who=WHO, other=WHO, part=st.sampled_from([0.3, 0.6, 0.9]))
    def told_then_forgotten(self, who: int, other: int, part: float) -> None:
        """A device was told of what a silent restore takes away, others go on, and it has nothing to send."""
        self.world.call(who, 3)
        self.world.sync(who, only_push=True)
        self.world.restore(part, announced=False)
        self.world.call(other, 4)
        self.world.sync(other)

    @rule()
    def wipe(self) -> None:
        self.world.server.wipe()

    @rule(who=WHO, days=st.sampled_from([-20_000, -10, 10, 20_000]))
    def clock_jump(self, who: int, days: int) -> None:
        self.world.jump(who, days)

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.world.check()
            SEEN.update(self.world.counts)
        finally:
            self.world.close()
            self.folder.cleanup()


@pytest.mark.long
def test_i1_to_i20_hold_whatever_happens() -> None:
    """Nothing is lost, doubled or shown differently anywhere after any order of events; enough of them were tried."""
    SEEN.clear()
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Lives,
        settings=settings(max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=checks),
    )
    assert SEEN["sync"] > 1_000 and SEEN["crash"] > 30 and SEEN["restore"] > 30, SEEN


@pytest.mark.parametrize("seed", range(12))
def test_i1_to_i20_hold_in_random_lives(seed: int, tmp_path: Path) -> None:
    """The same of lives whose deeds are weighted as in practice: much data flows between the accidents."""
    counts = story(tmp_path, seed)
    assert counts["sync"] > 30


def test_i1_to_i20_hold_with_postgres(tmp_path: Path, postgres_shared: InPostgres) -> None:
    """A random life with a real server in the middle ends as well as one with the server in memory."""
    counts = story(tmp_path, 3, shared=postgres_shared)
    assert counts["crash"] and counts["restore"], "accidents happened"


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_mutation_gate(fault: str, tmp_path: Path) -> None:
    """Each planted fault is found by random lives that the right parts pass (the test above); one that is not is our failure."""
    for seed in range(120):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            story(folder, seed, FAULTS[fault])
        except Exception:
            return
    pytest.fail(f"the fault {fault} went through unseen")
