"""PromptLedger: built once, it hands out the services. It is what front ends hold and what programs import."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ledger_tui.device import device_of
from ledger_tui.errors import InputError
from ledger_tui.paths import Paths, default_paths
from ledger_tui.sdk.code_prompts import CodePrompts
from ledger_tui.sdk.prompting import Prompting
from ledger_tui.sdk.queueing import Queueing
from ledger_tui.sdk.recording import Recording
from ledger_tui.sdk.reports import Reports
from ledger_tui.sdk.rooms import Rooms
from ledger_tui.sdk.running import Running
from ledger_tui.sdk.spanning import Spanning
from ledger_tui.store.database import Database

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_tui.services.code_sources import CodeRegistry
    from ledger_tui.services.models import StandIn
    from ledger_tui.services.redaction import RedactionRule
    from ledger_tui.settings import Settings

Mode = Literal["full", "tracking_only"]
F = TypeVar("F", bound=Callable[..., Any])

_latest: weakref.ref[PromptLedger] | None = None
_own: PromptLedger | None = None


class PromptLedger(Rooms, Recording, Prompting, Running, Queueing, CodePrompts, Reports, Spanning):
    """One workspace. Cheap to make: nothing is opened before it is needed.

    database_url: a file path, ``sqlite:///`` or ``postgresql://`` address; else ``LEDGER_DATABASE_URL``, else the
    workspace under the platform's data folder. environment: else ``LEDGER_ENVIRONMENT``, else the settings'.
    mode: with ``tracking_only``, ``execute`` and ``render`` take the texts that the code has. code_registry: where those
    are: a function from name to template, a class, a module, a mapping, or the path of a folder of files.
    Raises InputError for another mode.
    redact: what is hidden before a span, a run or a render is stored: names ("keys", "emails", "cards", "iban", "phones"), compiled
    patterns, and functions ``(kind, field, text) -> text``.
    as_of: an aware moment; the ledger then shows prompts, prices and runs as they stood, and writing raises ReadOnlyMoment.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        paths: Paths | None = None,
        environment: str | None = None,
        settings: Settings | None = None,
        mode: Mode = "full",
        code_registry: CodeRegistry | None = None,
        redact: Sequence[RedactionRule] = (),
        as_of: datetime | None = None,
    ) -> None:
        global _latest
        self._redact = tuple(redact)
        self._stand_in: StandIn | None = None
        if mode not in ("full", "tracking_only"):
            raise InputError(f"{mode!r} is not a mode", remedy="Modes are full and tracking_only.")
        self.mode = mode
        self.is_tracking = mode == "tracking_only"
        self._code_registry = code_registry
        self.paths = paths or default_paths()
        self._given_settings = settings
        self._given_environment = environment
        self._target = database_url or os.environ.get("LEDGER_DATABASE_URL") or self.paths.database
        self.as_of = as_of
        self.database = Database(self._target, self.paths) if as_of is None else _at(self._target, self.paths, as_of)
        if as_of is None:
            _latest = weakref.ref(self)

    @cached_property
    def _loaded_settings(self) -> tuple[Settings, list[Any]]:
        from ledger_tui.settings import load_settings

        return (self._given_settings, []) if self._given_settings is not None else load_settings(self.paths)

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._loaded_settings[0]

    @property
    def settings_problems(self) -> list[Any]:
        """Mistakes in the settings file, one error each."""
        return self._loaded_settings[1]

    def reload_settings(self) -> None:
        """Read the settings file again; runs and models of the next calls follow it. Settings given by a program stay."""
        for name in ("_loaded_settings", "runs", "models", "forecasts", "usages", "renderer"):
            self.__dict__.pop(name, None)

    @property
    def environment(self) -> str:
        """Where runs count: dev, staging, production ..."""
        return self._given_environment or self.settings.environment

    def prepare(self) -> None:
        """Create the database or bring it to this release, and take over what killed processes left; raises StoreError."""
        from ledger_tui.services.recovery import end_interrupted

        self.database.prepare()
        if self.as_of is not None:
            return
        end_interrupted(self.database, self.device())
        self._adopt()

    def author(self) -> str:
        """Who writes: the setting, else git's user name, else the login."""
        return self.settings.author or "unknown"

    def device(self) -> str:
        """This installation's name, kept in the data folder: the machine's and eight random digits."""
        return device_of(self.paths.data)

    def answer_with(self, stand_in: StandIn | None) -> None:
        """Let ``stand_in(name)`` answer for every provider from now on; None: those of the settings again.

        For providers of a program's own, and for tests (``ledger_tui.testing``).
        """
        self._stand_in = stand_in

    def at(self, moment: datetime | None) -> PromptLedger:
        """The same workspace as it stood at an aware moment, to read only; None: as it is. To be prepared and closed.

        Raises InputError for a moment without a zone, before 1970 or still to come.
        """
        other = PromptLedger(
            str(self._target),
            paths=self.paths,
            environment=self._given_environment,
            settings=self._given_settings,
            mode=self.mode,
            code_registry=self._code_registry,
            redact=self._redact,
            as_of=moment,
        )
        other.answer_with(self._stand_in)
        return other

    def close(self) -> None:
        """Write what waits, end the helper processes and close connections; a second call does nothing.

        Spans that cannot be brought into the database now are kept for the next program.
        """
        global _latest
        if _latest is not None and _latest() is self:
            _latest = None
        if "queue" in self.__dict__:
            self.queue.close()
        if "_door" in self.__dict__:
            self._door.close()
        if "budget_watch" in self.__dict__:
            self.budget_watch.close()
        self._stop_recording()
        if "templates" in self.__dict__:
            self.templates.close()
        self.database.close()

    def __enter__(self) -> PromptLedger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PromptLedger({self.database.label!r})"


def default_ledger() -> PromptLedger:
    """The ledger that the running code is inside of, else the one made last, else one of the default workspace."""
    global _own
    from ledger_tui.sdk.context import innermost

    here = innermost()
    if here is not None and isinstance(here.ledger, PromptLedger):
        return here.ledger
    latest = _latest() if _latest is not None else None
    if latest is None:
        latest = _own = PromptLedger()
    return latest


@overload
def observe(function: F, /) -> F: ...


@overload
def observe(
    function: None = None,
    /,
    *,
    name: str | None = None,
    kind: str = "span",
    capture_input: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, Any] | None = None,
    live: bool = False,
) -> Callable[[F], F]: ...


def observe(function: Any = None, /, **options: Any) -> Any:
    """``PromptLedger.observe`` of the ledger that is the default one when the function is called."""
    from ledger_tui.sdk.observing import Observer

    observer = Observer(lambda: default_ledger().tracer, **options)
    return observer if function is None else observer(function)


def _at(target: str | Path, paths: Paths, as_of: datetime) -> Database:
    from ledger_tui.domain import clock
    from ledger_tui.store.as_of import AsOfDatabase

    if as_of.tzinfo is None:
        raise InputError("a time without a zone", remedy="Give an aware datetime, such as datetime.now(UTC).")
    return AsOfDatabase(target, paths, clock.to_us(as_of))
