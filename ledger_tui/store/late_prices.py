"""Calls without a price: finding them, and pricing them by a new fact while everything that sums them follows.

What was charged is never touched: each statement asks whether the call is still unpriced.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger_tui.domain import clock, ids
from ledger_tui.domain.content import canonical_json
from ledger_tui.domain.values import TokenUsage
from ledger_tui.store import rate_cards
from ledger_tui.store.facts import digest

if TYPE_CHECKING:
    from ledger_tui.domain.rate_card import Priced
    from ledger_tui.store.lean import Lean

KIND = "pricing"


class Unpriced(NamedTuple):
    """A finished call without a price."""

    key: int
    provider: str | None
    model: str
    served_model: str | None
    started_us: int
    tokens: TokenUsage


class Writer(NamedTuple):
    """Who prices: all facts of one run share the action."""

    actor: str
    device: str
    action: str
    reason: str


_UNPRICED = """
SELECT s.id, s.provider, s.model, e.served_model, s.started_us,
       s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.output_tokens, s.reasoning_tokens
FROM spans s LEFT JOIN executions e ON e.id = s.execution_id
WHERE s.unpriced AND s.id > :after {conditions} ORDER BY s.id LIMIT :limit
"""


def counts(lean: Lean) -> list[tuple[str, str, int, int, int, int]]:
    """(provider, model, calls, of them without token counts, first and last start in microseconds), most calls first."""
    sql = (
        "SELECT COALESCE(provider, ''), COALESCE(model, ''), COUNT(*), "
        "SUM(CASE WHEN input_tokens IS NULL OR output_tokens IS NULL THEN 1 ELSE 0 END), MIN(started_us), MAX(started_us) "
        "FROM spans WHERE unpriced GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    )
    return [(row[0], row[1], int(row[2]), int(row[3]), int(row[4]), int(row[5])) for row in lean.fetch(sql)]


def unpriced(lean: Lean, provider: str | None, model: str | None, after: int, limit: int) -> list[Unpriced]:
    """Up to ``limit`` unpriced calls with keys above ``after``, in their order; of a provider and a model when given."""
    parameters: dict[str, Any] = {"after": after, "limit": limit}
    conditions = ""
    if provider is not None:
        conditions += " AND COALESCE(s.provider, '') = :provider"
        parameters["provider"] = provider
    if model is not None:
        conditions += " AND s.model = :model"
        parameters["model"] = model
    rows = lean.fetch(_UNPRICED.format(conditions=conditions), parameters)
    return [Unpriced(row[0], row[1], row[2], row[3], int(row[4]), TokenUsage(*row[5:])) for row in rows]


_CHARGE = """
UPDATE spans SET cost_nusd = :nusd, unpriced = :no, card_id = :card WHERE id = :key AND unpriced
RETURNING trace_key, execution_id, started_us, provider, model, prompt_id, version_id, environment,
          user_identifier, session_id
"""
_UNCHARGE = """
UPDATE spans SET cost_nusd = NULL, unpriced = :yes, card_id = NULL WHERE id = :key
RETURNING trace_key, execution_id, started_us, provider, model, prompt_id, version_id, environment,
          user_identifier, session_id
"""
_KEEP = """
INSERT INTO late_prices (span_key, rid, cost_nusd, card_id, at_us) VALUES (:key, :rid, :nusd, :card, :at_us)
"""
_EXECUTION = "UPDATE executions SET cost_nusd = :nusd, receipt = :receipt WHERE id = :id AND cost_nusd IS NULL"
_TRACE = """
UPDATE traces SET cost_nusd = cost_nusd + :nusd, priced_count = priced_count + :calls,
                  unpriced_count = unpriced_count - :calls
WHERE id = :key
"""
_DAY = """
UPDATE daily_costs SET cost_nusd = cost_nusd + :nusd, unpriced = unpriced - :calls
WHERE day = :day AND provider = :provider AND model = :model AND prompt_id = :prompt_id AND version_id = :version_id
  AND environment = :environment
"""
_PARTY = """
UPDATE daily_parties SET cost_nusd = cost_nusd + :nusd, unpriced = unpriced - :calls
WHERE day = :day AND kind = :kind AND party = :party
"""
_GONE_DAY = """
UPDATE pruned_costs SET cost_nusd = cost_nusd + :nusd, unpriced = unpriced - :calls
WHERE day = :day AND provider = :provider AND model = :model AND prompt_id = :prompt_id AND version_id = :version_id
  AND environment = :environment AND unpriced >= :calls
"""
_DAY_KEYS = ("day", "provider", "model", "prompt_id", "version_id", "environment")
_PARTY_KEYS = ("day", "kind", "party")


class _Changes:
    """What one run of ``charge`` adds to each sum: nano-dollars and calls."""

    def __init__(self) -> None:
        self.traces: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        self.days: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
        self.parties: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
        self.models: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, row: Sequence[Any], nusd: int, calls: int = 1) -> None:
        """Count one call, a row that ``_CHARGE`` returned; ``calls`` -1 takes one back that had cost ``-nusd``."""
        trace, _, started_us, provider, model, prompt, version, environment, user, session = row
        day = clock.from_us(int(started_us)).date().isoformat()
        sums = [self.traces[trace], self.days[day, provider or "", model, prompt or "", version or "", environment]]
        sums += [self.parties[day, kind, party] for kind, party in (("user", user), ("session", session)) if party]
        for found in (*sums, self.models[f"{provider or ''}/{model}"]):
            found[0] += nusd
            found[1] += calls

    def write(self, lean: Lean) -> None:
        """Change the sums, always in the same order."""
        lean.executemany(_TRACE, [_sum({"key": key}, found) for key, found in sorted(self.traces.items())])
        lean.executemany(_DAY, [_sum(zip(_DAY_KEYS, k, strict=True), found) for k, found in sorted(self.days.items())])
        parties = sorted(self.parties.items())
        if parties:
            lean.executemany(_PARTY, [_sum(zip(_PARTY_KEYS, key, strict=True), found) for key, found in parties])


def charge(lean: Lean, writer: Writer, priced: Sequence[tuple[int, Priced]]) -> tuple[int, int]:
    """Price calls (span key and price) that are still unpriced: how many were, and their sum; inside a write transaction.

    The fact, the calls, their executions and every sum over them change together.
    """
    rid, at_us = ids.new_id(), clock.now_us()
    cards: dict[int, int] = {}
    changes = _Changes()
    kept: list[dict[str, Any]] = []
    for key, price in priced:
        card = cards.get(id(price.card))
        if card is None:
            card = cards[id(price.card)] = rate_cards.card_id(lean, price.card.body())
        row = lean.one(_CHARGE, {"key": key, "nusd": price.nusd, "card": card, "no": False})
        if row is None:
            continue
        kept.append({"key": key, "rid": rid, "nusd": price.nusd, "card": card, "at_us": at_us})
        changes.add(row, price.nusd)
        if row[1] is not None:
            receipt = json.dumps({**price.receipt, "late_rid": rid, "late_at_us": at_us}, sort_keys=True)
            lean.execute(_EXECUTION, {"id": row[1], "nusd": price.nusd, "receipt": receipt})
    if not kept:
        return 0, 0
    lean.executemany(_KEEP, kept)
    changes.write(lean)
    total = sum(row["nusd"] for row in kept)
    models = {name: {"calls": calls, "cost_nusd": nusd} for name, (nusd, calls) in changes.models.items()}
    _append(lean, writer, rid, {"calls": len(kept), "cost_nusd": total, "models": models}, at_us)
    return len(kept), total


def take_in(lean: Lean, key: int, *, rid: str, at_us: int, nusd: int, card: int | None) -> bool:
    """Charge a price that another ledger's fact gave to a call; False when the call is not unpriced here."""
    row = lean.one(_CHARGE, {"key": key, "nusd": nusd, "card": card, "no": False})
    if row is None:
        return False
    lean.executemany(_KEEP, [{"key": key, "rid": rid, "nusd": nusd, "card": card, "at_us": at_us}])
    changes = _Changes()
    changes.add(row, nusd)
    changes.write(lean)
    _price_execution(lean, row[1], rid, at_us, nusd)
    return True


def take_in_gone(lean: Lean, call: Mapping[str, Any], *, rid: str, at_us: int, nusd: int) -> bool:
    """As ``take_in``, for a call that retention removed: into the sums that stayed; False where they count no such call unpriced.

    call: ``trace_id``, ``started_us``, ``execution_id`` and what a call is counted by. Whose it was is not known any more:
    sums by user and session stay.
    """
    day = clock.from_us(int(call["started_us"])).date().isoformat()
    keys = {"day": day, **{name: call.get(name) or "" for name in _DAY_KEYS[1:]}}
    if lean.execute(_GONE_DAY, _sum(keys, (nusd, 1))) != 1:
        return False
    lean.execute(_DAY, _sum(keys, (nusd, 1)))
    trace = lean.one("SELECT id FROM traces WHERE trace_id = :trace_id", {"trace_id": call["trace_id"]})
    if trace is not None:
        lean.execute(_TRACE, _sum({"key": trace[0]}, (nusd, 1)))
    _price_execution(lean, call.get("execution_id"), rid, at_us, nusd)
    return True


def _price_execution(lean: Lean, execution_id: str | None, rid: str, at_us: int, nusd: int) -> None:
    if execution_id is not None:
        receipt = json.dumps({"late_rid": rid, "late_at_us": at_us}, sort_keys=True)
        lean.execute(_EXECUTION, {"id": execution_id, "nusd": nusd, "receipt": receipt})


def take_back(lean: Lean, key: int) -> None:
    """Let a call that was priced late be unpriced again."""
    kept = lean.one("DELETE FROM late_prices WHERE span_key = :key RETURNING cost_nusd", {"key": key})
    row = None if kept is None else lean.one(_UNCHARGE, {"key": key, "yes": True})
    if kept is None or row is None:
        return
    changes = _Changes()
    changes.add(row, -int(kept[0]), calls=-1)
    changes.write(lean)
    lean.execute("UPDATE executions SET cost_nusd = NULL, receipt = NULL WHERE id = :id", {"id": row[1]})


def late(lean: Lean, span_key: int) -> tuple[str, int, str] | None:
    """The fact that priced a call late: its id, when, and who; None when it was priced as it ended."""
    row = lean.one(
        "SELECT l.rid, l.at_us, j.actor FROM late_prices l LEFT JOIN journal j ON j.rid = l.rid WHERE l.span_key = :key",
        {"key": span_key},
    )
    return None if row is None else (str(row[0]), int(row[1]), str(row[2] or ""))


def _sum(keys: Any, found: Iterable[int]) -> dict[str, Any]:
    nusd, calls = found
    return {**dict(keys), "nusd": nusd, "calls": calls}


def _append(lean: Lean, writer: Writer, rid: str, value: dict[str, Any], at_us: int) -> None:
    body = canonical_json(value)
    fact = {
        "rid": rid, "kind": KIND, "field": "", "value": body, "base": "[]", "action": writer.action,
        "actor": writer.actor, "device": writer.device, "at_us": at_us, "reason": writer.reason,
        "hash": digest(KIND, rid, None, "", body, "[]"),
    }  # fmt: skip
    columns = ", ".join(fact)
    lean.execute(f"INSERT INTO journal ({columns}) VALUES ({', '.join(':' + name for name in fact)})", fact)
