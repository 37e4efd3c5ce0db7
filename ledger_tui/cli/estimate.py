"""``ledger-tui run NAME --estimate``: what runs will take, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger_tui.cli import output
from ledger_tui.domain import money
from ledger_tui.errors import TemplateError

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.forecast import Forecast, Range
    from ledger_tui.services.run_values import RunRequest


def show(ledger: PromptLedger, request: RunRequest, number: int, runs: int, as_json: bool) -> None:
    """Print the forecast of ``runs`` runs; templates are counted as they are while values are missing."""
    from ledger_tui.domain.includes import Origin

    origin = Origin(request.prompt_name, request.version_id)
    subject: Any = request.content
    note = ""
    try:
        subject = ledger.templates.render(request.content, request.variables, origin)
    except TemplateError as error:
        note = f"Counted as the templates stand, without values: {error.title.lower()}."
    (one,) = ledger.forecasts.forecast(subject, [request.model], prompt=request.prompt_name, runs=runs)
    if as_json:
        output.document({"prompt": request.prompt_name, "version": number, "rendered": not note, **forecast_shape(one)})
        return
    tokens, cost = one.output_tokens, one.cost_nusd
    rows = [["input", f"{one.input_tokens:,}", "", _money(one.input_cost_nusd)]]
    if tokens is not None:
        named = (("short answers (5 %)", "low"), ("usual answers (median)", "median"), ("long answers (95 %)", "p95"))
        for words, name in named:
            total = None if cost is None else getattr(cost, name)
            rows.append(["with " + words, f"{one.input_tokens:,}", f"{getattr(tokens, name):,}", _money(total)])
    output.table(["", "TOKENS IN", "TOKENS OUT", "COST"], rows, right=(1, 2, 3))
    times = f"{runs:,} run{'' if runs == 1 else 's'}"
    output.say(f"~ {times} of {request.prompt_name} v{number} with {one.model}; nothing was sent. {_from(one)}")
    if note:
        output.say(note)


def forecast_shape(one: Forecast) -> dict[str, Any]:
    """A forecast as JSON; of all runs together, null where nobody knows."""
    from ledger_tui.services.executing import usd

    return {
        "model": one.model,
        "runs": one.runs,
        "input_tokens": one.input_tokens,
        "output_tokens": _range(one.output_tokens),
        "input_cost_usd": usd(one.input_cost_nusd),
        "input_cost_nusd": one.input_cost_nusd,
        "cost_usd": None if one.cost_nusd is None else {k: usd(v) for k, v in (_range(one.cost_nusd) or {}).items()},
        "cost_nusd": _range(one.cost_nusd),
        "answers_seen": one.seen,
        "of_this_model": one.of_this_model,
    }


def _range(found: Range | None) -> dict[str, int] | None:
    return None if found is None else {"low": found.low, "median": found.median, "p95": found.p95}


def _money(nusd: int | None) -> str:
    return "—" if nusd is None else f"~{money.show(nusd)}"


def _from(one: Forecast) -> str:
    if one.output_tokens is None:
        return "Answer length unknown: this prompt has no finished run yet."
    whose = "this model's" if one.of_this_model else "other models'"
    return f"Answers as long as {whose} last {one.seen:,} with this prompt."
