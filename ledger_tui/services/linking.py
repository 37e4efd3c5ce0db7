"""What programs send to models that no prompt of the registry explains; one call registers it and links the past calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_tui.domain import names
from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.conversation import MAX_CHARACTERS, read_conversation
from ledger_tui.domain.skeleton import Part, Skeleton
from ledger_tui.errors import InputError, NotFound
from ledger_tui.store import linking as store
from ledger_tui.store import traces

if TYPE_CHECKING:
    from ledger_tui.services.registry import RegistryService
    from ledger_tui.store.database import Database

WINDOW = 2_000
"""Spans that one transaction looks at when past calls are linked."""
MAX_LOOKED_AT = 1_000_000
"""Spans, the newest, among which past calls are looked for."""
MIN_FIXED = 8


@dataclass(frozen=True, slots=True)
class UnregisteredRow:
    """Calls whose messages have one thing in common and belong to no prompt."""

    fingerprint: str
    messages: tuple[tuple[str, tuple[Part, ...]], ...]
    """Role and parts of each message; None stands for a varying part."""
    sample: tuple[tuple[str, str], ...]
    """Role and text of the messages of the latest call."""
    calls: int
    first_us: int
    last_us: int
    models: tuple[str, ...]
    span_name: str
    """What the latest call was named."""
    trace_id: str | None
    """The trace of the latest call, None when it is gone."""
    span_key: int | None

    @property
    def content(self) -> PromptContent:
        """The prompt that registering makes: ``{{ value_1 }}`` and so on for the varying parts."""
        return Skeleton(self.messages).content()

    @property
    def text(self) -> str:
        """The fixed text in one line, varying parts as ``…``."""
        parts = ("…" if part is None else part for _, parts in self.messages for part in (*parts, "  "))
        return " ".join("".join(parts).split())


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering did."""

    name: str
    version_id: str
    linked: int
    """Past calls that belong to the version now."""


class LinkingService:
    """Unregistered prompts. Thread-safe."""

    def __init__(
        self,
        database: Database,
        registry: Callable[[], RegistryService],
        *,
        before_read: Callable[[], None] | None = None,
    ) -> None:
        """before_read: called before each read; brings in what is recorded but not stored yet."""
        self._database = database
        self._registry = registry
        self._before_read = before_read

    def count(self) -> int:
        """How many groups of calls wait to be registered or dismissed; cheap."""
        with self._database.lean() as lean:
            return store.count_groups(lean)

    def unregistered(self, limit: int = 100) -> list[UnregisteredRow]:
        """The groups that are neither registered nor dismissed, the most called first."""
        if not 1 <= limit <= store.MAX_GROUPS:
            raise InputError(f"a list has 1 to {store.MAX_GROUPS} rows, not {limit}")
        self._settle()
        with self._database.lean() as lean:
            found = []
            for row in store.groups(lean, dismissed=False, limit=limit):
                span = None if row.last_span_key is None else traces.span(lean, row.last_span_key)
                trace_id = None if span is None else traces.trace_of_span(lean, span.key)
                found.append(_row(row, "" if span is None else span.name, trace_id))
        return found

    def one(self, fingerprint: str) -> UnregisteredRow:
        """One group by its fingerprint, or by how that begins; raises NotFound."""
        found = [row for row in self.unregistered(store.MAX_GROUPS) if row.fingerprint.startswith(fingerprint)]
        if len(found) != 1 or not fingerprint:
            what = "more than one unregistered prompt begins" if found else "no unregistered prompt begins"
            raise NotFound(
                f"{what} with {fingerprint!r}",
                title="No such unregistered prompt",
                remedy="List them with: ledger-tui prompts unregistered",
            )
        return found[0]

    def register(self, fingerprint: str, name: str, content: PromptContent | None = None) -> Registered:
        """Make a prompt of a group's text, or of ``content``, in full mode, and link the group's past calls to it.

        A prompt of this name must not exist yet, unless its active version is that content (registering was
        interrupted). Raises NotFound, NameRefused, InputError for a text without fixed words, ContentRefused.
        """
        names.check_prompt_name(name)
        row = self.one(fingerprint)
        if content is None:
            content = row.content
            if sum(len("".join(part.split())) for _, parts in row.messages for part in parts if part) < MIN_FIXED:
                raise InputError(
                    "its calls have next to no text in common",
                    title="There is no prompt in this yet",
                    remedy="Give the prompt's text, or wait for more calls.",
                )
        registry = self._registry()
        version_id = self._saved(registry, name, content, row)
        linked = self._link_past(version_id, row)
        with self._database.lean_write() as lean:
            store.drop_group(lean, row.fingerprint)
        return Registered(name, version_id, linked)

    def dismiss(self, fingerprint: str) -> None:
        """Hide a group for good; its calls are still counted. Raises NotFound."""
        row = self.one(fingerprint)
        self._set_dismissed(row.fingerprint, True)

    def bring_back(self, fingerprint: str) -> None:
        """Show a dismissed group again; takes the whole fingerprint. Raises NotFound."""
        self._set_dismissed(fingerprint, False)

    def _set_dismissed(self, fingerprint: str, dismissed: bool) -> None:
        with self._database.lean_write() as lean:
            known = store.set_dismissed(lean, fingerprint, dismissed)
        if not known:
            raise NotFound(f"there is no unregistered prompt {fingerprint}", title="No such unregistered prompt")

    def _saved(self, registry: RegistryService, name: str, content: PromptContent, row: UnregisteredRow) -> str:
        try:
            known = registry.version(name)
        except NotFound:
            message = f"from {row.calls} calls of {row.span_name or 'a program'}"[:200]
            return registry.save(name, content, message=message).version.id
        if known.sha256 != content.sha256:
            raise InputError(
                f"there is a prompt named {name} with another text",
                title="The name is taken",
                remedy="Choose another name, or save the text there as a version.",
            )
        return known.id

    def _link_past(self, version_id: str, row: UnregisteredRow) -> int:
        """Link the calls of a group that are stored, the newest spans first, a window a transaction; how many."""
        from ledger_tui.services.call_linker import link_attributes
        from ledger_tui.services.matching import VersionFacts, fit_pattern, match_of, pattern_of

        with self._database.lean() as lean:
            head = store.version_head(lean, version_id)
            pattern = pattern_of(lean, head, store.contents(lean, [version_id]).get(version_id))
            high = store.newest_span(lean)
        if pattern is None:
            return 0
        owner: VersionFacts = pattern.owner
        linked, lowest = 0, max(0, high - MAX_LOOKED_AT)
        while high > lowest:
            with self._database.lean() as lean:
                calls = store.past_calls(lean, high - WINDOW, high)
            fitting = []
            for call in calls:
                if len(call.input) <= MAX_CHARACTERS and (fit := fit_pattern(pattern, read_conversation(call.input))):
                    fitting.append((call, link_attributes(call.attributes, match_of(owner, fit))))
            if fitting:
                with self._database.lean_write() as lean:
                    linked += store.link(lean, fitting, owner.prompt_id, version_id)
            high -= WINDOW
        return linked

    def _settle(self) -> None:
        if self._before_read is not None:
            self._before_read()


def _row(row: store.GroupRow, span_name: str, trace_id: str | None) -> UnregisteredRow:
    try:
        messages = Skeleton.from_json(row.skeleton).messages
        sample = tuple((str(one["role"]), str(one["text"])) for one in json.loads(row.sample))
    except (ValueError, TypeError, KeyError):
        messages, sample = (), ()
    return UnregisteredRow(
        row.fingerprint, messages, sample, row.calls, row.first_us, row.last_us, row.models, span_name, trace_id,
        row.last_span_key,
    )  # fmt: skip
