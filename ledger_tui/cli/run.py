"""``ledger-tui run``: one call to a model, stored like every other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import DONE, FAILED, INTERRUPTED, Front, json_option, pass_front
from ledger_tui.cli.given import params_of, variables_of
from ledger_tui.domain import money
from ledger_tui.domain.calls import ModelName
from ledger_tui.errors import BudgetExceeded, LedgerError

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.queue import Ticket
    from ledger_tui.services.run_values import RunEvent, RunRequest, RunResult


@click.command()
@click.argument("name")
@click.option(
    "--var", multiple=True, metavar="K=V", help="A variable: k=text, k=@file, k=@- (standard input), k:=JSON."
)
@click.option("--inputs", metavar="SET", help="Start from a kept input set of the prompt.")
@click.option("--model", metavar="PROVIDER/MODEL", help="Else the version's own, else the setting default_model.")
@click.option("--version", metavar="REF", help="Number or hash prefix; else the active version.")
@click.option("--label", metavar="LABEL", help="The version that this label points to.")
@click.option(
    "--param", multiple=True, metavar="K=V", help="A parameter, e.g. temperature=0.2; wins over the version's."
)
@click.option("--stream", is_flag=True, help="Print the answer as it comes.")
@click.option("--queue", is_flag=True, help="Only queue the call and print its id; 'ledger-tui worker' makes it.")
@click.option("--estimate", is_flag=True, help="Only say what it would take; nothing is sent.")
@click.option(
    "--runs", type=click.IntRange(1, 1_000_000_000), default=1, metavar="N", help="With --estimate: for so many runs."
)
@click.option("--idempotency-key", metavar="TEXT", help="A second run under the same key is the first one's result.")
@click.option("--environment", metavar="NAME", help="Environment to record the run under.")
@click.option("--session", metavar="ID", help="Session id to record.")
@click.option("--user", metavar="ID", help="User identifier to record.")
@click.option("--trace-id", metavar="ID", help="Add the run to this trace (any text up to 128 characters).")
@click.option("--parent-span-id", metavar="ID", help="The step of that trace to hang it on.")
@json_option
@pass_front
def run(
    front: Front, /, name: str, stream: bool, queue: bool, estimate: bool, runs: int, as_json: bool, **options: Any
) -> int:
    """Run a prompt and print the answer.

    ctrl+c cancels the call; what came until then is stored.
    """
    if options["label"] and options["version"]:
        raise click.UsageError("give --label or --version, not both")
    if stream and as_json:
        raise click.UsageError("give --stream or --json, not both")
    if queue and stream:
        raise click.UsageError("give --stream or --queue, not both")
    if estimate and (queue or stream):
        raise click.UsageError("--estimate sends nothing: give it without --queue and --stream")
    if runs > 1 and not estimate:
        raise click.UsageError("--runs belongs to --estimate")
    from ledger_tui.services.executing import closing

    with front.ledger() as ledger:
        if estimate:
            from ledger_tui.cli.estimate import show as show_estimate

            show_estimate(ledger, *_request(ledger, name, options), runs, as_json)
            return DONE
        earlier = ledger.queue.earlier(options["idempotency_key"], name)
        if earlier is not None:
            return _earlier(ledger, earlier, queue, as_json)
        request, number = _request(ledger, name, options)
        with _telling(ledger) as tell:
            if queue:
                return _queued(ledger.queue.submit(request, for_anybody=True), as_json)
            watch = _Watch(stream)
            try:
                result = asyncio.run(closing(ledger, ledger.runs.run(request, watch)))
            except KeyboardInterrupt:
                return _interrupted(watch.result)
            code = _report(result, number, name, stream, as_json)
            tell()
    return code


@contextmanager
def _telling(ledger: PromptLedger) -> Iterator[Callable[[], None]]:
    """Gives what tells the alerts that came up; a call that a budget stops is told, and goes on being an error."""
    from ledger_tui.cli.budgets import tell_alerts

    def tell() -> None:
        try:
            ledger.alerts.look()
        except LedgerError as error:
            output.complain(error)
            return
        new, problems = ledger.alerts.take()
        tell_alerts(new)
        for problem in problems:
            output.complain(problem)

    try:
        yield tell
    except BudgetExceeded as error:
        ledger.alerts.refused(error)
        tell()
        raise


def _queued(ticket: Ticket, as_json: bool) -> int:
    if as_json:
        output.document({"execution_id": ticket.execution_id, "status": ticket.status, "mode": "async"})
    else:
        output.line(ticket.execution_id)
    output.say(
        f"◌ {ticket.status}; 'ledger-tui worker' makes queued calls, 'ledger-tui result ID --wait' waits for one"
    )
    return DONE


def _earlier(ledger: PromptLedger, execution_id: str, queue: bool, as_json: bool) -> int:
    """What a repeated idempotency key answers: the first call, waited for unless it is only to be queued."""
    from ledger_tui.cli.queue import show
    from ledger_tui.services.queueing import ticket_of

    if queue:
        return _queued(ticket_of(ledger.queue.standing(execution_id)), as_json)
    output.say(f"◌ This key was used before, by {execution_id}")
    return show(ledger, execution_id, as_json)


class _Watch:
    """Prints an answer as it comes when that is wanted, and keeps how the run ended."""

    def __init__(self, stream: bool) -> None:
        self.stream = stream
        self.result: RunResult | None = None

    def __call__(self, event: RunEvent) -> None:
        from ledger_tui.services.run_values import RunEnded, RunText, RunWaits

        if isinstance(event, RunText) and self.stream:
            output.piece(event.text)
        elif isinstance(event, RunWaits):
            output.say(f"◌ {event.reason}; trying again in {event.seconds:g} s")
        elif isinstance(event, RunEnded):
            self.result = event.result


def _request(ledger: PromptLedger, name: str, options: dict[str, Any]) -> tuple[RunRequest, int]:
    from ledger_tui.errors import NotFound
    from ledger_tui.services.run_values import RunRequest

    version = ledger.registry.version(name, options["label"] or options["version"])
    content = ledger.registry.content(version.id)
    variables: dict[str, Any] = {}
    if options["inputs"]:
        sets = {kept.name: kept.variables for kept in ledger.registry.input_sets(name)}
        if options["inputs"] not in sets:
            known = ", ".join(sets) or "none"
            raise NotFound(f"{name} has no input set {options['inputs']}", remedy=f"It has: {known}.")
        variables.update({key: value for key, value in sets[options["inputs"]].items() if not key.startswith("@")})
    variables.update(variables_of(options["var"]))
    request = RunRequest(
        content=content,
        model=options["model"] or content.model or ledger.settings.default_model,
        variables=variables,
        prompt_name=name,
        version_id=version.id,
        params=params_of(options["param"]),
        environment=options["environment"],
        session_id=options["session"],
        user_identifier=options["user"],
        trace_id=options["trace_id"],
        parent_span_id=options["parent_span_id"],
        source="cli",
        idempotency_key=options["idempotency_key"],
    )
    return request, version.number


def _interrupted(result: RunResult | None) -> int:
    output.say("")
    if result is None:
        output.say("⊘ Interrupted before anything was sent.")
    else:
        output.say(f"⊘ Cancelled. What came is stored: ledger-tui traces show {result.trace_id}")
    return INTERRUPTED


def _report(result: RunResult, number: int, name: str, stream: bool, as_json: bool) -> int:
    from ledger_tui.services.executing import execute_result

    if as_json:
        output.document(execute_result(result, name, number))
    elif not stream:
        output.text(result.output)
    elif not result.output.endswith("\n") and output.is_terminal(sys.stdout):
        output.piece("\n")
    if result.status == "failed":
        output.complain(LedgerError(result.error, title=result.error_title, remedy=result.remedy))
    if result.unsaved is not None:
        output.complain(result.unsaved)
    cost = "unpriced" if result.unpriced else money.show(result.cost_nusd)
    glyph = shapes.STATUS_GLYPHS[result.status]
    output.say(
        f"{glyph} v{number} · {ModelName(result.provider, result.model)} · {shapes.tokens(result.tokens.total)} tokens · {cost} · "
        f"{shapes.duration(result.latency_us)} · trace {result.trace_id}"
    )
    return DONE if result.status == "succeeded" and result.unsaved is None else FAILED
