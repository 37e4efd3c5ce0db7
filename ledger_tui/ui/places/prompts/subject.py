"""The prompt that is open: what was read of it, and the edit that would change nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from ledger_tui.domain.content import PromptContent
from ledger_tui.domain.selection import Selection
from ledger_tui.domain.text import one_line
from ledger_tui.domain.values import ACTIVE, PromptRow, VersionRow
from ledger_tui.errors import NotFound
from ledger_tui.ui.places.prompts.edit import Edit

if TYPE_CHECKING:
    from ledger_tui.domain.call_stats import CallStats
    from ledger_tui.ledger import PromptLedger
    from ledger_tui.services.drafts import Draft


@dataclass(frozen=True)
class Subject:
    """A prompt with its versions. ``base`` is the version that is shown or edited, None for a prompt never saved."""

    name: str
    prompt: PromptRow | None = None
    versions: tuple[VersionRow, ...] = ()
    base: VersionRow | None = None
    content: PromptContent | None = None
    """The base version's content."""
    draft: Draft | None = None
    """The unsaved edit that was found, if any."""
    waiting: bool = False
    """Whether the draft waits while the base version is only shown."""
    past: bool = False
    """Whether it is the prompt of an earlier moment."""
    heads: frozenset[str] = frozenset()
    """Ids of the versions that stand beside each other, empty unless people wrote at once."""

    @cached_property
    def baseline(self) -> Edit:
        """The edit that changes nothing."""
        if self.content is None:
            return Edit(self.name)
        description = self.prompt.description if self.prompt else ""
        return Edit.of_content(self.name, description, self.content)

    @cached_property
    def edit(self) -> Edit:
        """What the editor shows first."""
        return Edit.of_draft(self.draft) if self.draft is not None and not self.waiting else self.baseline

    @property
    def read_only(self) -> bool:
        """Whether the text is only shown."""
        return self.waiting or self.past

    @property
    def base_is_active(self) -> bool:
        """Whether the base is what the name alone means."""
        return self.base is None or ACTIVE in self.base.labels


def read_subject(ledger: PromptLedger, name: str, version_id: str | None = None) -> Subject:
    """Read a prompt with versions, content and draft, for a thread; a name without a prompt gives an empty subject.

    With a ``version_id`` other than the draft's base, the draft waits; drafts are of the present.
    """
    past = ledger.as_of is not None
    draft = None if past else ledger.drafts.get(name)
    try:
        prompt = ledger.registry.prompt(name)
    except NotFound:
        return Subject(name, draft=draft, past=past)
    versions = tuple(ledger.registry.versions(name))
    wanted = version_id or (draft.based_on if draft else None)
    base = next((version for version in versions if version.id == wanted), None)
    if base is None:
        base = next((version for version in versions if ACTIVE in version.labels), versions[0] if versions else None)
    content = ledger.registry.content(base.id) if base else None
    waiting = bool(draft and version_id and draft.based_on != version_id)
    heads = frozenset(head.version_id for head in ledger.conflicts.heads(name)) if prompt.contested else frozenset()
    heads = heads if len(heads) > 1 else frozenset()
    return Subject(name, prompt, versions, base, content, draft, waiting, past, heads)


def came_words(subject: Subject, arrived: Collection[str]) -> str:
    """Says that a colleague wrote a newer version than the one that is shown; empty when nobody did. arrived: ids that came."""
    base = subject.base
    if base is None or subject.past:
        return ""
    newer = [version for version in subject.versions if version.id in arrived and version.number > base.number]
    if not newer:
        return ""
    number, author = newer[0].number, one_line(newer[0].author, 30)
    return f"• v{number} by {author} came. The text here is still v{base.number}; enter in Versions shows v{number}."


def version_figures(ledger: PromptLedger, name: str) -> dict[int, CallStats]:
    """How the calls of each version of a prompt went, by number; for a thread."""
    try:
        days = Selection(date(1970, 1, 1), ledger.analytics.today(), prompt=name)
        return {int(row.key[1]): row for row in ledger.analytics.breakdown("version", days, limit=10_000).rows}
    except NotFound:
        return {}
