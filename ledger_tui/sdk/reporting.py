"""Values of the services as the typed dictionaries that programs get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ledger_tui.domain import money
from ledger_tui.domain.content import PromptContent
from ledger_tui.services.code_prompts import FULL, Migration, Registration, template_of
from ledger_tui.services.executing import iso

if TYPE_CHECKING:
    from ledger_tui.domain.values import PromptRow
    from ledger_tui.sdk.results import (
        Analytics,
        MigrateResult,
        ModeSums,
        PromptHistory,
        PromptSumsInfo,
        RegisteredPrompt,
        RegisterResult,
        VersionHistory,
    )
    from ledger_tui.store.analytics import PromptSums, VersionText


def register_result(done: Iterable[Registration], dry_run: bool) -> RegisterResult:
    """What registering did."""
    return {"registered": [_registered(one) for one in done], "dry_run": dry_run}


def _registered(done: Registration) -> RegisteredPrompt:
    return {
        "name": done.name,
        "mode": done.mode,
        "version": done.version,
        "change_detected": done.action in ("new", "update"),
        "previous_version": done.previous if done.action == "update" else None,
        "action": done.action,
        "checksum": done.sha256,
        "git": {"commit": done.git.commit, "path": done.git.path, "dirty": done.git.dirty},
    }


def migrate_result(done: Iterable[Migration]) -> MigrateResult:
    """What a migration did."""
    return {
        "migrated": [
            {
                "name": one.name,
                "mode": FULL,
                "version": one.version,
                "previous_mode": one.previous_mode,
                "version_change": one.version_change,
            }
            for one in done
        ]
    }


def prompt_history(prompt: PromptRow, versions: Iterable[tuple[VersionText, int]]) -> PromptHistory:
    """The history of a prompt."""
    return {
        "prompt_name": prompt.name,
        "mode": prompt.mode,
        "current_version": prompt.active_number,
        "versions": [_version(text, count) for text, count in versions],
    }


def _version(text: VersionText, count: int) -> VersionHistory:
    content = PromptContent.from_json(text.content)
    return {
        "version": text.number,
        "checksum": text.sha256,
        "template_source": template_of(content),
        "messages": [{"role": message.role, "content": message.text} for message in content.messages],
        "created_at": iso(text.created_us),
        "author": text.author,
        "message": text.message,
        "execution_count": count,
        "git": {"commit": text.git_commit, "path": text.git_path, "dirty": text.git_dirty},
    }


def analytics(prompts: Iterable[PromptSums], modes: Sequence[str]) -> Analytics:
    """Sums by mode and by prompt, of the modes asked for."""
    rows = [row for row in prompts if row.mode in modes]
    by_mode = {mode: [row for row in rows if row.mode == mode] for mode in modes}
    live = {mode: sum(not row.archived for row in of_mode) for mode, of_mode in by_mode.items()}
    return {
        "summary": {
            "total_executions": sum(row.calls for row in rows),
            "total_prompts": sum(live.values()),
            "full_mode_prompts": live.get("full", 0),
            "tracking_mode_prompts": live.get("tracking", 0),
            "total_tokens": sum(row.input_tokens + row.output_tokens for row in rows),
            "total_cost": money.to_usd(sum(row.cost_nusd for row in rows)),
            "unpriced_count": sum(row.unpriced for row in rows),
        },
        "by_mode": {mode: _mode(of_mode, live[mode]) for mode, of_mode in by_mode.items()},
        "prompts": [_prompt(row) for row in rows],
    }


def _mode(rows: Sequence[PromptSums], prompt_count: int) -> ModeSums:
    calls = sum(row.calls for row in rows)
    return {
        "prompt_count": prompt_count,
        "execution_count": calls,
        "error_count": sum(row.errors for row in rows),
        "avg_latency_ms": _average_ms(sum(row.duration_us for row in rows), calls),
        "total_tokens": sum(row.input_tokens + row.output_tokens for row in rows),
        "total_cost": money.to_usd(sum(row.cost_nusd for row in rows)),
        "unpriced_count": sum(row.unpriced for row in rows),
    }


def _prompt(row: PromptSums) -> PromptSumsInfo:
    return {
        "name": row.name,
        "mode": row.mode,
        "version": row.active_number,
        "execution_count": row.calls,
        "error_count": row.errors,
        "avg_latency_ms": _average_ms(row.duration_us, row.calls),
        "total_tokens": row.input_tokens + row.output_tokens,
        "total_cost": money.to_usd(row.cost_nusd),
        "unpriced_count": row.unpriced,
    }


def _average_ms(duration_us: int, calls: int) -> float | None:
    return duration_us / calls / 1000 if calls else None
