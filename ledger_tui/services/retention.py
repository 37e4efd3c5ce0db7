"""Retention: what is old goes by rules, after a look at what would go; what was spent and counted stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger_tui.domain.retention import DAY_US, Rule, rules_of
from ledger_tui.store import retention as store
from ledger_tui.store.retention import Found, Kinds

if TYPE_CHECKING:
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database
    from ledger_tui.store.vacuum import Freed

CHUNK = 1_000
"""Rows that one transaction changes: a few hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the work: what goes by which rule."""

    rule: Rule
    subject: str
    """``steps' texts``, ``renders``, ``calls`` or ``steps``."""
    found: Found
    done: int = 0
    """Rows that went."""


Progress = Callable[[Step], None]


class RetentionService:
    """Applies rules of retention. Thread-safe; two programs at once do no harm, each finds what the other left."""

    def __init__(
        self, database: Database, settings: Callable[[], Settings], *, before_read: Callable[[], None] = lambda: None
    ) -> None:
        """settings: asked for the rules that a person set. before_read: called first; brings in what is recorded but not
        stored yet.
        """
        self._database = database
        self._settings = settings
        self._settle = before_read

    def rules(self) -> list[Rule]:
        """The rules of the settings, none when everything is kept; raises InputError when they make no sense."""
        return rules_from(self._settings())

    def run_daily(self, cancelled: Callable[[], bool] = lambda: False) -> list[Step] | None:
        """Apply the rules of the settings unless that was done within a day; None when there was nothing to do.

        Raises InputError, StoreError.
        """
        rules = self.rules()
        if not rules or self._database.is_past:
            return None
        with self._database.lean_write() as lean:
            if not store.claim(lean, self._database.now_us(), DAY_US):
                return None
        return self.apply(rules, cancelled=cancelled)

    def last_run_us(self) -> int | None:
        """When the last daily run began, None when there was none."""
        with self._database.lean() as lean:
            return store.last_run(lean)

    def unused_bytes(self) -> int:
        """Bytes of the file that hold nothing and can be given back; 0 where that is the server's business."""
        from ledger_tui.store import vacuum

        with self._database.lean() as lean:
            return vacuum.unused_bytes(lean)

    def give_back(self) -> Freed:
        """Rewrite the file without its unused parts, so that the disk has them back. Takes as long as copying it.

        Raises StoreError when there is not room enough for the copy, or somebody else is writing.
        """
        from ledger_tui.store import vacuum

        return vacuum.give_back(self._database)

    def plan(self, rules: Sequence[Rule]) -> list[Step]:
        """What the rules would take now, rule by rule; nothing is changed. Parts without anything are left out."""
        self._settle()
        now_us = self._database.now_us()
        steps: list[Step] = []
        for rule in rules:
            before_us = rule.before_us(now_us)
            with self._database.lean() as lean:
                if rule.what == "spans":
                    steps.append(Step(rule, "steps", store.count_spans(lean, before_us)))
                    continue
                if rule.kind and not rule.days:
                    continue
                steps.append(Step(rule, "steps' texts", store.count_texts(lean, before_us, _kinds(rule, rules))))
                if rule.kind is None:
                    steps.append(Step(rule, "renders", store.count_runs(lean, "usages", before_us)))
                    steps.append(Step(rule, "calls", store.count_runs(lean, "executions", before_us)))
        return [step for step in steps if step.found.rows]

    def apply(
        self,
        rules: Sequence[Rule],
        on_progress: Progress = lambda step: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Step]:
        """Take what the rules say, a chunk a transaction; what was done of each part.

        on_progress: told after every chunk. cancelled: asked before every chunk; what is done stays done, and the next
        call goes on. Raises StoreError; what earlier chunks took is gone then too.
        """
        now_us = self._database.now_us()
        ended: list[Step] = []
        for step in self.plan(rules):
            for done in self._chunks(step, rules, now_us, cancelled):
                step = replace(step, done=step.done + done)
                on_progress(step)
            ended.append(step)
            if cancelled():
                break
        return ended

    def _chunks(self, step: Step, rules: Sequence[Rule], now_us: int, cancelled: Callable[[], bool]) -> Iterator[int]:
        before_us = step.rule.before_us(now_us)
        if step.subject == "steps":
            after: store.Place | None = store.FIRST
            while after is not None and not cancelled():
                with self._database.lean_write() as lean:
                    done, after = store.drop_spans(lean, before_us, after, CHUNK, now_us)
                if done:
                    yield done
        elif step.subject == "steps' texts":
            yield from self._texts(before_us, _kinds(step.rule, rules), now_us, cancelled)
            with self._database.lean_write() as lean:
                store.drop_samples(lean, before_us)
        else:
            yield from self._runs("usages" if step.subject == "renders" else "executions", before_us, cancelled)

    def _texts(self, before_us: int, kinds: Kinds, now_us: int, cancelled: Callable[[], bool]) -> Iterator[int]:
        after = 0
        while not cancelled():
            with self._database.lean_write() as lean:
                done, after = store.drop_texts(lean, before_us, kinds, after, CHUNK, now_us)
            if done:
                yield done
            if not after:
                return

    def _runs(self, table: str, before_us: int, cancelled: Callable[[], bool]) -> Iterator[int]:
        after = ""
        while not cancelled():
            with self._database.lean_write() as lean:
                done, after = store.drop_runs(lean, table, before_us, after, CHUNK)
            if done:
                yield done
            if not after:
                return


def rules_from(settings: Settings) -> list[Rule]:
    """The rules that settings say; raises InputError when they make no sense."""
    return rules_of(settings.retention_texts_days, settings.retention_spans_days, settings.retention_texts_by_kind)


def _kinds(rule: Rule, rules: Sequence[Rule]) -> Kinds:
    """The kinds of steps that a rule of texts means: its own, or all that have none of their own."""
    if rule.kind is not None:
        return Kinds((rule.kind,), only=True)
    return Kinds(tuple(other.kind for other in rules if other.what == "texts" and other.kind), only=False)
