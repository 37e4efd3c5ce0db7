"""A ledger that the former release filled: after the step its sums are what counting its facts gives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_tui.domain.percentiles import count, unpack
from ledger_tui.paths import Paths
from ledger_tui.store import migrate, migrations, postgres, recount, sqlite
from ledger_tui.store.database import Database

DAY_US = 86_400_000_000
START_US = 1_767_225_600_000_000
FACTS = """
INSERT INTO prompts (id, name, folded_name, created_us, created_by) VALUES ('p', 'p', 'p', 1, '');
INSERT INTO usages (id, prompt_id, included, parameters, rendered, environment, session_id, user_identifier, metadata,
                    source, created_us)
VALUES ('u1', 'p', '[]', '{{}}', '[]', 'dev', 's1', 'ann', '{{}}', 'sdk', {start}),
       ('u2', 'p', '[]', '{{}}', '[]', 'dev', NULL, NULL, '{{}}', 'sdk', {start} + {day}),
       ('u3', NULL, '[]', '{{}}', '[]', '', 's1', NULL, '{{}}', 'sdk', {start} + {day});
INSERT INTO executions (id, usage_id, prompt_id, provider, model, params, status, mode, messages, first_token_us,
                        attempts, environment, response_metadata, created_us)
VALUES ('e1', 'u1', 'p', 'openai', 'gpt-4o', '{{}}', 'succeeded', 'sync', '[]', 250000, 1, 'dev', '{{}}', {start});
INSERT INTO traces (id, trace_id, name, status, started_us, ended_us, span_count, open_count, error_count,
                    canceled_count, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
                    cost_nusd, priced_count, unpriced_count, environment)
VALUES (1, 't', '', 'running', {start}, {start}, 6, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'dev');
INSERT INTO spans (id, rid, trace_key, span_id, name, kind, status, started_us, duration_us, provider, model, prompt_id,
                   execution_id, input_tokens, output_tokens, cost_nusd, unpriced, environment, flags)
VALUES (1, 'r1', 1, 's1', '', 'llm', 'succeeded', {start}, 1000000, 'openai', 'gpt-4o', 'p', 'e1', 10, 5, 7, FALSE, 'dev', 0),
       (2, 'r2', 1, 's2', '', 'llm', 'succeeded', {start}, 3000000, 'openai', 'gpt-4o', 'p', NULL, 1, 1, NULL, TRUE, 'dev', 0),
       (3, 'r3', 1, 's3', '', 'llm', 'failed', {start} + {day}, 9, NULL, 'x', NULL, NULL, NULL, NULL, NULL, FALSE, '', 0),
       (4, 'r4', 1, 's4', '', 'llm', 'canceled', {start} + {day}, 9, NULL, 'x', NULL, NULL, 3, 1, 2, FALSE, '', 0),
       (5, 'r5', 1, 's5', '', 'llm', 'running', {start}, NULL, NULL, 'x', NULL, NULL, NULL, NULL, NULL, FALSE, '', 0),
       (6, 'r6', 1, 's6', '', 'tool', 'succeeded', {start}, 5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, FALSE, 'dev', 0);
INSERT INTO daily_costs (day, provider, model, prompt_id, environment, calls, errors, input_tokens, cache_read_tokens,
                         cache_write_tokens, output_tokens, reasoning_tokens, cost_nusd, unpriced, duration_us)
VALUES ('2026-01-01', 'openai', 'gpt-4o', 'p', 'dev', 2, 0, 11, 0, 0, 6, 0, 7, 1, 4000000),
       ('2026-01-02', '', 'x', '', '', 2, 1, 3, 0, 0, 1, 0, 2, 0, 18);
"""


@pytest.fixture
def former(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """While it lasts this process is the former release, which knows two steps."""
    scripts = tmp_path / "former"
    shutil.copytree(Path(migrations.__file__).parent, scripts, ignore=shutil.ignore_patterns("__pycache__", "000[34]*"))
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "SCRIPTS", scripts)
        for module in (migrate, sqlite, postgres):
            patch.setattr(module, "SCHEMA", 2)
        patch.setattr(postgres, "REVISIONS", migrations.REVISIONS[:2])
        yield patch


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_step_counts_what_is_there(
    kind: str, former: pytest.MonkeyPatch, paths: Paths, request: pytest.FixtureRequest
) -> None:
    """Days by version, users, sessions, latencies and renders of old facts are there, as a recount has them."""
    target = str(paths.database) if kind == "sqlite" else request.getfixturevalue("postgres_url")
    old = Database(target, paths)
    old.prepare()
    with old.lean_write() as lean:
        for statement in FACTS.format(start=START_US, day=DAY_US).split(";\n")[:-1]:
            lean.execute(statement)
    old.close()
    former.undo()
    database = Database(target, paths)
    assert database.state() == "outdated"
    database.prepare()
    with database.lean() as lean:
        assert recount.differences(lean) == dict.fromkeys(recount.TABLES, 0)
        costs = "SELECT day, version_id, calls, errors, canceled, input_tokens, cost_nusd, unpriced FROM daily_costs ORDER BY day"
        assert lean.fetch(costs) == [("2026-01-01", "", 2, 0, 0, 11, 7, 1), ("2026-01-02", "", 2, 1, 1, 3, 2, 0)]
        parties = "SELECT kind, day, party, calls, cost_nusd FROM daily_parties ORDER BY kind"
        assert lean.fetch(parties) == [("session", "2026-01-01", "s1", 1, 7), ("user", "2026-01-01", "ann", 1, 7)]
        assert lean.fetch("SELECT day, prompt_id, uses FROM daily_uses ORDER BY day, prompt_id") == [
            ("2026-01-01", "p", 1), ("2026-01-02", "", 1), ("2026-01-02", "p", 1),
        ]  # fmt: skip
        ((*latency, first_lowest, first_counts),) = lean.fetch(
            "SELECT latency_lowest, latency_counts, first_lowest, first_counts FROM daily_latencies"
        )
        assert unpack(*latency) == count([1_000_000, 3_000_000])
        assert unpack(first_lowest, first_counts) == count([250_000])
    database.close()
