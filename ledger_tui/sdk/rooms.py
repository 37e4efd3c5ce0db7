"""The services of a ledger, each made when it is first asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger_tui.paths import Paths
    from ledger_tui.sdk.door import Door
    from ledger_tui.sdk.host import Host
    from ledger_tui.sdk.recorder import Recorder
    from ledger_tui.sdk.rendering import Renderer
    from ledger_tui.services.alerts import AlertService
    from ledger_tui.services.analytics import AnalyticsService
    from ledger_tui.services.arrivals import ArrivalService
    from ledger_tui.services.budget_watch import BudgetWatch
    from ledger_tui.services.budgets import BudgetService
    from ledger_tui.services.care import CareService
    from ledger_tui.services.code_prompts import CodePromptService
    from ledger_tui.services.code_sources import CodeRegistry
    from ledger_tui.services.conflicts import ConflictService
    from ledger_tui.services.costs import CostService
    from ledger_tui.services.drafts import DraftService
    from ledger_tui.services.drift import DriftService
    from ledger_tui.services.export import ExportService
    from ledger_tui.services.forecast import ForecastService
    from ledger_tui.services.linking import LinkingService
    from ledger_tui.services.models import ModelService, StandIn
    from ledger_tui.services.prices import PriceService
    from ledger_tui.services.prompt_folder import PromptFolderService
    from ledger_tui.services.queueing import QueueService
    from ledger_tui.services.redaction import RedactionRule
    from ledger_tui.services.registry import RegistryService
    from ledger_tui.services.retention import RetentionService
    from ledger_tui.services.run_redaction import RunRedaction
    from ledger_tui.services.runs import RunService
    from ledger_tui.services.sync import SyncService
    from ledger_tui.services.templates import TemplateService
    from ledger_tui.services.traces import TraceService
    from ledger_tui.services.usages import UsageService
    from ledger_tui.settings import Settings
    from ledger_tui.store.database import Database


class Rooms:
    """The part of `PromptLedger` that makes its services."""

    if TYPE_CHECKING:
        database: Database
        paths: Paths
        _redact: Sequence[RedactionRule]
        _stand_in: StandIn | None
        _code_registry: CodeRegistry | None

        @property
        def settings(self) -> Settings: ...
        @property
        def environment(self) -> str: ...
        @property
        def _recorder(self) -> Recorder: ...
        @property
        def _door(self) -> Door: ...
        def author(self) -> str: ...
        def device(self) -> str: ...
        def _settle(self) -> None: ...

    @cached_property
    def registry(self) -> RegistryService:
        """Prompts, versions, labels."""
        from ledger_tui.services.registry import RegistryService

        return RegistryService(self.database, author=self.author, device=self.device)

    @cached_property
    def conflicts(self) -> ConflictService:
        """What several people wrote at once."""
        from ledger_tui.services.conflicts import ConflictService

        return ConflictService(self.database, author=self.author, device=self.device)

    @cached_property
    def templates(self) -> TemplateService:
        """Checking and rendering templates in a limited helper process."""
        from ledger_tui.services.includes import IncludeService
        from ledger_tui.services.templates import TemplateService

        return TemplateService(IncludeService(self.database))

    @cached_property
    def drafts(self) -> DraftService:
        """Unsaved edits."""
        from ledger_tui.services.drafts import DraftService

        return DraftService(self.paths)

    @cached_property
    def models(self) -> ModelService:
        """Providers, their models and keys."""
        from ledger_tui.services.models import ModelService

        return ModelService(self.database, self.settings, stand_in=lambda: self._stand_in)

    @cached_property
    def runs(self) -> RunService:
        """Calls to models."""
        from ledger_tui.services.runs import RunService

        return RunService(
            self.database,
            self.templates,
            self.models,
            settings=self.settings,
            environment=self.environment,
            device=self.device,
            redaction=self._run_redaction(),
            watch=self.budget_watch,
        )

    @cached_property
    def queue(self) -> QueueService:
        """Calls that are made later."""
        from ledger_tui.services.queueing import QueueService

        return QueueService(
            self.database,
            lambda: self.runs,
            device=self.device,
            concurrency=lambda: self.settings.queue_concurrency,
        )

    @cached_property
    def traces(self) -> TraceService:
        """What happened, step by step."""
        from ledger_tui.services.traces import TraceService

        return TraceService(self.database, before_read=self._settle)

    @cached_property
    def costs(self) -> CostService:
        """What was spent."""
        from ledger_tui.services.costs import CostService

        return CostService(self.database, before_read=self._settle)

    @cached_property
    def prices(self) -> PriceService:
        """What models cost: own prices, late pricing, and what-if."""
        from ledger_tui.services.prices import PriceService

        return PriceService(
            self.database, lambda: self.models, author=self.author, device=self.device, before_read=self._settle
        )

    @cached_property
    def usages(self) -> UsageService:
        """Keeping what was rendered without a call."""
        from ledger_tui.services.usages import UsageService

        return UsageService(
            self.database,
            settings=self.settings,
            environment=self.environment,
            append=self._recorder.spooler.append,
            redaction=self._run_redaction(),
        )

    @cached_property
    def renderer(self) -> Renderer:
        """Rendering for the calling program."""
        from ledger_tui.sdk.rendering import Renderer

        return Renderer(cast("Host", self))

    def _run_redaction(self) -> RunRedaction | None:
        if not self._redact:
            return None
        from ledger_tui.services.run_redaction import RunRedaction

        return RunRedaction(self._door.redactor)

    @cached_property
    def code_prompts(self) -> CodePromptService:
        """Prompts that live in code."""
        from ledger_tui.services.code_prompts import CodePromptService

        return CodePromptService(
            self.database, author=self.author, device=self.device, code_registry=self._code_registry
        )

    @cached_property
    def linking(self) -> LinkingService:
        """What programs send that belongs to no prompt yet."""
        from ledger_tui.services.linking import LinkingService

        return LinkingService(self.database, lambda: self.registry, before_read=self._settle)

    @cached_property
    def drift(self) -> DriftService:
        """Whether code and ledger agree."""
        from ledger_tui.services.drift import DriftService

        return DriftService(self.database, author=self.author, device=self.device)

    @cached_property
    def folders(self) -> PromptFolderService:
        """Prompts as files."""
        from ledger_tui.services.prompt_folder import PromptFolderService

        return PromptFolderService(self.database, author=self.author, device=self.device)

    @cached_property
    def analytics(self) -> AnalyticsService:
        """How often prompts ran."""
        from ledger_tui.services.analytics import AnalyticsService

        return AnalyticsService(self.database, before_read=self._settle)

    @cached_property
    def budgets(self) -> BudgetService:
        """Limits on spending."""
        from ledger_tui.services.budgets import BudgetService

        return BudgetService(self.database, author=self.author, device=self.device, before_read=self._settle)

    @cached_property
    def alerts(self) -> AlertService:
        """What is worth telling, once."""
        from ledger_tui.services.alerts import AlertService

        return AlertService(
            self.database, self.budgets, lambda: self.analytics, command=lambda: self.settings.alert_command
        )

    @cached_property
    def budget_watch(self) -> BudgetWatch:
        """Where budgets stand, for those who cannot wait."""
        from ledger_tui.services.budget_watch import BudgetWatch

        return BudgetWatch(self.database, self.budgets, self.alerts)

    @cached_property
    def forecasts(self) -> ForecastService:
        """What runs will cost."""
        from ledger_tui.services.forecast import ForecastService
        from ledger_tui.services.price_book import PriceBook

        return ForecastService(self.database, self.models, PriceBook(self.database), before_read=self._settle)

    @cached_property
    def exports(self) -> ExportService:
        """Rows of the ledger as files."""
        from ledger_tui.services.export import ExportService

        return ExportService(self.database, before_read=self._settle)

    @cached_property
    def retention(self) -> RetentionService:
        """Removing what is old."""
        from ledger_tui.services.retention import RetentionService

        return RetentionService(self.database, lambda: self.settings, before_read=self._settle)

    @cached_property
    def sync(self) -> SyncService:
        """Sharing the ledger with a team."""
        from ledger_tui.services.sync import SyncService

        return SyncService(self.database, self.paths, device=self.device, author=self.author, before_read=self._settle)

    @cached_property
    def arrivals(self) -> ArrivalService:
        """What came from colleagues."""
        from ledger_tui.services.arrivals import ArrivalService

        return ArrivalService(self.database, self.paths, device=self.device)

    @cached_property
    def care(self) -> CareService:
        """Doctor and backup."""
        from ledger_tui.services.care import CareService

        return CareService(self.database, self.paths)
