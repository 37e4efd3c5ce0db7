"""Calls that are made later, by a thread of this program or by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import ExecuteResult, RunOptions, SubmitResult


class Queueing:
    """The part of `PromptLedger` about queued calls."""

    def submit(
        self: Host, name: str, variables: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> SubmitResult:
        """Queue a call and return at once; options as for ``execute``. A thread of this program makes the call.

        A call that times out, or is answered with 429 or 5xx, is made again after 5 s, 30 s and 2 min. What the program
        leaves when it ends waits in the ledger for the next one that submits, or for ``ledger-tui worker``. With an
        ``idempotency_key`` that was used before, the first call is returned as it stands.

        Raises what ``execute`` raises before anything is sent, and KeyTaken when the key is another prompt's.
        """
        from ledger_tui.sdk.context import placed
        from ledger_tui.sdk.saving import chosen
        from ledger_tui.services.queue_results import submit

        return submit(self, name, variables or {}, placed(self, options), chosen)

    async def asubmit(
        self: Host, name: str, variables: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> SubmitResult:
        """``submit`` for code that runs in an event loop."""
        import asyncio

        from ledger_tui.sdk.context import placed
        from ledger_tui.sdk.saving import chosen
        from ledger_tui.services.queue_results import submit

        return await asyncio.to_thread(submit, self, name, variables or {}, placed(self, options), chosen)

    def result(self: Host, execution_id: str, wait: float | None = None) -> ExecuteResult:
        """How a call stands: ``status`` is queued, running, succeeded, failed or canceled.

        wait: seconds to wait for its end (``math.inf`` for as long as it takes); while it waits, this program makes
        queued calls that no living program has. Raises NotFound.
        """
        from ledger_tui.services.queue_results import set_going, stored_result

        self.prepare()
        if not wait:
            return stored_result(self.queue.waited(execution_id, 0))
        set_going(self, execution_id)
        return stored_result(self.queue.waited(execution_id, wait))

    async def aresult(self: Host, execution_id: str, wait: float | None = None) -> ExecuteResult:
        """``result`` for code that runs in an event loop; holds no thread while it waits."""
        import asyncio

        from ledger_tui.services.queue_results import set_going, stored_result

        await asyncio.to_thread(self.prepare)
        if wait:
            await asyncio.to_thread(set_going, self, execution_id)
        return stored_result(await self.queue.awaited(execution_id, wait or 0))

    def cancel(self: Host, execution_id: str) -> ExecuteResult:
        """Cancel a queued or running call and return how it stands; one that has ended stays as it is.

        A call that runs in this program is stopped and what came is stored; one that another program runs ends at once,
        without what had come. Raises NotFound, and Conflict for a running call that was not submitted.
        """
        from ledger_tui.services.queue_results import stored_result

        self.prepare()
        return stored_result(self.queue.cancel(execution_id))

    async def acancel(self: Host, execution_id: str) -> ExecuteResult:
        """``cancel`` for code that runs in an event loop."""
        import asyncio

        return await asyncio.to_thread(Queueing.cancel, self, execution_id)
