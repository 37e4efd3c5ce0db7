"""Running prompts, and reading the traces that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.results import ExecuteResult, RunOptions, SpanInfo, TraceInfo


class Running:
    """The part of `PromptLedger` about calls to models."""

    def execute(
        self: Host, name: str, variables: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> ExecuteResult:
        """Run a prompt and store the run; a call that the provider fails is a result with status ``failed``.

        In tracking mode the text is the code's, unless ``version`` or ``label`` names one. Raises NotFound, TemplateError,
        StoreError before anything is sent.
        """
        from ledger_tui.sdk.context import placed
        from ledger_tui.sdk.saving import chosen
        from ledger_tui.services.executing import closing, execute, wait_for

        return wait_for(closing(self, execute(self, name, variables or {}, placed(self, options), chosen)))

    async def aexecute(
        self: Host, name: str, variables: Mapping[str, Any] | None = None, **options: Unpack[RunOptions]
    ) -> ExecuteResult:
        """``execute`` for code that runs in an event loop; cancelling the task cancels the call and stores what came."""
        from ledger_tui.sdk.context import placed
        from ledger_tui.sdk.saving import chosen
        from ledger_tui.services.executing import execute

        return await execute(self, name, variables or {}, placed(self, options), chosen)

    def get_trace(self: Host, trace_id: str) -> TraceInfo:
        """A trace in sums; raises NotFound."""
        from ledger_tui.services.executing import trace_info

        self.prepare()
        return trace_info(self.traces.trace(trace_id))

    def get_trace_tree(self: Host, trace_id: str) -> list[SpanInfo]:
        """The steps of a trace in tree order, each with its depth; raises NotFound."""
        from ledger_tui.services.executing import span_infos

        self.prepare()
        return span_infos(self.traces.tree(trace_id))
