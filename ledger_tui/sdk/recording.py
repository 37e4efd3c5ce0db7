"""The recording half of PromptLedger; what it needs is loaded with the first span."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ledger_tui.paths import Paths
    from ledger_tui.sdk.door import Door
    from ledger_tui.sdk.recorder import Recorder
    from ledger_tui.services.models import ModelService
    from ledger_tui.services.spooling import SpoolState
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database

ADOPT_S = 0.3
"""How long opening a workspace waits for what ended programs left; the rest comes in the background."""
READ_S = 5.0
"""How long a read waits for spans that are recorded but not stored yet."""
_making = threading.Lock()


class Recording:
    """Mixed into PromptLedger: spans of a program's own calls."""

    if TYPE_CHECKING:
        paths: Paths
        database: Database

        @property
        def settings(self) -> Settings: ...
        @property
        def environment(self) -> str: ...
        @property
        def models(self) -> ModelService: ...
        @property
        def _door(self) -> Door: ...
        def device(self) -> str: ...

    _made_recorder: Recorder | None = None

    @property
    def _recorder(self) -> Recorder:
        made = self._made_recorder
        return made if made is not None else self._make_recorder()

    def _make_recorder(self) -> Recorder:
        from ledger_tui.sdk.recorder import Recorder
        from ledger_tui.store.failures import translated

        self.database.check_writable()
        with _making:
            if self._made_recorder is None:
                me = weakref.ref(self)
                settings, database, paths = self.settings, self.database, self.paths

                def models() -> ModelService:
                    from ledger_tui.services.models import ModelService

                    ledger = me()
                    return ModelService(database, settings) if ledger is None else ledger.models

                with translated():
                    device = self.device()
                made = Recorder(
                    database,
                    paths,
                    settings,
                    environment=self.environment,
                    device=device,
                    models=models,
                    door=self._door,
                )
                weakref.finalize(self, made.spooler.let_go).atexit = False
                if type(self).log_external_span is Recording.log_external_span:
                    # From now on the call goes straight to the work.
                    self.__dict__["log_external_span"] = made.span
                self._made_recorder = made
            return self._made_recorder

    def log_external_span(
        self,
        trace_id: str | None = None,
        parent_span_id: str | None = None,
        name: str = "",
        kind: str = "llm",
        input_data: Any = None,
        output_data: Any = None,
        model: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        duration_ms: float | None = None,
        status: str = "ok",
        attributes: Mapping[str, Any] | None = None,
        *,
        span_id: str | None = None,
        agent_id: str | None = None,
        session_id: str | None = None,
        user_identifier: str | None = None,
        environment: str | None = None,
        started_at: datetime | str | None = None,
        provider: str | None = None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        cost: Decimal | float | str | None = None,
        error: str | None = None,
        error_type: str | None = None,
        prompt_name: str | None = None,
        execution_id: str | None = None,
    ) -> str:
        """Record a step that happened outside of this ledger, and return its span id.

        When it returns, the span survives a kill of the program; it is in the database within 200 ms, or when
        ``flush`` returns. Never waits for the database. Ids are any text of up to 128 characters. Inside an open span of
        this ledger, a record of its trace, or without ``trace_id``, is a step of that span, and has its environment,
        session and user where it names none; elsewhere, without ``trace_id``, a new trace begins. ``started_at`` is a
        datetime with a zone (or ISO text), else ``duration_ms`` before now. Input and output are text or JSON values, cut
        at ``max_rendered_kb`` and ``max_response_kb``. ``prompt_tokens`` includes cached and cache-write tokens,
        ``completion_tokens`` includes reasoning. ``cost`` in USD; without it the price book decides when model and tokens
        are known. A span with status ``running`` is ended by a later one of the same trace and span id, or as interrupted
        when its program dies.

        Raises InputError for what cannot be true or stored, StoreError when the disk takes nothing.
        """
        return self._recorder.span(
            trace_id, parent_span_id, name, kind, input_data, output_data, model, prompt_tokens, completion_tokens,
            duration_ms, status, attributes,
            span_id=span_id, agent_id=agent_id, session_id=session_id, user_identifier=user_identifier,
            environment=environment, started_at=started_at, provider=provider, cached_tokens=cached_tokens,
            cache_write_tokens=cache_write_tokens, reasoning_tokens=reasoning_tokens, cost=cost, error=error,
            error_type=error_type, prompt_name=prompt_name, execution_id=execution_id,
        )  # fmt: skip

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until every span recorded before is in the database, also what ended programs left.

        False when other programs held the database for longer than ``timeout_s`` (None: 30 seconds); raises
        StoreError when it cannot be written for another reason. The spans are safe on disk in any case.
        """
        return self._recorder.spooler.flush(timeout_s)

    def spool_state(self) -> SpoolState:
        """How recording stands: what waits, what was counted, what is wrong."""
        return self._recorder.spooler.state()

    def _settle(self) -> None:
        """Before a read: bring this program's own spans into the database, without waiting long for others."""
        made = self._made_recorder
        if made is not None and made.spooler.behind():
            made.spooler.flush(READ_S)

    def _adopt(self) -> None:
        """Take over what ended programs left: at once when it is little, else in the background; end what they began."""
        from ledger_tui.store import spool

        if spool.has_orphan(spool.folder_of(self.database.path, self.database.label, self.paths)):
            self._recorder.spooler.adopt(ADOPT_S)
        else:
            from ledger_tui.services.abandoned import end_abandoned

            end_abandoned(self.database, self.device())

    def _stop_recording(self) -> None:
        if self._made_recorder is not None:
            self._made_recorder.spooler.close()
