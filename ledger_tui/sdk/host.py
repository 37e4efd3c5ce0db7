"""What the method groups of `PromptLedger` ask of it: its services, and nothing of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ledger_tui.services.executing import Workspace

if TYPE_CHECKING:
    from ledger_tui.sdk.rendering import Renderer
    from ledger_tui.services.analytics import AnalyticsService
    from ledger_tui.services.code_prompts import CodePromptService
    from ledger_tui.services.usages import UsageService
    from ledger_tui.store.database import Database


class Host(Workspace, Protocol):
    """A ledger as its method groups see it."""

    @property
    def is_tracking(self) -> bool: ...

    @property
    def database(self) -> Database: ...

    @property
    def renderer(self) -> Renderer: ...

    @property
    def usages(self) -> UsageService: ...

    @property
    def code_prompts(self) -> CodePromptService: ...

    @property
    def analytics(self) -> AnalyticsService: ...
