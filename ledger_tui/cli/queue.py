"""``ledger-tui worker`` and ``ledger-tui result``: make queued calls, and look at how one stands."""

from __future__ import annotations

import asyncio
import math
import signal
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from ledger_tui.cli import output, shapes
from ledger_tui.cli.front import DONE, FAILED, INTERRUPTED, Front, json_option, pass_front
from ledger_tui.errors import LedgerError

if TYPE_CHECKING:
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.sdk.results import ExecuteResult
    from ledger_tui.services.queue_worker import Ended


@click.command()
@click.option("--once", is_flag=True, help="End when nothing is due any more, instead of waiting for more.")
@click.option("--sync", "share", is_flag=True, help="Exchange with the shared ledger meanwhile, when there is one.")
@json_option
@pass_front
def worker(front: Front, /, once: bool, share: bool, as_json: bool) -> int:
    """Make queued calls until interrupted.

    A call that times out, or is answered with 429 or 5xx, is made again after 5 s, 30 s and 2 min. ctrl+c and SIGTERM
    give calls that run a moment to end and hand the others back.
    """
    count = _Count(quiet=as_json)
    with front.ledger() as ledger:
        ledger.database.check_writable()
        if not once:
            output.say("◌ Waiting for queued calls; ctrl+c ends.")
        with _shared(ledger) if share else nullcontext():
            interrupted = asyncio.run(_work(ledger, once, count))
    if as_json:
        output.document(count.told())
    else:
        output.say(f"{count.succeeded} succeeded, {count.failed} failed, {count.waiting} wait for another attempt")
    return INTERRUPTED if interrupted else DONE


def _shared(ledger: PromptLedger) -> AbstractContextManager[object]:
    """Exchange by itself, as a program that nobody looks at."""
    from ledger_tui.services.sync_runner import exchanging

    return exchanging(ledger.sync, in_front=False)


async def _work(ledger: PromptLedger, once: bool, count: _Count) -> bool:
    """Run the queue; whether a signal ended it."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    working = asyncio.ensure_future(ledger.queue.work(once=once, tell=count))
    asking = asyncio.ensure_future(asked.wait())
    try:
        await asyncio.wait({working, asking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asking.cancel()
    if asked.is_set() and not working.done():
        output.say("⊘ Ending; what runs gets a moment.")
        ledger.queue.stop_working()
    await working
    return asked.is_set()


@dataclass
class _Count:
    """Says how each attempt ended, and counts."""

    quiet: bool
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    retried: int = 0
    waits: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        return len(self.waits)

    def __call__(self, ended: Ended) -> None:
        self.waits.discard(ended.execution_id)
        if ended.status == "queued":
            self.retried += ended.wait_s is not None
            self.waits.add(ended.execution_id)
        elif ended.status in ("succeeded", "failed", "canceled"):
            setattr(self, ended.status, getattr(self, ended.status) + 1)
        if self.quiet:
            return
        words = f"{shapes.STATUS_GLYPHS.get(ended.status, '◌')} {ended.prompt or 'ad hoc run'} {ended.execution_id}"
        if ended.error:
            words += f" · {ended.error}"
        if ended.wait_s is not None:
            words += f"; attempt {ended.attempt + 1} in {ended.wait_s:g} s"
        output.say(words)

    def told(self) -> dict[str, int]:
        """As JSON."""
        names = ("succeeded", "failed", "canceled", "retried", "waiting")
        return {name: getattr(self, name) for name in names}


@click.command()
@click.argument("execution_id")
@click.option("--wait", is_flag=True, help="Wait until it has ended.")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer than that.")
@click.option("--cancel", is_flag=True, help="Cancel it if it has not ended.")
@json_option
@pass_front
def result(front: Front, /, execution_id: str, wait: bool, timeout: float | None, cancel: bool, as_json: bool) -> int:
    """Print the answer of a call, or how it stands.

    Exit code 0 for an answer, and for a call that has not ended and was not waited for; 1 when it failed.
    """
    waits = wait or timeout is not None
    with front.ledger() as ledger:
        found = ledger.cancel(execution_id) if cancel else _waited(ledger, execution_id, waits, timeout)
    return _shown(found, as_json, waited=waits, cancelled=cancel)


def show(ledger: PromptLedger, execution_id: str, as_json: bool) -> int:
    """Wait for a call and print its answer; the exit code."""
    return _shown(_waited(ledger, execution_id, True, None), as_json, waited=True, cancelled=False)


def _shown(found: ExecuteResult, as_json: bool, *, waited: bool, cancelled: bool) -> int:
    if as_json:
        output.document(found)
    elif found["output"]:
        output.text(found["output"])
    return _code(found, waited=waited, cancelled=cancelled)


def _waited(ledger: PromptLedger, execution_id: str, wait: bool, timeout: float | None) -> ExecuteResult:
    from ledger_tui.services.queue_results import stored_result

    if wait and ledger.queue.standing(execution_id)["status"] == "queued":
        output.say("◌ It is queued; the program that submitted it, or 'ledger-tui worker', makes the call.")
    seconds = (math.inf if timeout is None else timeout) if wait else 0
    return stored_result(ledger.queue.waited(execution_id, seconds))


def _code(found: ExecuteResult, *, waited: bool, cancelled: bool) -> int:
    status, error = found["status"], found["error"]
    if error is not None and status == "failed":
        output.complain(LedgerError(error["cause"], title=error["title"], remedy=error["remedy"]))
    elif status in ("queued", "running"):
        output.say(f"◌ {status}" + (f" after {found['attempts']} attempts" if found["attempts"] else ""))
        return FAILED if waited else DONE
    elif status == "canceled":
        output.say("⊘ canceled")
        return DONE if cancelled else FAILED
    return DONE if status == "succeeded" else FAILED
